"""What akgflow can do, as functions: the commands and the MCP server call them, and `import akgflow` offers them.

Nothing here prints or exits. Errors are those of `akgflow.errors`. Every function can be called from any thread, and
from a notebook, where an event loop is running already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.agents import describe
    from akgflow.api.documents import DOCUMENTS, document_schema
    from akgflow.api.exporting import export_candidate, export_kernel
    from akgflow.api.importing import ImportedProblems, import_problems
    from akgflow.api.judging import Question, matrix, verify
    from akgflow.api.kernels import (
        Added,
        add_candidate,
        add_candidates,
        add_run,
        export_entries,
        forget_entries,
        import_entries,
        open_store,
    )
    from akgflow.api.rechecking import recheck
    from akgflow.api.reproducing import Shown, reproduce
    from akgflow.api.running import is_finished, read_run, run, run_folder
    from akgflow.api.setup import (
        cache_contents,
        cache_folder,
        clean_cache,
        clean_runs,
        examine,
        init,
        list_runs,
        run_facts,
        runs_to_clean,
    )
    from akgflow.api.showing import report, report_comparison, report_server, show
    from akgflow.api.suites import bench, compare, load_suite, plan_suite, score, shapes_in, trace, unreachable_in
    from akgflow.api.tasks import (
        answered_by,
        is_suite,
        likely,
        list_tasks,
        load,
        load_workspace,
        plan,
        runs_folder,
        shapes,
        sizes,
        unreachable,
        validate,
        workspace_root,
    )
    from akgflow.config import KINDS, Loaded, Suite, format_problem, schema_text, suggest
    from akgflow.config.types import Task, Workspace
    from akgflow.doctor import Check
    from akgflow.errors import (
        AkgflowError,
        BudgetError,
        ConfigError,
        ExitCode,
        MachineExhausted,
        PathError,
        PrerequisiteError,
        UntrustedJudge,
    )
    from akgflow.export import Exported
    from akgflow.formats import FORMATS
    from akgflow.knowledge import Entry, Store
    from akgflow.models.local.inbox import Inbox, Waiting
    from akgflow.planning import Plan, digest
    from akgflow.runs import JobResult, Outcome, RunResult, Unfinished
    from akgflow.runs.matrix import Matrix
    from akgflow.suites import Comparison, FailOn, Recheck, Score, SuitePlan, SuiteResult, SuiteStanding
    from akgflow.terms import Evidence, Status
    from akgflow.verdict import Verdict

_EXPORTS = {
    "agents": ("describe",),
    "api.documents": ("DOCUMENTS", "document_schema"),
    "api.exporting": ("export_candidate", "export_kernel"),
    "api.importing": ("ImportedProblems", "import_problems"),
    "api.judging": ("Question", "matrix", "verify"),
    "api.kernels": (
        "Added",
        "add_candidate",
        "add_candidates",
        "add_run",
        "export_entries",
        "forget_entries",
        "import_entries",
        "open_store",
    ),
    "api.rechecking": ("recheck",),
    "api.reproducing": ("Shown", "reproduce"),
    "api.running": ("is_finished", "read_run", "run", "run_folder"),
    "api.setup": (
        "cache_contents",
        "cache_folder",
        "clean_cache",
        "clean_runs",
        "examine",
        "init",
        "list_runs",
        "run_facts",
        "runs_to_clean",
    ),
    "api.showing": ("report", "report_comparison", "report_server", "show"),
    "api.suites": ("bench", "compare", "load_suite", "plan_suite", "score", "shapes_in", "trace", "unreachable_in"),
    "api.tasks": (
        "answered_by",
        "is_suite",
        "likely",
        "list_tasks",
        "load",
        "load_workspace",
        "plan",
        "runs_folder",
        "shapes",
        "sizes",
        "unreachable",
        "validate",
        "workspace_root",
    ),
    "config": ("KINDS", "Loaded", "Suite", "format_problem", "schema_text", "suggest"),
    "config.types": ("Task", "Workspace"),
    "doctor": ("Check",),
    "errors": (
        "AkgflowError",
        "BudgetError",
        "ConfigError",
        "ExitCode",
        "MachineExhausted",
        "PathError",
        "PrerequisiteError",
        "UntrustedJudge",
    ),
    "export": ("Exported",),
    "formats": ("FORMATS",),
    "knowledge": ("Entry", "Store"),
    "models.local.inbox": ("Inbox", "Waiting"),
    "planning": ("Plan", "digest"),
    "runs": ("JobResult", "Outcome", "RunResult", "Unfinished"),
    "runs.matrix": ("Matrix",),
    "suites": ("Comparison", "FailOn", "Recheck", "Score", "SuitePlan", "SuiteResult", "SuiteStanding"),
    "terms": ("Evidence", "Status"),
    "verdict": ("Verdict",),
}

__all__ = [
    "DOCUMENTS",
    "FORMATS",
    "KINDS",
    "Added",
    "AkgflowError",
    "BudgetError",
    "Check",
    "Comparison",
    "ConfigError",
    "Entry",
    "Evidence",
    "ExitCode",
    "Exported",
    "FailOn",
    "ImportedProblems",
    "Inbox",
    "JobResult",
    "Loaded",
    "MachineExhausted",
    "Matrix",
    "Outcome",
    "PathError",
    "Plan",
    "PrerequisiteError",
    "Question",
    "Recheck",
    "RunResult",
    "Score",
    "Shown",
    "Status",
    "Store",
    "Suite",
    "SuitePlan",
    "SuiteResult",
    "SuiteStanding",
    "Task",
    "Unfinished",
    "UntrustedJudge",
    "Verdict",
    "Waiting",
    "Workspace",
    "add_candidate",
    "add_candidates",
    "add_run",
    "answered_by",
    "bench",
    "cache_contents",
    "cache_folder",
    "clean_cache",
    "clean_runs",
    "compare",
    "describe",
    "digest",
    "document_schema",
    "examine",
    "export_candidate",
    "export_entries",
    "export_kernel",
    "forget_entries",
    "format_problem",
    "import_entries",
    "import_problems",
    "init",
    "is_finished",
    "is_suite",
    "likely",
    "list_runs",
    "list_tasks",
    "load",
    "load_suite",
    "load_workspace",
    "matrix",
    "open_store",
    "plan",
    "plan_suite",
    "read_run",
    "recheck",
    "report",
    "report_comparison",
    "report_server",
    "reproduce",
    "run",
    "run_facts",
    "run_folder",
    "runs_folder",
    "runs_to_clean",
    "schema_text",
    "score",
    "shapes",
    "shapes_in",
    "show",
    "sizes",
    "suggest",
    "trace",
    "unreachable",
    "unreachable_in",
    "validate",
    "verify",
    "workspace_root",
]

if not TYPE_CHECKING:  # a type checker that saw it would take every name for one that is there
    __getattr__ = lazy_exports("akgflow", _EXPORTS)
