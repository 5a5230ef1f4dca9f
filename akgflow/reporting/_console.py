"""Consoles: results on standard output, progress on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

PIPE_WIDTH = 160
"""Columns where the output is no terminal: wide enough that no table row is folded."""


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output); as wide as its terminal, or `PIPE_WIDTH`."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    # Kernels, compilers and paths write brackets of their own: nothing that is printed is markup.
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def say(out: Console, text: str | Text) -> None:
    """One line of prose, never folded: a path or a command must survive being copied."""
    out.print(text, soft_wrap=True)
