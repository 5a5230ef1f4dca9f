"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from akgflow.base.serial import to_json
from akgflow.base.streams import echo

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

workspace_option: Decorator = click.option(
    "-w",
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The workspace; otherwise the nearest folder above the task that holds agents.yaml, hardware.yaml or tasks/.",
)
set_option: Decorator = click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Override a value, such as budget.usd=1 or models.default.model=openai/gpt-5; checked like the files.",
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def echo_json(value: Any) -> None:
    """A value as indented JSON on standard output."""
    echo(to_json(value, indent=2, ascii_only=True))
