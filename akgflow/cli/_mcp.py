"""``akgflow mcp``: the tools of akgflow for an agent in an editor."""

from __future__ import annotations

from pathlib import Path

import click

from akgflow import api
from akgflow.cli._options import workspace_option


@click.command("mcp")
@workspace_option
@click.option(
    "--inbox",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the prompts of manual runs appear; manual in the folder of the workspace's runs without it.",
)
def mcp_command(workspace: Path | None, inbox: Path | None) -> None:
    """Serve an agent over MCP on standard input and output: plan, run, next_prompt, answer, verify, show."""
    from akgflow.mcp import serve

    root = api.workspace_root(workspace).absolute()
    serve(root, (inbox or api.runs_folder(root) / "manual").absolute())
