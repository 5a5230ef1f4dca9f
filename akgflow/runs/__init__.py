"""A run on disk: its folder, its journal, its result, and what can be read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.lazily import lazily

if TYPE_CHECKING:
    from akgflow.runs.folder import RESULT, RunFolder, claim, folder_for, open_folder
    from akgflow.runs.result import Account, Attempt, JobResult, Outcome, RunResult

_HOMES = {
    "folder": ("RESULT", "RunFolder", "claim", "folder_for", "open_folder"),
    "result": ("Account", "Attempt", "JobResult", "Outcome", "RunResult"),
}

__all__ = [
    "RESULT",
    "Account",
    "Attempt",
    "JobResult",
    "Outcome",
    "RunFolder",
    "RunResult",
    "claim",
    "folder_for",
    "open_folder",
]

__getattr__ = lazily(__name__, _HOMES)
