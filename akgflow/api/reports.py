"""The report of a run: one HTML file, or a page on loopback that follows the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from akgflow.api.boundary import public
from akgflow.api.running import find_run
from akgflow.api.tasks import runs_folder
from akgflow.base.atomic import write_text
from akgflow.reporting.html import run_page

if TYPE_CHECKING:
    from akgflow.reporting.html.server import ReportServer

REPORT = "report.html"
"""The file in a run's folder, where no other is named."""


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
