"""A run on disk: its folder, its journal, its result, and what can be read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.runs.damage import DamagedRun
    from akgflow.runs.folder import RunFolder, claim, folder_for, open_run
    from akgflow.runs.layout import RESULT
    from akgflow.runs.reader import Unfinished, read_run, runs_in
    from akgflow.runs.result import Account, Attempt, JobResult, Outcome, RunResult

_EXPORTS = {
    "damage": ("DamagedRun",),
    "folder": ("RunFolder", "claim", "folder_for", "open_run"),
    "layout": ("RESULT",),
    "reader": ("Unfinished", "read_run", "runs_in"),
    "result": ("Account", "Attempt", "JobResult", "Outcome", "RunResult"),
}

__all__ = [
    "RESULT",
    "Account",
    "Attempt",
    "DamagedRun",
    "JobResult",
    "Outcome",
    "RunFolder",
    "RunResult",
    "Unfinished",
    "claim",
    "folder_for",
    "open_run",
    "read_run",
    "runs_in",
]

__getattr__ = lazy_exports(__name__, _EXPORTS)
