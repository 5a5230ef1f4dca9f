"""Running plans: bounded steps, effects that happen once, a folder that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.lazily import lazily

if TYPE_CHECKING:
    from akgflow.engine.folder import RESULT, RunFolder, claim, folder_for, open_folder
    from akgflow.engine.result import Account, Attempt, JobResult, Outcome, RunResult
    from akgflow.engine.sitting import run_in_folder

_HOMES = {
    "folder": ("RESULT", "RunFolder", "claim", "folder_for", "open_folder"),
    "result": ("Account", "Attempt", "JobResult", "Outcome", "RunResult"),
    "sitting": ("run_in_folder",),
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
    "run_in_folder",
]

__getattr__ = lazily(__name__, _HOMES)
