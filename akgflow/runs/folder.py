"""Opens the folder of a run: chooses it, checks its plan, and locks it for one process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from akgflow.base.atomic import PART, write_json, write_text
from akgflow.errors import ConfigError
from akgflow.planning import Plan, identity
from akgflow.runs.damage import DamagedRun, read_whole_text
from akgflow.runs.layout import IDENTITY, JOURNAL, PLAN, SCRATCH
from akgflow.runs.reader import plan_of, result_of
from akgflow.runs.repair import repair
from akgflow.runs.result import RunResult

_DIGEST = re.compile("[0-9a-f]{64}")
LOCK_SECONDS = 2.0
"""How long another process may hold a run's lock to clean it."""


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, locked while this value is in use. ``repaired`` says what was repaired when it was opened."""

    path: Path
    lock: FileLock
    repaired: tuple[str, ...] = ()

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / JOURNAL

    @property
    def scratch(self) -> Path:
        """The scratch folder of judges."""
        return self.path / SCRATCH

    def release(self) -> None:
        """Unlock the folder for other processes."""
        self.lock.release()


def folder_for(plan: Plan, runs: Path, *, fresh: bool = False) -> Path:
    """The folder of the latest run of this very plan, or a new one; makes nothing."""
    return latest_or_new(f"{plan.task}-{identity(plan)[:8]}", runs, fresh=fresh)


def latest_or_new(stem: str, runs: Path, *, fresh: bool = False) -> Path:
    """The latest of the folders ``stem``, ``stem-2``, … in ``runs``; the next one if it is to be ``fresh``."""
    names = re.compile(rf"{re.escape(stem)}(?:-([0-9]+))?")
    found = (names.fullmatch(path.name) for path in runs.iterdir()) if runs.is_dir() else ()
    latest = max((int(match[1] or 1) for match in found if match), default=0)
    number = latest + 1 if fresh or not latest else latest
    return runs / (stem if number == 1 else f"{stem}-{number}")


def open_run(path: Path, plan: Plan, *, mend: bool = False) -> RunFolder | RunResult:
    """The folder of an unfinished run of ``plan``, claimed; the result where the run is finished: it is not run again.

    With ``mend`` damaged files are repaired first. Raises `ConfigError` where the folder is another plan's or in use,
    `DamagedRun` where it is damaged.
    """
    _check_owner(path, plan, mend=mend)
    # A process that has written its result may still be closing what it used: it needs no lock to be shown.
    if not mend and (done := result_of(path)) is not None:
        return done
    folder = claim(path, plan, mend=mend)
    try:
        done = result_of(path)
    except DamagedRun:
        folder.release()
        raise
    if done is not None:
        folder.release()
        return done
    return folder


def claim(path: Path, plan: Plan, *, mend: bool = False) -> RunFolder:
    """Take ``path`` for ``plan``; raises `ConfigError` where it is another plan's, or in use."""
    path.mkdir(parents=True, exist_ok=True)
    lock = locked(path, "run")
    try:
        _check_owner(path, plan, mend=mend)
        repaired = tuple(repair(path)) if mend else ()
        for part in path.rglob(f".*{PART}"):
            part.unlink(missing_ok=True)  # a kill leaves files that were being written
        write_text(path / IDENTITY, identity(plan))
        write_json(path / PLAN, plan)
    except BaseException:
        lock.release()
        raise
    return RunFolder(path, lock, repaired)


def locked(path: Path, command: str) -> FileLock:
    """The lock of a folder that ``akgflow COMMAND`` works in, taken; raises `ConfigError` where another has it."""
    lock = FileLock(path / ".lock", thread_local=False)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        hint = "wait for it, or start one with --fresh"
        raise ConfigError(f"{path} is in use by another akgflow {command}: {hint}") from None
    return lock


def _check_owner(path: Path, plan: Plan, *, mend: bool) -> None:
    """Raises where the folder is not known to be this plan's: by its stamp, or by the plan that it holds."""
    try:
        stamp = read_whole_text(path / IDENTITY)
    except DamagedRun:
        if mend:
            return
        raise
    is_digest = stamp is not None and _DIGEST.fullmatch(stamp) is not None
    if stamp is None or stamp == identity(plan) or (mend and not is_digest):
        return
    try:
        held = plan_of(path)
    except DamagedRun:
        held = None
    if held is not None and identity(held) == identity(plan):
        return
    if not is_digest:
        raise DamagedRun.of_file(path / IDENTITY, "it is no digest of a plan")
    raise ConfigError(f"{path} belongs to a run of another plan: name another folder with --run-dir")
