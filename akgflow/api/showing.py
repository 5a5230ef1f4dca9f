"""Values as the text that the commands print."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

from akgflow import reporting
from akgflow.base.text import lines
from akgflow.knowledge import Entry
from akgflow.planning import Plan
from akgflow.runs import RunResult, Unfinished
from akgflow.runs.matrix import Matrix
from akgflow.suites import Recheck
from akgflow.verdict import Verdict

Showable = Plan | RunResult | Unfinished | Verdict | Matrix | Entry | Recheck
_TABLES: Mapping[type, Callable[[Any, Any], None]] = {
    Plan: reporting.show_plan,
    RunResult: reporting.show_run,
    Unfinished: reporting.show_run,
    Verdict: reporting.show_verdict,
    Matrix: reporting.show_matrix,
    Entry: reporting.show_entry,
    Recheck: reporting.show_recheck,
}


def show(value: Showable) -> str:
    """The table that the command for such a value prints, without colour."""
    text = io.StringIO()
    _TABLES[type(value)](value, reporting.console(text))
    return "\n".join(line.rstrip() for line in lines(text.getvalue())).strip("\n")
