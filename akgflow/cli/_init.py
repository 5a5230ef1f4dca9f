"""``akgflow init``: a workspace to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.base.streams import echo


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init_command(directory: Path) -> None:
    """Make DIRECTORY a workspace: the shipped agents, hardware and tasks with their recordings, to edit."""
    api.init(directory)
    echo(f"{directory} is a workspace now; next: cd {directory} && akgflow run tasks/gemm_migrate.yaml")
