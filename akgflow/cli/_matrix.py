"""``akgflow matrix``: what is known of a task's kernels on every target."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from akgflow.cli._options import echo_json, json_option, set_option, workspace_option
from akgflow.config import Loaded, check_dtype, load, read_text, suggest
from akgflow.errors import ConfigError

if TYPE_CHECKING:
    from akgflow.engine.matrix import Wanted
    from akgflow.runs.matrix import Matrix


@click.command("matrix")
@click.argument("task")
@click.option(
    "--run", "run", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Else the latest run."
)
@click.option("--judge", is_flag=True, help="Judge the run's best kernels again, on this machine.")
@click.option("--candidate", "candidates", multiple=True, metavar="DSL=FILE", help="Judge these kernels instead.")
@click.option("--target", "targets", multiple=True, help="Judge for these targets; else the task's.")
@click.option("--dtype", "dtypes", multiple=True, help="Judge in these dtypes; else the task's.")
@click.option("--time/--no-time", default=True, help="Time what is judged where it is executed.")
@workspace_option
@set_option
@json_option
@click.pass_context
def matrix_command(
    ctx: click.Context,
    task: str,
    run: Path | None,
    judge: bool,
    candidates: tuple[str, ...],
    targets: tuple[str, ...],
    dtypes: tuple[str, ...],
    time: bool,
    workspace: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show DSL x target x shape x dtype for the best kernels of TASK's latest run, or for kernels that you name.

    Exits 0 when every cell that can hold a kernel holds a right one.
    """
    from akgflow.engine.matrix import Wanted
    from akgflow.reporting import console, show_matrix
    from akgflow.runs.matrix import best_of_run, latest_run, of_run

    loaded = load(task, root=workspace, overrides=overrides)
    for name in targets:
        _known("target", name, loaded.workspace.targets)
    aims = targets or loaded.task.targets
    numbers = tuple(map(check_dtype, dtypes)) or (loaded.task.dtype,)
    if candidates:
        texts = dict(_candidate(text, loaded) for text in candidates)
        kernels = {(dsl, target): text for dsl, text in texts.items() for target in aims}
        matrix = _judged(loaded, Wanted(kernels, tuple(texts), aims, numbers, time))
    else:
        folder = run or latest_run(loaded.task, loaded.workspace.root / "runs")
        matrix = of_run(loaded.task, folder)
        if judge or targets or dtypes:
            matrix = _judged(loaded, Wanted(best_of_run(folder), loaded.task.dsls, aims, numbers, time))
    if as_json:
        echo_json(matrix)
    else:
        show_matrix(matrix, console())
    ctx.exit(matrix.exit_code)


def _candidate(text: str, loaded: Loaded) -> tuple[str, str]:
    dsl, equals, name = text.partition("=")
    if not equals:
        raise click.UsageError("a candidate is DSL=FILE, for example --candidate triton=kernel.py")
    _known("DSL", dsl, loaded.workspace.dsls)
    return dsl, read_text(Path(name), "the candidate")


def _known(kind: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ConfigError(f"there is no {kind} {name!r}: {suggest(name, known)}")


def _judged(loaded: Loaded, wanted: Wanted) -> Matrix:
    from akgflow.engine.matrix import Judging
    from akgflow.executors.availability import Availability
    from akgflow.executors.once import temporary_executor
    from akgflow.machine import detect

    machine = detect()

    async def answers() -> Matrix:
        async with temporary_executor(machine) as executor:
            availability = Availability(machine, loaded.workspace)
            return await Judging(loaded.task, loaded.workspace, availability, executor, wanted).matrix()

    return asyncio.run(answers())
