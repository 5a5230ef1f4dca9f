"""Results of runs and single verdicts for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from akgflow.base.text import named_values
from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.accounts import show_accounts
from akgflow.reporting.phrases import case_of, correctness, evidence, figures, heaviest, resources, seconds
from akgflow.runs.reader import has_kernels
from akgflow.runs.result import Dispatch, Gain, JobResult, Outcome, RunResult, ShownKernel
from akgflow.speed import Speed, geomean
from akgflow.terms import Status
from akgflow.verdict import Correctness, OtherShapes, Verdict

_JOBS = ("dsl", "target", "outcome", "evidence", "correct", "speed and resources", "tries", "replies")
GAINS = ("job", "step", "best after it", "gained", "tokens", "judged", "device")
_STYLES = {Outcome.MET: "green", Outcome.IMPOSSIBLE: "yellow"}


def show_result(result: RunResult, out: Console) -> None:
    """Print the run's table, then what it spent and its folder."""
    if result.source:
        say(out, f"source kernel: {result.source.status} ({evidence(result.source.evidence)}): {result.source.message}")
        for found in heaviest(result.source.resources):
            say(out, f"               {resources(found)}")
    show_table(_JOBS, [Row(_row(job)) for job in result.jobs], out, heads=2)
    for job in result.jobs:
        if job.reason:
            say(out, f"{job.job}: {job.outcome.value.replace('_', ' ')}: {job.reason}")
    show_examples({job.job: job.examples for job in result.jobs}, out)
    for name, note in ((job.job, note) for job in result.jobs for note in job.notes):
        say(out, f"{name}: {note}")
    for name, line in ((job.job, line) for job in result.jobs if job.dispatch for line in by_shape(job.dispatch)):
        say(out, f"{name}: {line}")
    for note in result.notes:
        say(out, f"note: {note}")
    show_gains(result.jobs, out)
    show_accounts(result.accounts, result.budget, out)
    say(out, _footer(result))


def show_gains(jobs: Sequence[JobResult], out: Console) -> None:
    """Print what each step of the jobs came to; nothing where no job has a time after more than one step."""
    timed = [job for job in jobs if sum(gain.speed is not None for gain in _worked(job.gains)) > 1]
    rows = [Row((job.job, *row)) for job in timed for row in gain_rows(job.gains)]
    if rows:
        show_table(GAINS, rows, out, heads=2, right=GAINS[3:])


def gain_rows(gains: Sequence[Gain]) -> list[tuple[str, ...]]:
    """A row for each step that did something under `GAINS`, without the job."""
    rows: list[tuple[str, ...]] = []
    before = None
    for gain in _worked(gains):
        best = str(Speed(*gain.speed)) if gain.speed else gain.status
        more = f"{gain.speed[0] / before - 1:+.0%}" if gain.speed and before else ""
        held = seconds(gain.device_seconds) if gain.device_seconds else ""
        rows.append((gain.step, best, more, f"{gain.tokens:,}" if gain.tokens else "", str(gain.judged or ""), held))
        before = gain.speed[0] if gain.speed else before
    return rows


def _worked(gains: Sequence[Gain]) -> list[Gain]:
    return [gain for gain in gains if gain.tokens or gain.judged or gain.device_seconds]


def show_examples(shown: Mapping[str, Sequence[ShownKernel]], out: Console) -> None:
    """Print which kernels of the knowledge store each job's prompts showed."""
    for job, kernels in shown.items():
        if kernels:
            say(out, f"{job}: its prompts showed kernels of the knowledge store: {', '.join(map(str, kernels))}")


def by_shape(found: Dispatch) -> list[str]:
    """Which kernel is for which shape, and how good that choice is on shapes that nobody had seen."""
    lines = [] if found.kept else [f"one kernel for all shapes: {found.reason}"]
    for winner in found.winners:
        constants = " ".join(f"{name}={value}" for name, value in winner.constants.items())
        cases = "; ".join(case_of(row.case) for row in found.table if row.candidate == winner.candidate)
        lines.append(f"  {winner.candidate}{f' ({constants})' if constants else ''}: {cases or 'other shapes'}")
    lines[:0] = [f"{len(found.winners)} kernels by shape"] if found.kept else []
    if found.regrets:
        over = geomean([one.over_single[0] for one in found.regrets])
        least = min(one.over_single[0] for one in found.regrets)
        behind = max(one.regret for one in found.regrets)
        where = (
            f"{len(found.regrets)} shapes that nobody had seen"
            if found.unseen
            else "the cases, as no others are served"
        )
        lines.append(
            f"  at {where}: {over:.2f}x as fast as the best single kernel, {least:.2f}x at the least; "
            f"with the best kernel for each, a call would take up to {behind:.0%} less"
        )
    return lines


def _row(job: JobResult) -> tuple[str | Text, ...]:
    outcome = Text(job.outcome.value.replace("_", " "), style=_STYLES.get(job.outcome, "red"))
    if job.verdict is None:
        return job.dsl, job.target, outcome, "", "", "", str(len(job.attempts) or ""), ", ".join(job.origins)
    verdict = job.verdict
    return (
        job.dsl,
        job.target,
        outcome,
        evidence(verdict.evidence),
        correctness(verdict),
        "\n".join(_figures(verdict)),
        str(len(job.attempts)),
        ", ".join(job.origins),
    )


def _figures(verdict: Verdict) -> list[str]:
    lines = figures(verdict)
    if "timing" in verdict.absent:
        lines.append(f"not timed: {verdict.absent['timing']}")
    return lines + [resources(found) for found in heaviest(verdict.resources)]


def _footer(result: RunResult) -> str:
    spent = result.spent
    kernels = "best/ holds the kernels, " if has_kernels(Path(result.folder)) else ""
    money = f"${spent.usd:.4f}" + (f" and {spent.unpriced} calls of unknown price" if spent.unpriced else "")
    resumed = f"; {result.resumed_effects} finished steps were kept from before" if result.resumed_effects else ""
    return (
        f"{spent.calls} model calls, {spent.tokens:,} tokens, {money}; {seconds(result.seconds)}{resumed}\n"
        f"kept in {result.folder}: {kernels}jobs/ every prompt, reply, candidate and verdict"
    )


def show_verdict(verdict: Verdict, out: Console) -> None:
    """Print one verdict with all that it rests on."""
    style = "green" if verdict.passed else "red"
    say(out, Text.assemble((str(verdict.status), f"bold {style}"), f" on {verdict.target}: {verdict.message}"))
    say(out, f"evidence   {evidence(verdict.evidence)} ({verdict.environment.hardware})")
    if verdict.allowed:
        say(out, f"precision  {verdict.precision}: {verdict.allowed}")
    for name, reason in verdict.absent.items():
        say(out, f"           not {name}: {reason}")
    if verdict.shapes is not None:
        say(out, f"shapes     {_others(verdict.shapes)}")
    for one in verdict.sanitized:
        say(out, f"sanitized  {one}")
    for warning in verdict.warnings:
        say(out, f"           warning: {warning}")
    if verdict.correctness:
        _show_cases(verdict.correctness, out)
    for line in _figures(verdict):
        say(out, f"           {line}")
    if verdict.log:
        say(out, Text(verdict.log.rstrip(), style="dim"))


def _others(found: OtherShapes) -> str:
    """The secret shapes that were tried."""
    named = {"right on": found.right, "refuses": found.refused}
    said = [f"{words} {'; '.join(map(case_of, sizes))}" for words, sizes in named.items() if sizes]
    return ". ".join(said) or f"no other was tried: {found.untried or 'only the stated ones are asked for'}"


def _show_cases(correctness: Correctness, out: Console) -> None:
    rows = []
    for case in correctness.cases:
        shape = named_values(case.case) or "own"
        style = "" if case.status is Status.PASSED else "red"
        numbers = f"{case.error:.3g}", f"{case.bound:.3g}"
        rows.append(Row((shape, case.distribution, str(case.status), *numbers, case.detail), style))
    show_table(("case", "inputs", "status", "error", "bound", "detail"), rows, out, heads=2, right=("error", "bound"))
