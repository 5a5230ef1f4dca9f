"""Repairs a damaged run from the intact lines of its journal.

Results, plans and the best kernels are made again from the journal, and nothing in it is paid for twice. Replaced files
are kept beside the new ones, as ``NAME.damaged-1``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from akgflow.base.atomic import write_bytes
from akgflow.runs.damage import DamagedRun, read_file, read_whole_text
from akgflow.runs.layout import IDENTITY, JOURNAL, LOCK, OPERATOR, PLAN, RESULT, SCRATCH, best_in
from akgflow.runs.lines import read_lines
from akgflow.runs.lock import lock_in
from akgflow.runs.reader import best_candidate, best_verdict, plan_of
from akgflow.runs.records import why_unfit
from akgflow.runs.result import RunResult

Readers = Iterator[tuple[Path, Callable[[], object]]]


def repair(folder: Path) -> list[str]:
    """Keep what is intact; returns a sentence for each repair. The caller holds the run's lock."""
    done = _repair_journal(folder / JOURNAL)
    broken = [path for path, read in _readers(folder) if not _whole(read)]
    done += [f"{path} was damaged; it is kept as {_set_aside(path)}" for path in broken]
    result = folder / RESULT
    if result.exists() and (done or _incomplete(folder)):
        done.append(f"the run's outputs are made again from its journal; the old result is {_set_aside(result)}")
    return done


def _readers(folder: Path) -> Readers:
    """The files that a run makes from its journal, each with its reader; then the folders that it makes."""
    yield folder / IDENTITY, partial(_is_stamp, folder / IDENTITY)
    yield folder / PLAN, partial(plan_of, folder)
    yield folder / OPERATOR, partial(read_whole_text, folder / OPERATOR)
    yield folder / LOCK, partial(lock_in, folder)
    yield folder / RESULT, partial(read_file, folder / RESULT, RunResult)
    for job in sorted(path.name for path in folder.glob("best/*")):
        yield best_in(folder, job) / "verdict.json", partial(best_verdict, folder, job)
        yield best_in(folder, job) / "candidate.py", partial(best_candidate, folder, job)
    for name in ("jobs", "best", SCRATCH):
        yield folder / name, partial(_is_folder, folder / name)


def _is_stamp(path: Path) -> None:
    if re.fullmatch("[0-9a-f]{64}", read_whole_text(path) or "0" * 64) is None:
        raise DamagedRun.of_file(path, "it is no digest of a plan")


def _is_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise DamagedRun.of_file(path, "it is no folder")


def _whole(read: Callable[[], object]) -> bool:
    try:
        read()
    except DamagedRun:
        return False
    return True


def _incomplete(folder: Path) -> bool:
    """True where an output of a finished run is missing."""
    result = read_file(folder / RESULT, RunResult)
    kernels = [best_in(folder, job.job) for job in result.jobs if job.best] if result else []
    files = (folder / PLAN, folder / OPERATOR, *(path / name for path in kernels for name in _HANDED_OVER))
    return not all(path.exists() for path in files)


_HANDED_OVER = ("candidate.py", "verdict.json")


def _repair_journal(path: Path) -> list[str]:
    if path.is_dir():
        return [f"{path} is a folder, so the run begins again; it is kept as {_set_aside(path)}"]
    if not path.exists():
        return []
    found = read_lines(path.read_bytes(), why_unfit)
    if not found.damaged:
        return []
    old = _beside(path)
    shutil.copy2(path, old)
    write_bytes(path, b"".join(line.raw + b"\n" for line in found.lines), durable=True)
    return [f"{path}: {len(found.lines)} whole steps are kept, {len(found.damaged)} are left out; the old one is {old}"]


def _set_aside(path: Path) -> Path:
    to = _beside(path)
    path.rename(to)
    return to


def _beside(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return found
