"""``akgflow cache``: where builds are kept, how large they are, and how to remove them."""

from __future__ import annotations

import re

import click

from akgflow import api
from akgflow.base.streams import echo
from akgflow.cli._options import echo_json, json_option

_AGE = re.compile(r"([0-9.]+) *([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


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
