"""``akgflow doctor``, ``cache`` and ``runs``: what is here, what is missing, and what builds and runs left."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, workspace_option
from akgflow.errors import ExitCode

_AGE = re.compile(r"([0-9.]+) *([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@click.command("doctor")
@click.option("--canaries", is_flag=True, help="Also try the judge with kernels whose verdict is known.")
@workspace_option
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, canaries: bool, workspace: Path | None, as_json: bool) -> None:
    """Say what is installed, which devices are here, which provider is set, and what is missing."""
    found = api.examine(workspace, canaries=canaries)
    if as_json:
        echo_json("doctor", {"checks": found})
    else:
        for check in found:
            mark = "ok     " if check.ok else ("missing" if check.needed else "-      ")
            echo(f"{mark}  {check.name:<24} {check.detail}{': ' + check.hint if check.hint else ''}")
    ctx.exit(ExitCode.DONE if all(check.ok or not check.needed for check in found) else ExitCode.PREREQUISITE)


@click.group("cache")
def cache_command() -> None:
    """Look after the cache of builds. Everything in it is made again when it is needed."""


@cache_command.command("dir")
def dir_command() -> None:
    """Print the cache's folder; AKGFLOW_CACHE names another."""
    echo(str(api.cache_folder()))


@cache_command.command("size")
@json_option
def size_command(as_json: bool) -> None:
    """Show what the cache holds, by kind."""
    found = api.cache_contents()
    if as_json:
        echo_json("cache", {"folder": str(api.cache_folder()), "kinds": found})
        return
    for kind in found:
        echo(f"{kind.bytes / 1e6:10.1f} MB  {kind.files:7,} files  {kind.name}")
    echo(f"{sum(kind.bytes for kind in found) / 1e6:10.1f} MB in {api.cache_folder()}")


@cache_command.command("clean")
@click.option("--older-than", metavar="AGE", default="0s", help="Keep what is younger, such as 12h or 30d.")
@json_option
def clean_command(older_than: str, as_json: bool) -> None:
    """Remove builds. What is younger than ten minutes stays: a judgement may be using it."""
    freed = api.clean_cache(_seconds(older_than))
    if as_json:
        echo_json("cache_cleaned", {"folder": str(api.cache_folder()), "freed_bytes": freed})
    else:
        echo(f"{freed / 1e6:.1f} MB removed from {api.cache_folder()}")


def _seconds(text: str) -> float:
    age = _AGE.fullmatch(text)
    if age is None:
        raise click.BadParameter(f"{text!r} is no age: write 90m, 12h or 30d", param_hint="'--older-than'")
    return float(age[1]) * _SECONDS[age[2]]


@click.group("runs")
def runs_command() -> None:
    """Look after the runs and suites of the workspace. runs.folder in agents.yaml says where they go."""


@runs_command.command("list")
@workspace_option
@json_option
def list_command(workspace: Path | None, as_json: bool) -> None:
    """List them with age and size, the one at work last first."""
    from akgflow.reporting import console, show_runs

    found, folder = api.list_runs(workspace=workspace), api.runs_folder(workspace)
    if as_json:
        echo_json("runs", {"folder": str(folder), "runs": found})
    else:
        show_runs(found, folder, console())


@runs_command.command("show")
@click.argument("run")
@workspace_option
@json_option
def show_command(run: str, workspace: Path | None, as_json: bool) -> None:
    """Show age and size of RUN, a folder or a name, and what its verdicts depended on (its run.lock)."""
    from akgflow.reporting import console, show_run_facts

    found = api.run_facts(run, workspace=workspace)
    if as_json:
        echo_json("run", found)
    else:
        show_run_facts(found, console())


@runs_command.command("clean")
@click.argument("names", metavar="[NAME…]", nargs=-1)
@click.option("--older-than", metavar="AGE", help="Those that were at work last so long ago, such as 12h or 30d.")
@click.option("-y", "--yes", is_flag=True, help="Remove them without a question.")
@workspace_option
@json_option
@click.pass_context
def clean_runs_command(
    ctx: click.Context,
    names: tuple[str, ...],
    older_than: str | None,
    yes: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Remove runs and suites by NAME, by age, or those of the names that are that old; none that is at work."""
    from akgflow.reporting import console, show_runs
    from akgflow.reporting.phrases import megabytes

    age = None if older_than is None else _seconds(older_than)
    some = api.runs_to_clean(*names, older_than=age, workspace=workspace)
    if some and not yes:
        if as_json or not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked: give --yes to remove runs for good")
        show_runs(some, api.runs_folder(workspace), console())
        if not click.confirm("Remove them for good?"):
            echo("nothing was removed")
            return
    found = api.clean_runs(*(one.name for one in some), older_than=age or 0.0, workspace=workspace) if some else None
    left = found.left if found else {}
    if as_json:
        echo_json("runs_cleaned", {"removed": found.removed if found else (), "left": left})
    else:
        for name, reason in left.items():
            echo(f"left: {name}: {reason}")
        count, freed = (len(found.removed), found.bytes) if found else (0, 0)
        echo(f"{count} removed, {megabytes(freed)}")
    ctx.exit(ExitCode.CONFIG if left and names else ExitCode.DONE)
