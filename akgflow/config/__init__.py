"""Strict YAML with positions -> validated -> frozen values."""

from akgflow.config._command_line import check_operator, parse_case
from akgflow.config._load import Loaded, find_root, list_tasks, load, load_all, load_tasks, load_workspace
from akgflow.config._problems import format_problem, suggest
from akgflow.config._schema import KINDS, schema_text
from akgflow.config.checks.operators import CallError, parse_call, parse_dimension
from akgflow.config.prompts.analysis import prompt_environment

__all__ = [
    "KINDS",
    "CallError",
    "Loaded",
    "check_operator",
    "find_root",
    "format_problem",
    "list_tasks",
    "load",
    "load_all",
    "load_tasks",
    "load_workspace",
    "parse_call",
    "parse_case",
    "parse_dimension",
    "prompt_environment",
    "schema_text",
    "suggest",
]
