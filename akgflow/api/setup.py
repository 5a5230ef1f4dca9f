"""What this machine offers, a workspace to begin with, and what builds and runs left."""

from __future__ import annotations

import shutil
from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.suites import find_suite_or_run
from akgflow.api.tasks import load_workspace, runs_folder
from akgflow.base import resources
from akgflow.doctor import Check, try_judge
from akgflow.doctor import examine as look_at
from akgflow.errors import ConfigError
from akgflow.runs.lock import lock_in
from akgflow.suites.listing import ListedRun, Removed, RunFacts, chosen, listed, listed_run, remove
from akgflow.toolchains import cache, cache_root
from akgflow.toolchains.common.cache import Kind


@public
def examine(workspace: str | Path | None = None, *, canaries: bool = False) -> list[Check]:
    """What is installed, which devices and providers are here, and what is missing.

    With ``canaries`` the judge is tried with kernels whose verdict is known.
    """
    space = load_workspace(workspace)
    return look_at(space) + (try_judge(space) if canaries else [])


@public
def cache_folder() -> Path:
    """The folder of the build cache, whether it is there or not."""
    return cache_root()


@public
def cache_contents() -> list[Kind]:
    """Every kind of build that the cache holds, with its files and bytes."""
    return cache.contents()


@public
def clean_cache(older_than: float = 0.0) -> int:
    """Remove what was built more than so many seconds ago, and ten minutes at least; the bytes that this freed."""
    return cache.clean(older_than)


@public
def init(directory: str | Path) -> Path:
    """Make ``directory`` a workspace: the shipped agents, hardware and tasks with their recordings, to edit.

    ``SKILL.md`` tells an agent how to work with akgflow in it.

    Raises `ConfigError` where it holds some of them already; then nothing is written.
    """
    folder = Path(directory)
    names = ("agents.yaml", "hardware.yaml", "schemas", "tasks", "SKILL.md")
    taken = [name for name in names if (folder / name).exists()]
    if taken:
        raise ConfigError(f"{folder} already holds {', '.join(taken)}: nothing was written; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = resources.defaults() / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    return folder


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
