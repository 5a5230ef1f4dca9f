"""What a folder of runs holds: each run and suite with its age and size, and the removal of old ones."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from akgflow.errors import ConfigError
from akgflow.runs.damage import DamagedRun
from akgflow.runs.lock import Lock
from akgflow.runs.reader import result_of, runs_in
from akgflow.runs.result import RunResult
from akgflow.suites.folder import PROBLEMS, SUITE, SuiteFolder, is_suite_folder, runs_of

_REMOVED = ".removed-"
"""The beginning of what a folder is called while it is removed."""


class Activity(StrEnum):
    """How far a run or a suite is."""

    AT_WORK = "at work"
    FINISHED = "finished"
    UNFINISHED = "unfinished"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class ListedRun:
    """A run or a suite of a folder."""

    name: str
    """Of its folder."""
    kind: str
    """``run`` or ``suite``."""
    activity: Activity
    right: int
    """Jobs whose gates were met, of all problems."""
    jobs: int
    age: float
    """Seconds since it was at work last."""
    bytes: int


@dataclass(frozen=True)
class RunFacts:
    """A run or a suite, and what its verdicts depended on; a suite has a lock for each of its runs, and none itself."""

    run: ListedRun
    lock: Lock | None


@dataclass(frozen=True)
class Removed:
    """What was removed, and by name why others were left."""

    removed: tuple[ListedRun, ...]
    left: dict[str, str]

    @property
    def bytes(self) -> int:
        """What that freed."""
        return sum(one.bytes for one in self.removed)


def listed(runs: Path) -> list[ListedRun]:
    """All runs and suites, the one at work last first."""
    now, parts = time.time(), _parts(runs)
    found = [_listed(runs / name, folders, now) for name, folders in parts.items()]
    return sorted(found, key=lambda one: one.age)


def listed_run(folder: Path) -> ListedRun:
    """One of them by its folder."""
    return _listed(folder, runs_of(folder), time.time())


def _parts(runs: Path) -> dict[str, list[Path]]:
    """Folders of runs by the name of the run or suite that they belong to; a suite may have none."""
    found: dict[str, list[Path]] = {path.parent.name: [] for path in runs.glob(f"*/{SUITE}")}
    for name, folder in runs_in(runs).items():
        found.setdefault(name.partition("/")[0], []).append(folder)
    return found


def _listed(folder: Path, parts: Sequence[Path], now: float) -> ListedRun:
    ends: list[RunResult | None] = []
    damaged = False
    for part in parts:
        try:
            ends.append(result_of(part))
        except DamagedRun:
            damaged = True
    problems = len(parts)
    with suppress(DamagedRun):
        record = SuiteFolder(folder).record
        problems = len(record.problems) if record else problems
    whole = len(ends) == problems and None not in ends
    activity = Activity.DAMAGED if damaged else Activity.FINISHED if whole else Activity.UNFINISHED
    jobs = [job for end in ends if end is not None for job in end.jobs]
    latest, size = _weight(folder)
    return ListedRun(
        name=folder.name,
        kind="suite" if is_suite_folder(folder) else "run",
        activity=Activity.AT_WORK if _in_use(folder) else activity,
        right=sum(job.outcome == "met" for job in jobs),
        jobs=len(jobs),
        age=max(0.0, now - latest),
        bytes=size,
    )


def _weight(folder: Path) -> tuple[float, int]:
    """When a file in it was changed last, and the bytes of all; what vanishes meanwhile does not count."""
    latest, size = 0.0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                stat = os.lstat(os.path.join(place, name))
                size += stat.st_size
                # Looking at a lock changes it.
                latest = latest if name == ".lock" else max(latest, stat.st_mtime)
    return latest, size


def _in_use(folder: Path) -> bool:
    try:
        with _locked(folder):
            return False
    except Timeout:
        return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the locks of a run, or of a suite and its runs; raises `Timeout` where another process has one."""
    with ExitStack() as held:
        for path in (folder / ".lock", *folder.glob(f"{PROBLEMS}/*/.lock")):
            if path.exists():
                held.enter_context(FileLock(path, timeout=0))
        yield


def chosen(runs: Path, names: Sequence[str], older_than: float | None) -> list[ListedRun]:
    """The runs and suites of those names, or all, that were at work last so many seconds ago or more.

    Raises `ConfigError` for a name that is not there.
    """
    every = {one.name: one for one in listed(runs)}
    if unknown := [name for name in names if name not in every]:
        raise ConfigError(f"there is no run or suite {unknown[0]!r} in {runs}: akgflow runs list shows them")
    some = [every[name] for name in dict.fromkeys(names)] if names else list(every.values())
    return [one for one in some if older_than is None or one.age >= older_than]


def remove(runs: Path, some: Sequence[ListedRun]) -> Removed:
    """Remove these runs and suites; one that is at work, or was since it was listed, is left."""
    left: dict[str, str] = {}
    removed: list[ListedRun] = []
    for one in some:
        if why := _remove(runs / one.name):
            left[one.name] = why
        else:
            removed.append(one)
    for half in runs.glob(f"{_REMOVED}*"):  # a kill leaves it behind
        shutil.rmtree(half, ignore_errors=True)
    return Removed(tuple(removed), left)


def _remove(folder: Path) -> str:
    """Why it was left; empty where it is gone."""
    if folder.is_symlink():
        return "it is a link to a folder elsewhere: remove that"
    try:
        with _locked(folder):
            # Out of its place at once: a run that begins meanwhile does not find half of it.
            aside = Path(tempfile.mkdtemp(prefix=_REMOVED, dir=folder.parent))
            folder.rename(aside / folder.name)
    except Timeout:
        return "it is at work"
    shutil.rmtree(aside)
    return ""
