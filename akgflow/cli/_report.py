"""``akgflow report``: a run or a suite as a page for a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, workspace_option


@click.command("report")
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; otherwise report.html in the run's folder.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@click.option("--serve", is_flag=True, help="Serve the page on loopback and follow the run, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of --serve; otherwise a free one.")
@workspace_option
@json_option
def report_command(
    run: str | None, output: Path | None, open_it: bool, serve: bool, port: int, workspace: Path | None, as_json: bool
) -> None:
    """Write a RUN as one HTML file: verdicts, speedups, the search, lineage, prompts and replies, money and time.

    RUN is its folder, or the folder's name; without it, the run of the workspace that was at work last. A suite, by
    folder or name, gives the page of its score, and a page for each of its runs. The file needs no network, and
    neither does the page that --serve shows of a run.
    """
    if serve:
        if output is not None:
            raise click.UsageError("--serve writes no file: leave --output out, or --serve")
        _serve(run, port, workspace, open_it, as_json)
        return
    path = api.report(run, output=output, workspace=workspace)
    if as_json:
        echo_json("report", {"file": path.resolve()})
    else:
        echo(f"wrote {path}")
    if open_it:
        _open(path.resolve().as_uri())


def _serve(run: str | None, port: int, workspace: Path | None, open_it: bool, as_json: bool) -> None:
    with api.report_server(run, port=port, workspace=workspace) as server:
        if as_json:
            echo_json("server", {"url": server.url})
        else:
            echo(f"{server.url} follows the run; Ctrl-C ends it")
        if open_it:
            _open(server.url)
        try:
            server.serve()
        except KeyboardInterrupt:
            echo("the page is served no longer", err=True)


def _open(url: str) -> None:
    if not webbrowser.open(url):
        echo(f"no browser could be started here: open {url} yourself", err=True)
