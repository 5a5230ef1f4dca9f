"""The folder of runs: what is in it, what each run depended on, and the removal of old ones."""

from __future__ import annotations

from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.suites import find_suite_or_run
from akgflow.api.tasks import runs_folder
from akgflow.errors import ConfigError
from akgflow.runs.lock import lock_in
from akgflow.suites.listing import ListedRun, Removed, RunFacts, chosen, listed, listed_run, remove


@public
def list_runs(*, workspace: str | Path | None = None) -> list[ListedRun]:
    """The runs and suites of a workspace with age and size, the one at work last first. Raises `ConfigError`."""
    return listed(runs_folder(workspace))


@public
def run_facts(run: str | Path, *, workspace: str | Path | None = None) -> RunFacts:
    """Age, size and ``run.lock`` of a run or a suite: a folder, or its name in the workspace. Raises `ConfigError`."""
    folder = find_suite_or_run(run, runs_folder(workspace))
    return RunFacts(listed_run(folder), lock_in(folder))


@public
def runs_to_clean(*names: str, older_than: float | None = None, workspace: str | Path | None = None) -> list[ListedRun]:
    """What `clean_runs` would try to remove. Raises `ConfigError` where neither names nor an age are given."""
    if not names and older_than is None:
        raise ConfigError("say which runs to remove: by name, or by age (--older-than 30d)")
    return chosen(runs_folder(workspace), names, older_than)


@public
def clean_runs(*names: str, older_than: float | None = None, workspace: str | Path | None = None) -> Removed:
    """Remove runs and suites by name, or those that were at work last ``older_than`` seconds ago and more.

    None that is at work is removed. Raises `ConfigError` for a name that is not there.
    """
    some = runs_to_clean(*names, older_than=older_than, workspace=workspace)
    return remove(runs_folder(workspace), some)
