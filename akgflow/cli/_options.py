"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from akgflow.base.serial import document, to_json
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


def task_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Short forms of what is overridden most in a task; they come before what ``--set`` says."""

    @wraps(command)
    def called(
        model: str | None, dsls: tuple[str, ...], targets: tuple[str, ...], budget: str | None, **given: Any
    ) -> Any:
        short = [] if model is None else [f"models.default.model={model}"]
        short += [f"matrix.{name}=[{', '.join(some)}]" for name, some in (("dsl", dsls), ("target", targets)) if some]
        short += [] if budget is None else _budget(budget)
        return command(**given | {"overrides": (*short, *given["overrides"])})

    made: Callable[..., Any] = called
    for option in reversed(_TASK_OPTIONS):
        made = option(made)
    return made


def progress_options(quiet: str, verbose: str) -> Decorator:
    """How much is told of work that goes on, which the command gets as ``detail`` and ``live``.

    ``quiet`` and ``verbose`` are the help of those options.
    """

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("-q", "--quiet", is_flag=True, help=quiet)
        @click.option("-v", "--verbose", is_flag=True, help=verbose)
        @click.option("--progress/--no-progress", "live", default=True, help="Show a live display on a terminal.")
        @wraps(command)
        def called(quiet: bool, verbose: bool, **given: Any) -> Any:
            from akgflow.reporting import Detail

            if quiet and verbose:
                raise click.UsageError("give either --quiet or --verbose")
            return command(detail=Detail.QUIET if quiet else Detail.VERBOSE if verbose else Detail.NORMAL, **given)

        return called

    return decorated


_TASK_OPTIONS: tuple[Decorator, ...] = (
    click.option("--model", metavar="NAME", help="The model that agents ask by default, such as openai/gpt-5."),
    click.option("--dsl", "dsls", multiple=True, help="Only this DSL; may be given several times."),
    click.option("--target", "targets", multiple=True, help="Only this target; may be given several times."),
    click.option(
        "--budget",
        metavar="$2,400k,30min",
        help="Ceilings, one or several: $2 (or 2usd), 400k (tokens), 30min, 10device-min.",
    ),
)
_CEILINGS = (
    (re.compile(r"\$([0-9.]+)|([0-9.]+) *usd", re.IGNORECASE), "usd"),
    (re.compile(r"([0-9.]+) *device[- ]?min(?:utes?)?", re.IGNORECASE), "device_minutes"),
    (re.compile(r"([0-9.]+) *min(?:utes?)?", re.IGNORECASE), "minutes"),
    (re.compile(r"([0-9.]+[kM]?)(?: *tokens)?"), "tokens"),
)


def _budget(text: str) -> list[str]:
    found = []
    for part in map(str.strip, text.split(",")):
        named = next(((name, match) for form, name in _CEILINGS if (match := form.fullmatch(part))), None)
        if named is None:
            raise click.BadParameter(
                f"{part!r} is no ceiling: write $2 (or 2usd), 400k (tokens), 30min or 10device-min",
                param_hint="'--budget'",
            )
        found.append(f"budget.{named[0]}={next(filter(None, named[1].groups()))}")
    return found


def echo_json(name: str, value: Any) -> None:
    """A document as indented JSON on standard output; ``value`` has the fields that `api.DOCUMENTS` gives it."""
    echo(to_json(document(name, value), indent=2, ascii_only=True))
