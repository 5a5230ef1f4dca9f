"""Strict YAML with positions -> validated -> frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.config._command_line import (
        check_backward,
        check_baseline,
        check_candidate,
        check_cases,
        check_dtype,
        check_framework,
        check_layouts,
        check_mode,
        check_name,
        check_operator,
        check_precision,
        check_prepare,
        check_shapes,
        check_target,
        parse_cases,
        read_text,
        runs_folder,
    )
    from akgflow.config._files import Unreadable, read_bytes
    from akgflow.config._load import (
        Loaded,
        find_root,
        list_tasks,
        load,
        load_all,
        load_tasks,
        load_workspace,
        workspace_of,
    )
    from akgflow.config._problems import format_problem, nearest, suggest
    from akgflow.config._schema import KINDS, schema_text
    from akgflow.config._suites import Member, Suite, Unfit, find_suite, load_suite
    from akgflow.config.checks.operators import CallError, parse_call, parse_dimension

_EXPORTS = {
    "_command_line": (
        "check_backward",
        "check_baseline",
        "check_candidate",
        "check_cases",
        "check_dtype",
        "check_framework",
        "check_layouts",
        "check_mode",
        "check_name",
        "check_operator",
        "check_precision",
        "check_prepare",
        "check_shapes",
        "check_target",
        "parse_cases",
        "read_text",
        "runs_folder",
    ),
    "_files": ("Unreadable", "read_bytes"),
    "_load": (
        "Loaded",
        "find_root",
        "list_tasks",
        "load",
        "load_all",
        "load_tasks",
        "load_workspace",
        "workspace_of",
    ),
    "_problems": ("format_problem", "nearest", "suggest"),
    "_schema": ("KINDS", "schema_text"),
    "_suites": ("Member", "Suite", "Unfit", "find_suite", "load_suite"),
    "checks.operators": ("CallError", "parse_call", "parse_dimension"),
}
__getattr__ = lazy_exports(__name__, _EXPORTS)

__all__ = [
    "KINDS",
    "CallError",
    "Loaded",
    "Member",
    "Suite",
    "Unfit",
    "Unreadable",
    "check_backward",
    "check_baseline",
    "check_candidate",
    "check_cases",
    "check_dtype",
    "check_framework",
    "check_layouts",
    "check_mode",
    "check_name",
    "check_operator",
    "check_precision",
    "check_prepare",
    "check_shapes",
    "check_target",
    "find_root",
    "find_suite",
    "format_problem",
    "list_tasks",
    "load",
    "load_all",
    "load_suite",
    "load_tasks",
    "load_workspace",
    "nearest",
    "parse_call",
    "parse_cases",
    "parse_dimension",
    "read_bytes",
    "read_text",
    "runs_folder",
    "schema_text",
    "suggest",
    "workspace_of",
]
