"""Consoles: results on standard output, progress on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from akgflow.base.text import visible

PIPE_WIDTH = 160
"""Columns where the output is not a terminal and COLUMNS says nothing: wide enough that no table row is folded."""


class _Console(Console):
    """Prints what others wrote with everything written out that would steer the terminal."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Before its width is measured, so that columns fit."""
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Whatever the text came in: only rich's own control codes pass."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (standard output); as wide as its terminal, as COLUMNS says, or `PIPE_WIDTH`."""
    stream = stream or sys.stdout
    said = os.environ.get("COLUMNS", "")
    width = None if stream.isatty() or (said.isdecimal() and int(said) > 0) else PIPE_WIDTH
    # Kernels, compilers and paths write brackets of their own: nothing that is printed is markup.
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def say(out: Console, text: str | Text) -> None:
    """One line of prose, never folded: a path or a command must survive being copied."""
    out.print(text, soft_wrap=True)
