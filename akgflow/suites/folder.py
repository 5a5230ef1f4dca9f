"""The folder of a suite.

```
runs/no_model-1f0c2b3a/
  suite.json  shares.json  clock.json  score.json  trace.jsonl
  problems/softmax/     an ordinary run
  ends/softmax.json     how its last session ended, also where the run is unfinished
```
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from akgflow import __version__
from akgflow.base.atomic import write_json
from akgflow.budget.shares import Shares
from akgflow.config import Unfit
from akgflow.errors import ConfigError
from akgflow.runs.damage import read_file
from akgflow.runs.folder import latest_or_new, locked
from akgflow.runs.result import RunResult

SUITE = "suite.json"
PROBLEMS = "problems"
_BEAT = 1.0
"""Seconds between two notes of the time taken: a kill loses no more."""


@dataclass(frozen=True)
class Listed:
    """A problem of a suite by name."""

    name: str
    level: str = ""
    kind: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class SuiteRecord:
    """What a folder says about the suite that it holds."""

    suite: str
    identity: str
    problems: tuple[Listed, ...]
    baselines: tuple[str, ...] = ()
    """What its kernels are timed against."""
    unfit: tuple[Unfit, ...] = ()
    """Problems that it selects, too, and that cannot be judged."""
    akgflow: str = __version__


@dataclass(frozen=True)
class _Clock:
    seconds: float = 0.0


@dataclass
class SuiteFolder:
    """One suite's folder; for one process at a time between `claimed` and its end."""

    path: Path
    _noted: float = field(default=float("-inf"))

    @property
    def scratch(self) -> Path:
        """Where judges work."""
        return self.path / "scratch"

    @property
    def score(self) -> Path:
        """The score of its last session, as JSON."""
        return self.path / "score.json"

    @property
    def trace(self) -> Path:
        """Every judged candidate, a line each."""
        return self.path / "trace.jsonl"

    def run(self, problem: str) -> Path:
        """The folder of a problem's run."""
        return self.path / PROBLEMS / problem

    @contextmanager
    def claimed(self, record: SuiteRecord) -> Iterator[None]:
        """Take the folder for ``record``; raises `ConfigError` where it is another suite's, or in use."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = locked(self.path, "bench")
        try:
            held = self.record
            if held is not None and held.identity != record.identity:
                raise ConfigError(
                    f"{self.path} belongs to another suite, or to another state of it: begin with --fresh"
                )
            if held is None:
                write_json(self.path / SUITE, record)
            yield
        finally:
            lock.release()

    @property
    def record(self) -> SuiteRecord | None:
        """Which suite it is; None where the folder is none's yet."""
        return read_file(self.path / SUITE, SuiteRecord)

    @property
    def shares(self) -> Shares | None:
        """The shares of the round that is under way."""
        return read_file(self.path / "shares.json", Shares)

    def share(self, shares: Shares) -> None:
        """Begin a round; on disk before anything of it is spent."""
        write_json(self.path / "shares.json", shares, durable=True)

    @property
    def seconds(self) -> float:
        """Wall seconds that all sessions took."""
        return (read_file(self.path / "clock.json", _Clock) or _Clock()).seconds

    def beat(self, seconds: float, *, last: bool = False) -> None:
        """Note the wall seconds taken so far, now and then."""
        if last or time.monotonic() - self._noted >= _BEAT:
            self._noted = time.monotonic()
            write_json(self.path / "clock.json", _Clock(seconds))

    def end_of(self, problem: str) -> RunResult | None:
        """How the last session of a problem's run ended; None where none has."""
        return read_file(self.path / "ends" / f"{problem}.json", RunResult)

    def note_end(self, problem: str, result: RunResult) -> None:
        """Note how a session of a problem's run ended."""
        write_json(self.path / "ends" / f"{problem}.json", result)


def is_suite_folder(folder: Path) -> bool:
    """True where the folder holds a suite."""
    return (folder / SUITE).is_file()


def runs_of(folder: Path) -> list[Path]:
    """The runs that a suite's folder holds so far, in the order of its problems; for a run, its own folder."""
    suite = SuiteFolder(folder)
    record = suite.record
    return [folder] if record is None else [run for one in record.problems if (run := suite.run(one.name)).is_dir()]


def suites_in(runs: Path) -> dict[str, Path]:
    """The folders of all suites, the one that began last first; then the last of each suite by the suite's name."""
    begun = {path.parent: path.stat().st_mtime for path in runs.glob(f"*/{SUITE}")}
    latest = sorted(begun, key=lambda folder: begun[folder], reverse=True)
    found = {folder.name: folder for folder in latest}
    for folder in latest:
        if record := SuiteFolder(folder).record:
            found.setdefault(record.suite, folder)
    return found


def suite_folder(name: str, identity: str, runs: Path, *, fresh: bool = False) -> SuiteFolder:
    """The latest folder of this very suite, or a new one; makes nothing."""
    return SuiteFolder(latest_or_new(f"{name}-{identity[:8]}", runs, fresh=fresh))
