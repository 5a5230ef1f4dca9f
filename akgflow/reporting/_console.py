"""Consoles: results on standard output, progress on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

PIPE_WIDTH = 160
"""Columns where the output is no terminal: wide enough that no table row is folded."""


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output); as wide as its terminal, or `PIPE_WIDTH`."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)
