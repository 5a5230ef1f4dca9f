"""A run's folder for people: the result of a finished run, or how far an unfinished one came."""

from __future__ import annotations

from rich.console import Console

from akgflow.reporting._console import say
from akgflow.reporting.accounts import show_accounts
from akgflow.reporting.phrases import counted
from akgflow.reporting.results import show_examples, show_result
from akgflow.runs.reader import Unfinished
from akgflow.runs.result import RunResult


def show_run(run: RunResult | Unfinished, out: Console) -> None:
    """Print either."""
    if isinstance(run, RunResult):
        show_result(run, out)
        return
    if not run.done:
        say(out, f"{run.folder} stopped before its first step was done: the command that began it says why")
    else:
        how_far = f"{counted(len(run.done), 'step')} {'is' if len(run.done) == 1 else 'are'} done"
        say(out, f"{run.folder} is unfinished; {how_far}, and the command that began it repeats none of them:")
    for key in run.done:
        say(out, f"  {key}")
    show_examples(run.examples, out)
    show_accounts(run.accounts, run.budget, out)
