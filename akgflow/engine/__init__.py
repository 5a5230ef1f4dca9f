"""Running plans: bounded steps, effects that happen once, a folder that can be resumed."""

from akgflow.engine.accounts import accounts
from akgflow.engine.folder import RESULT, RunFolder, claim, folder_for, open_folder
from akgflow.engine.result import Account, Attempt, JobResult, Outcome, RunResult
from akgflow.engine.sitting import run_in_folder

__all__ = [
    "RESULT",
    "Account",
    "Attempt",
    "JobResult",
    "Outcome",
    "RunFolder",
    "RunResult",
    "accounts",
    "claim",
    "folder_for",
    "open_folder",
    "run_in_folder",
]
