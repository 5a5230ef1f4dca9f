"""The folder in which an agent works: its task, its candidate, and what asks the judge."""

from __future__ import annotations

import json
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from akgflow.base.atomic import write_text
from akgflow.engine.agentic import verify
from akgflow.engine.agentic.verify import SOCKET
from akgflow.verification.sandbox.untrusted_files import remove

TASK, CANDIDATE, VERIFY, MCP = "TASK.md", "candidate.py", "verify", ".mcp.json"
SERVER = "akgflow.mcp.judge"
"""The module of the MCP server; it asks through the script."""


def has_mcp() -> bool:
    """Whether the SDK of the Model Context Protocol is installed in the version that the server needs."""
    return find_spec("mcp_types") is not None


def prepare(folder: Path, task: str, candidate: str) -> None:
    """Write what an agent needs; a candidate that is there from an interrupted session of it stays."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name in (TASK, VERIFY, MCP, SOCKET):
        _take_away(folder / name)
    if candidate and not os.path.lexists(folder / CANDIDATE):
        write_text(folder / CANDIDATE, candidate)
    write_text(folder / TASK, task)
    write_text(folder / VERIFY, _script())
    (folder / VERIFY).chmod(0o755)
    if has_mcp():
        server = {"command": sys.executable, "args": ["-P", "-m", SERVER, str(folder)]}
        write_text(folder / MCP, json.dumps({"mcpServers": {"akgflow": server}}, indent=2) + "\n")


def _take_away(path: Path) -> None:
    """Remove what an agent left in our place: links, pipes and folders, too."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        remove(path)


def _script() -> str:
    """A script for a shell and Python at once: the first line of a script has no room for every path of a Python."""
    text = Path(verify.__file__).read_text(encoding="utf-8")
    return f"#!/bin/sh\n''''exec {shlex.quote(sys.executable)} -IS \"$0\" \"$@\" # '''\n{text}"
