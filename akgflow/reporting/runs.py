"""A run's folder for people: the result of a finished run, or how far an unfinished one came."""

from __future__ import annotations

from rich.console import Console

from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.accounts import show_accounts
from akgflow.reporting.phrases import counted
from akgflow.reporting.results import show_examples, show_result
from akgflow.runs.reader import SoFar, Unfinished
from akgflow.runs.result import RunResult
from akgflow.search.quality import speed_of


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
    show_examples(run.examples, out)
    show_accounts(run.accounts, run.budget, out)


def _row(job: SoFar) -> tuple[str, ...]:
    return job.dsl, job.target, str(job.replies or ""), str(len(job.verdicts) or ""), _best(job)


def _best(job: SoFar) -> str:
    """The fastest that passed, or what the last one lacks."""
    passed = [verdict for verdict in job.verdicts if verdict.passed]
    speeds = [speed for speed in map(speed_of, passed) if speed is not None]
    if speeds:
        return str(max(speeds))
    last = (passed or job.verdicts)[-1:]
    return f"{last[0].status}" if last else ""
