"""Runs a plan: the source kernel first, then the jobs concurrently, each through its workflow's steps."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

from akgflow.base.atomic import write_json, write_text
from akgflow.base.text import lines as lines_of
from akgflow.budget.usage import AbortedSpend
from akgflow.config.steps import Step, kind_of
from akgflow.config.types import SourceKernel
from akgflow.engine.context import RunContext
from akgflow.engine.dispatch import dispatch
from akgflow.engine.gates import unmet
from akgflow.engine.preflight import numeric_targets, preflight
from akgflow.engine.standing import Stage
from akgflow.engine.state import JobState
from akgflow.engine.steps import run_step
from akgflow.errors import (
    BudgetError,
    ConfigError,
    MachineExhausted,
    Mark,
    PrerequisiteError,
    Problem,
    machine_error,
)
from akgflow.planning import Job, PlannedStep
from akgflow.runs.harvest import cause_in, lessons_of
from akgflow.runs.layout import LOCK, OPERATOR, RESULT, best_in
from akgflow.runs.lock import lock_of
from akgflow.runs.records import Finished, Preflight, shown_kernels
from akgflow.runs.result import JobResult, Outcome, RunResult
from akgflow.runs.spending import JUDGE_TRIED, accounts, book_earlier_sessions, unknown_ends
from akgflow.terms import Status
from akgflow.verdict import Verdict

MOST_STORED = 4
"""Kernels of one job that go into the knowledge store: a search makes many that hardly differ."""


async def run_plan(run: RunContext) -> RunResult:
    """Run what is not finished yet; the result says how each job ended.

    Before any model is asked, raises `ConfigError` when the task's own source kernel does not compile or is wrong, and
    `UntrustedJudge` when the judge gives wrong verdicts in the self-test on this machine.
    """
    started = time.monotonic()
    resumed = len(run.journal)
    book_earlier_sessions(run.journal, run.gateway.ledger)
    write_text(run.folder.path / OPERATOR, run.task.operator.whole)
    _write_lock(run)
    source = await _check_source(run)
    await _try_judge(run)
    await run.knowledge.prepare()
    jobs = await _all_jobs(run)
    calls = _finished_calls(run)
    result = RunResult(
        task=run.plan.task,
        folder=str(run.folder.path),
        jobs=tuple(jobs),
        spent=run.gateway.ledger.spent,
        seconds=60.0 * run.journal.minutes_before + time.monotonic() - started,
        source=source,
        notes=(*dict.fromkeys(note for one in calls for note in one.reply.notes), *unknown_ends(run.journal)),
        resumed_effects=resumed,
        budget=run.task.budget,
        accounts=accounts(run.journal),
    )
    _write_lock(run)
    if result.finished:
        write_json(run.folder.path / RESULT, result, durable=True)
    return result


def _write_lock(run: RunContext) -> None:
    write_json(run.folder.path / LOCK, lock_of(run.task, run.workspace, run.plan, run.journal))


def _finished_calls(run: RunContext) -> list[Finished]:
    return [run.journal.read(key, Finished) for key, _ in run.journal.items("call ")]


async def _check_source(run: RunContext) -> Verdict | None:
    source = run.task.source
    if source is None:
        return None
    verdict = await run.judge_source(source)
    if verdict.status in (Status.PASSED, Status.NOT_RUN):
        run.notify("", f"source kernel: {verdict.status}: {verdict.message}")
        return verdict
    raise ConfigError([_source_problem(source, verdict)])


def _source_problem(source: SourceKernel, verdict: Verdict) -> Problem:
    """The judge's message about a source kernel, at the line that the compiler names."""
    named = re.search(rf"{re.escape(source.file.name)}[:(](\d+)", f"{verdict.message}\n{verdict.log}")
    lines = [line for line in lines_of(verdict.log.strip()) if line not in verdict.message]
    hint = "\n".join(lines) or "mend the kernel, or the operator that it is compared with"
    return Problem(
        Mark(str(source.file), int(named[1]) if named else 1, 1),
        f"the source kernel cannot be migrated as it is: {verdict.status}: {verdict.message}",
        hint,
    )


async def _try_judge(run: RunContext) -> None:
    """Judge kernels of known verdict on each target on which this run's candidates give numbers."""
    for target in numeric_targets(run.plan, run.workspace):
        device = run.gateway.ledger.device
        before = device.spent
        try:
            found = await run.journal.once(
                f"canaries {target.name}",
                Preflight,
                lambda target=target: preflight(run.executor, run.plan.machine, target, run.task),  # type: ignore[misc]
            )
        except BudgetError as spent:
            run.record_aborted(AbortedSpend(JUDGE_TRIED, str(spent), device_seconds=device.spent - before))
            raise
        run.notify("", str(found))


async def _all_jobs(run: RunContext) -> list[JobResult]:
    """Run all jobs concurrently; a bug ends them all, a missing provider or a spent budget only its own job.

    Where the machine is short of something, no job begins anything new; what is under way is finished and journaled
    before `MachineExhausted` is raised.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_job(job, run)) for job in run.plan.jobs]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    ended = [task.result() for task in tasks]
    for one in ended:
        if isinstance(one, MachineExhausted):
            raise one
    return [one for one in ended if isinstance(one, JobResult)]


async def _job(job: Job, run: RunContext) -> JobResult | MachineExhausted:
    try:
        return await _finished(job, run)
    except Exception as error:
        short = machine_error(error)
        if short is None:
            raise
        run.journal.halt(short)
        run.notify(job.id, str(short))
        return short
    finally:
        run.standing.enters(job.id, Stage.DONE)


async def _finished(job: Job, run: RunContext) -> JobResult:
    state = JobState(job)
    if job.impossible:
        return JobResult(job.id, job.dsl, job.target, Outcome.IMPOSSIBLE, job.impossible)
    try:
        # Behind the workflow's steps there may be one more.
        for step, planned in zip(run.workspace.workflows[run.task.workflow].steps, job.steps, strict=False):
            await _step(step, planned, state, run)
    except BudgetError as spent:
        return _ended(state, run, Outcome.BUDGET, str(spent))
    except PrerequisiteError as missing:
        return _ended(state, run, Outcome.NO_PROVIDER, str(missing))
    result = _judged_result(state, run)
    if result.outcome is not Outcome.MET:
        return result
    await _keep(state, run)
    try:
        return replace(result, dispatch=await dispatch(state, run))
    except BudgetError as spent:
        return replace(result, outcome=Outcome.BUDGET, reason=str(spent))


async def _step(step: Step, planned: PlannedStep, state: JobState, run: RunContext) -> None:
    """One step. Where the budget is spent while a kernel that meets the gates is made faster, that is what there is."""
    if planned.idle:
        state.hand_on(step.name, state.pool(getattr(step, kind_of(step))))
        return
    try:
        with state.gain(step.name):
            await run_step(step, state, run)
    except BudgetError as spent:
        best = state.best()
        if not planned.faster or best is None or unmet(run.task.gates, best.verdict):
            raise
        run.say(state, f"{step.name}: ended: {spent}")


async def _keep(state: JobState, run: RunContext) -> None:
    """Put the best verified kernels of a job that met its gates into the knowledge store."""
    made = {judged.candidate.id: judged for pool in state.made.values() for judged in pool}
    met = [judged for judged in made.values() if not unmet(run.task.gates, judged.verdict)]
    best = sorted(met, key=lambda judged: judged.worth, reverse=True)[:MOST_STORED]
    right = [(judged.candidate.source, judged.verdict) for judged in best]
    replies = ((f.key, cause_in(f.reply.text)) for f in _finished_calls(run) if f.key.job == state.job.id)
    causes = {(key.step, key.attempt): cause for key, cause in replies if cause}
    await run.knowledge.keep(state.job, right, lessons_of(state.attempts, causes))


def _judged_result(state: JobState, run: RunContext) -> JobResult:
    best = state.best()
    if best is None:
        # Where nothing was tried, the first step that found nothing to do gives the reason.
        said = [attempt.message for attempt in state.attempts[-1:]] or state.notes or ["its workflow makes no code"]
        last = said[0]
        return _ended(state, run, Outcome.GATE_FAILED, f"no candidate was made: {last}")
    reasons = unmet(run.task.gates, best.verdict)
    return _ended(state, run, Outcome.GATE_FAILED if reasons else Outcome.MET, "; ".join(reasons))


def _ended(state: JobState, run: RunContext, outcome: Outcome, reason: str) -> JobResult:
    """The job's result; its best candidate is written for every outcome."""
    job, best = state.job, state.best()
    if best is not None:
        place = best_in(run.folder.path, job.id)
        write_text(place / "candidate.py", best.candidate.source)
        write_json(place / "verdict.json", best.verdict)
    run.notify(job.id, f"{outcome.value.replace('_', ' ')}{': ' + reason if reason else ''}")
    return JobResult(
        job=job.id,
        dsl=job.dsl,
        target=job.target,
        outcome=outcome,
        reason=reason,
        best=best.candidate.id if best else None,
        verdict=best.verdict if best else None,
        attempts=tuple(state.attempts),
        calls=state.calls,
        origins=tuple(sorted(state.origins)),
        notes=tuple(state.notes),
        examples=shown_kernels(run.knowledge.examples(job.id)),
        gains=tuple(state.gains),
    )
