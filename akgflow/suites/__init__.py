"""Many problems as one: a plan, one budget, resumable runs, a score, and what changed between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.suites.cells import Cell, Scored, read_scored
    from akgflow.suites.comparison import Comparison, FailOn, compare
    from akgflow.suites.folder import SuiteFolder, is_suite_folder, suite_folder, suites_in
    from akgflow.suites.plan import Likely, SuitePlan, likely_of, plan_suite
    from akgflow.suites.rechecking import Recheck, Rechecked
    from akgflow.suites.run import SuiteResult, SuiteStanding, run_suite
    from akgflow.suites.scoring import Figure, Group, Score, score
    from akgflow.suites.trace import trace_lines

_EXPORTS = {
    "cells": ("Cell", "Scored", "read_scored"),
    "comparison": ("Comparison", "FailOn", "compare"),
    "folder": ("SuiteFolder", "is_suite_folder", "suite_folder", "suites_in"),
    "plan": ("Likely", "SuitePlan", "likely_of", "plan_suite"),
    "rechecking": ("Recheck", "Rechecked"),
    "run": ("SuiteStanding", "SuiteResult", "run_suite"),
    "scoring": ("Figure", "Group", "Score", "score"),
    "trace": ("trace_lines",),
}

__all__ = [
    "Cell",
    "Comparison",
    "FailOn",
    "Figure",
    "Group",
    "Likely",
    "Recheck",
    "Rechecked",
    "Score",
    "Scored",
    "SuiteFolder",
    "SuitePlan",
    "SuiteResult",
    "SuiteStanding",
    "compare",
    "is_suite_folder",
    "likely_of",
    "plan_suite",
    "read_scored",
    "run_suite",
    "score",
    "suite_folder",
    "suites_in",
    "trace_lines",
]

__getattr__ = lazy_exports(__name__, _EXPORTS)
