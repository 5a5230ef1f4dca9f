"""Plans, results and verdicts for people; nothing here changes or decides anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.reporting._console import console
    from akgflow.reporting.accounts import show_accounts
    from akgflow.reporting.entries import show_entries, show_entry
    from akgflow.reporting.matrices import show_matrix
    from akgflow.reporting.plans import show_plan
    from akgflow.reporting.progress import Detail, Progress
    from akgflow.reporting.results import show_result, show_verdict
    from akgflow.reporting.runs import show_run, show_run_facts, show_runs
    from akgflow.reporting.suites import show_comparison, show_recheck, show_score, show_suite_plan, suite_progress

_EXPORTS = {
    "_console": ("console",),
    "accounts": ("show_accounts",),
    "entries": ("show_entries", "show_entry"),
    "runs": ("show_run", "show_run_facts", "show_runs"),
    "matrices": ("show_matrix",),
    "plans": ("show_plan",),
    "progress": ("Detail", "Progress"),
    "results": ("show_result", "show_verdict"),
    "suites": ("show_comparison", "show_recheck", "show_score", "show_suite_plan", "suite_progress"),
}

__all__ = [
    "Detail",
    "Progress",
    "console",
    "show_accounts",
    "show_comparison",
    "show_entries",
    "show_entry",
    "show_matrix",
    "show_plan",
    "show_recheck",
    "show_result",
    "show_run",
    "show_run_facts",
    "show_runs",
    "show_score",
    "show_suite_plan",
    "show_verdict",
    "suite_progress",
]

__getattr__ = lazy_exports(__name__, _EXPORTS)
