"""A run's folder for people: the result of a finished run, or how far an unfinished one came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from akgflow.base.serial import to_json
from akgflow.base.text import counted
from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.accounts import show_accounts
from akgflow.reporting.phrases import age, megabytes
from akgflow.reporting.results import show_examples, show_result
from akgflow.runs.lock import Lock
from akgflow.runs.reader import SoFar, Unfinished
from akgflow.runs.result import RunResult
from akgflow.search.quality import speed_of
from akgflow.suites.listing import ListedRun, RunFacts

_COLUMNS = ("name", "kind", "state", "met", "age", "size")
"""Of a run or a suite in a list of them."""


def show_run(run: RunResult | Unfinished, out: Console) -> None:
    """Print either."""
    if isinstance(run, RunResult):
        show_result(run, out)
        return
    if not run.done:
        say(out, f"{run.folder} stopped before its first step was done: the command that began it says why")
    else:
        how_far = f"{counted(len(run.done), 'step')} {'is' if len(run.done) == 1 else 'are'} done"
        say(out, f"{run.folder} is unfinished; {how_far}, and the command that began it repeats none of them")
    if run.jobs:
        show_table(("dsl", "target", "replies", "judged", "best so far"), [Row(_row(job)) for job in run.jobs], out)
    for one in run.sessions:
        used = f"{one.used} of {one.judgements} judgements and {one.minutes_used:.1f} of {one.minutes:g} minutes used"
        say(out, f"{one.job}: {one.step}: {one.agent} works in a folder: {used}")
    show_examples(run.examples, out)
    show_accounts(run.accounts, run.budget, out)


def show_runs(runs: Sequence[ListedRun], folder: Path, out: Console) -> None:
    """One row for each run and suite of a folder, and what all take."""
    if not runs:
        say(out, f"no runs in {folder}")
        return
    show_table(_COLUMNS, [Row(_listed(run)) for run in runs], out, right=("age", "size"))
    say(out, f"{len(runs)} in {folder}, {megabytes(sum(one.bytes for one in runs))}")


def show_run_facts(found: RunFacts, out: Console) -> None:
    """Print age and size of a run, and what its verdicts depended on."""
    rows = [*zip(_COLUMNS, _listed(found.run), strict=True), *(_locked(found.lock) if found.lock else ())]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        if text:
            say(out, f"{name:<{width}}  {text}")


def _locked(lock: Lock) -> Iterator[tuple[str, str]]:
    yield from (("task", lock.task), ("plan", lock.plan[:12]), ("akgflow", lock.akgflow))
    for name, one in lock.models.items():
        yield f"model {name}", f"{one.model} {to_json(one.params)}"
    yield "answered", ", ".join(f"{count} by {name}" for name, count in lock.answered.items())
    yield "seeds", ", ".join(f"{step}: {seed}" for step, seed in lock.seeds.items())
    for where in lock.environments:
        known = (f"{name} {value}" for name, value in (*where.libs.items(), *where.settings.items()))
        yield "judged with", "; ".join((where.hardware, *known))
    for name, digest in lock.inputs.items():
        yield f"sha256 of {name}", digest[:12]


def _listed(run: ListedRun) -> tuple[str, ...]:
    met = f"{run.right} of {run.jobs}" if run.jobs else ""
    return run.name, run.kind, str(run.activity), met, age(run.age), megabytes(run.bytes)


def _row(job: SoFar) -> tuple[str, ...]:
    return job.dsl, job.target, str(job.replies or ""), str(len(job.verdicts) + job.trials or ""), _best(job)


def _best(job: SoFar) -> str:
    """The fastest that passed, or what the last one lacks."""
    passed = [verdict for verdict in job.verdicts if verdict.passed]
    speeds = [speed for speed in map(speed_of, passed) if speed is not None]
    if speeds:
        return str(max(speeds))
    last = (passed or job.verdicts)[-1:]
    return f"{last[0].status}" if last else ""
