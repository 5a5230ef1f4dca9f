"""What people read: values as the text that the commands print, and the report of a run as a page."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akgflow import reporting
from akgflow.api.boundary import public
from akgflow.api.running import find_run
from akgflow.api.tasks import runs_folder
from akgflow.base.atomic import write_text
from akgflow.base.text import lines
from akgflow.knowledge import Entry
from akgflow.planning import Plan
from akgflow.reporting.html import run_page
from akgflow.runs import RunResult, Unfinished
from akgflow.runs.matrix import Matrix
from akgflow.suites import Recheck
from akgflow.verdict import Verdict

if TYPE_CHECKING:
    from akgflow.reporting.html.server import ReportServer

REPORT = "report.html"
"""The file in a run's folder, where no other is named."""
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


@public
def report(
    run: str | Path | None = None, *, output: str | Path | None = None, workspace: str | Path | None = None
) -> Path:
    """Write a run's report as one HTML file that asks no network for anything; returns its path.

    ``run`` is as `read_run` takes it, finished or not. Without ``output`` the file is ``report.html`` in its folder.
    Raises `ConfigError` where there is no such run, `DamagedRun` where what it holds cannot be read.
    """
    folder = find_run(run, runs_folder(workspace))
    path = folder / REPORT if output is None else Path(output)
    write_text(path, run_page(folder))
    return path


@public
def report_server(run: str | Path | None = None, *, port: int = 0, workspace: str | Path | None = None) -> ReportServer:
    """A server on loopback whose page follows the run: print its ``url`` and call ``serve()``.

    It is a context manager, which frees the port. Raises what `report` does, and `ConfigError` for a port in use.
    """
    from akgflow.reporting.html.server import ReportServer

    return ReportServer(find_run(run, runs_folder(workspace)), port)
