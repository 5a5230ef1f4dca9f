"""``akgflow doctor`` and ``akgflow cache``: what is here, what is missing, and what builds left."""

from __future__ import annotations

import re
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
        echo_json(found)
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
        echo_json({"folder": str(api.cache_folder()), "kinds": found})
        return
    for kind in found:
        echo(f"{kind.bytes / 1e6:10.1f} MB  {kind.files:7,} files  {kind.name}")
    echo(f"{sum(kind.bytes for kind in found) / 1e6:10.1f} MB in {api.cache_folder()}")


@cache_command.command("clean")
@click.option("--older-than", metavar="AGE", default="0s", help="Keep what is younger, such as 12h or 30d.")
@json_option
def clean_command(older_than: str, as_json: bool) -> None:
    """Remove builds. What is younger than ten minutes stays: a judgement may be using it."""
    age = _AGE.fullmatch(older_than)
    if age is None:
        raise click.BadParameter(f"{older_than!r} is no age: write 90m, 12h or 30d", param_hint="'--older-than'")
    freed = api.clean_cache(float(age[1]) * _SECONDS[age[2]])
    if as_json:
        echo_json({"folder": str(api.cache_folder()), "freed_bytes": freed})
    else:
        echo(f"{freed / 1e6:.1f} MB removed from {api.cache_folder()}")
