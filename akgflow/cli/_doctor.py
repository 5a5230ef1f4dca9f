"""``akgflow doctor``: what is here, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option, workspace_option
from akgflow.errors import ExitCode


@click.command("doctor")
@click.option("--canaries", is_flag=True, help="Also try the judge with kernels whose verdict is known.")
@workspace_option
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, canaries: bool, workspace: Path | None, as_json: bool) -> None:
    """Say what is installed, which devices are here, which provider is set, and what is missing."""
    found = api.examine(workspace, canaries=canaries)
    if as_json:
        echo_json(found)
    else:
        for check in found:
            mark = "ok     " if check.ok else ("missing" if check.needed else "-      ")
            echo(f"{mark}  {check.name:<24} {check.detail}{': ' + check.hint if check.hint else ''}")
    ctx.exit(ExitCode.DONE if all(check.ok or not check.needed for check in found) else ExitCode.PREREQUISITE)
