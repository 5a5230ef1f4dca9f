"""Strict YAML with positions -> validated -> frozen values."""

from akgflow.config._command_line import (
    check_baseline,
    check_candidate,
    check_cases,
    check_dtype,
    check_framework,
    check_mode,
    check_name,
    check_operator,
    check_precision,
    check_shapes,
    check_target,
    parse_cases,
    read_text,
)
from akgflow.config._files import Unreadable, read_bytes
from akgflow.config._load import Loaded, find_root, list_tasks, load, load_all, load_tasks, load_workspace, workspace_of
from akgflow.config._problems import format_problem, nearest, suggest
from akgflow.config._schema import KINDS, schema_text
from akgflow.config.checks.operators import CallError, parse_call, parse_dimension
from akgflow.config.python_text import PythonError, definitions, parse_python

__all__ = [
    "KINDS",
    "CallError",
    "Loaded",
    "PythonError",
    "Unreadable",
    "check_baseline",
    "check_candidate",
    "check_cases",
    "check_dtype",
    "check_framework",
    "check_mode",
    "check_name",
    "check_operator",
    "check_precision",
    "check_shapes",
    "check_target",
    "definitions",
    "find_root",
    "format_problem",
    "list_tasks",
    "load",
    "load_all",
    "load_tasks",
    "load_workspace",
    "nearest",
    "parse_call",
    "parse_cases",
    "parse_dimension",
    "parse_python",
    "read_bytes",
    "read_text",
    "schema_text",
    "suggest",
    "workspace_of",
]
