"""``akgflow init``: a workspace to begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from akgflow.base import resources
from akgflow.base.streams import echo
from akgflow.errors import ConfigError


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init_command(directory: Path) -> None:
    """Make DIRECTORY a workspace: the shipped agents, hardware and tasks with their recordings, to edit."""
    names = ("agents.yaml", "hardware.yaml", "schemas", "tasks")
    taken = [name for name in names if (directory / name).exists()]
    if taken:
        raise ConfigError(f"{directory} already holds {', '.join(taken)}: nothing was written; name another folder")
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = resources.defaults() / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, directory / name)
    echo(f"{directory} is a workspace now; next: cd {directory} && akgflow run tasks/gemm_migrate.yaml")
