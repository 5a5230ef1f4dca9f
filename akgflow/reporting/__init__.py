"""Plans, results and verdicts for people; nothing here changes or decides anything."""

from akgflow.reporting._console import console
from akgflow.reporting.accounts import show_accounts
from akgflow.reporting.entries import show_entries, show_entry
from akgflow.reporting.folders import Unfinished, read_run, show_run
from akgflow.reporting.plans import show_plan
from akgflow.reporting.progress import Progress
from akgflow.reporting.results import show_result, show_verdict

__all__ = [
    "Progress",
    "Unfinished",
    "console",
    "read_run",
    "show_accounts",
    "show_entries",
    "show_entry",
    "show_plan",
    "show_result",
    "show_run",
    "show_verdict",
]
