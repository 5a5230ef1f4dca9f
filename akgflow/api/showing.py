"""What people read: values as the text that the commands print, and the report of a run as a page."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from akgflow import reporting
from akgflow.api.boundary import public
from akgflow.api.running import find_run
from akgflow.api.suites import find_suite_or_run
from akgflow.api.tasks import runs_folder
from akgflow.base.atomic import write_text
from akgflow.base.text import lines
from akgflow.errors import ConfigError
from akgflow.knowledge import Entry
from akgflow.planning import Plan
from akgflow.reporting.html import Link, comparison_page, run_page, suite_page
from akgflow.runs import RunResult, Unfinished
from akgflow.runs.layout import JOURNAL, PLAN, RESULT
from akgflow.runs.matrix import Matrix
from akgflow.suites import Comparison, Recheck, is_suite_folder
from akgflow.suites.folder import runs_of
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
    """Write the report of a run or a suite as one HTML file that asks no network for anything; returns its path.

    ``run`` is as `read_run` takes it, or a suite as `score` takes it, finished or not. Without ``output`` the file is
    ``report.html`` in its folder. A suite's page leads to those of its runs, which are written where they are missing
    or older than the run. Raises `ConfigError` where there is no such run, `DamagedRun` where what it holds cannot be
    read.
    """
    folder = _find(run, workspace)
    path = folder / REPORT if output is None else Path(output)
    if is_suite_folder(folder):
        for one in runs_of(folder):
            if _is_outdated(one):
                write_text(one / REPORT, run_page(one))
        write_text(path, suite_page(folder, _links_from(path)))
    else:
        write_text(path, run_page(folder))
    return path


@public
def report_comparison(found: Comparison, output: str | Path) -> Path:
    """Write what changed between two suites or runs as one HTML file; it leads to the pages of the runs, if any."""
    path = Path(output)
    write_text(path, comparison_page(found, _links_from(path)))
    return path


def _find(run: str | Path | None, workspace: str | Path | None) -> Path:
    """The folder of a run or a suite; without a name, of the run that was at work last."""
    runs = runs_folder(workspace)
    return find_run(run, runs) if run is None else find_suite_or_run(run, runs)


def _is_outdated(run: Path) -> bool:
    """True where a run has no page, or went on since."""
    page = run / REPORT
    files = [file for name in (PLAN, JOURNAL, RESULT) if (file := run / name).is_file()]
    return bool(files) and not (page.is_file() and all(page.stat().st_mtime > one.stat().st_mtime for one in files))


def _links_from(page: Path) -> Link:
    """Addresses of runs in ``page``: relative, so that a folder that is moved as a whole keeps them."""

    def link(run: Path) -> str:
        target = run / REPORT if (run / REPORT).is_file() else run
        return quote(os.path.relpath(target.resolve(), page.resolve().parent))

    return link


@public
def report_server(run: str | Path | None = None, *, port: int = 0, workspace: str | Path | None = None) -> ReportServer:
    """A server on loopback whose page follows the run: print its ``url`` and call ``serve()``.

    It is a context manager, which frees the port. Raises what `report` does, and `ConfigError` for a port in use.
    """
    from akgflow.reporting.html.server import ReportServer

    folder = _find(run, workspace)
    if is_suite_folder(folder):
        raise ConfigError(
            f"{folder} is a suite's: its page is written and not served; name one of its runs, {folder.name}/problems/…"
        )
    return ReportServer(folder, port)
