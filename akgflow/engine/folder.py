"""The run folder: where everything that a run sees and makes is kept.

```
runs/gemm_migrate-1f0c2b3a/
  plan.json  operator.py  journal.jsonl  result.json
  jobs/triton-cpu/code-1-1/          prompt.coder.md  reply.coder.md  candidate.py  verdict.json
  best/triton-cpu/                   candidate.py  verdict.json
```
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from akgflow.errors import ConfigError
from akgflow.planning import Plan, identity
from akgflow.serial import to_data, to_json

RESULT = "result.json"
OPERATOR = "operator.py"
"""The reference as it was when the run began."""


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, locked while this value is in use."""

    path: Path
    lock: FileLock

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "journal.jsonl"

    def place(self, job: str, step: str, attempt: int, sample: int) -> Path:
        """Where one attempt of a job keeps its files."""
        return self.path / "jobs" / job / f"{step}-{attempt}-{sample}"

    def best(self, job: str) -> Path:
        """Where a job's best candidate is handed over."""
        return self.path / "best" / job

    def release(self) -> None:
        """Let another process have the folder."""
        self.lock.release()


def open_folder(plan: Plan, runs: Path, *, fresh: bool = False) -> RunFolder:
    """The folder of the unfinished run of this very plan, or a new one.

    Raises `ConfigError` when another process is running it.
    """
    return claim(folder_for(plan, runs, fresh=fresh), plan)


def folder_for(plan: Plan, runs: Path, *, fresh: bool = False) -> Path:
    """Where `open_folder` opens; takes and makes nothing."""
    stem = f"{plan.task}-{identity(plan)[:8]}"
    number = 1
    while True:
        path = runs / (stem if number == 1 else f"{stem}-{number}")
        unused = not path.exists()
        if unused or not (fresh or (path / RESULT).exists()):
            return path
        number += 1


def claim(path: Path, plan: Plan) -> RunFolder:
    """Take ``path`` for ``plan``; raises `ConfigError` where it is another plan's, or in use."""
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"{path} is in use by another akgflow run: wait for it, or start one with --fresh") from None
    stamp = path / ".identity"
    if stamp.exists() and stamp.read_text(encoding="utf-8") != identity(plan):
        lock.release()
        raise ConfigError(f"{path} belongs to a run of another plan: name another folder with --run-dir")
    write_text(stamp, identity(plan))
    write_json(path / "plan.json", plan)
    return RunFolder(path, lock)


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or none; one that holds the text already is left as it is.

    So a run that goes on needs no room for what it has written before.
    """
    with suppress(OSError):
        if path.read_bytes() == text.encode():
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, to_json(to_data(value), indent=2) + "\n")
