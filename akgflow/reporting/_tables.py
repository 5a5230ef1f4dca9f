"""Tables that fit: a row a line where the columns have room, otherwise a block of lines for each row."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from akgflow.base.text import lines
from akgflow.reporting._console import say

Value = str | Text
WHOLE = 24
"""Columns of text: a value no longer than this is never folded, and prose has at least so much room."""
_BETWEEN, _EDGES = 3, 2
"""What the lines of a table take beside its columns."""
_INDENT = "    "


@dataclass(frozen=True)
class Row:
    """One row; ``apart`` draws a line before it."""

    values: Sequence[Value]
    style: str = ""
    apart: bool = False


def show_table(
    names: Sequence[str],
    rows: Sequence[Row],
    out: Console,
    *,
    heads: int = 1,
    merged: int = 0,
    right: Sequence[str] = (),
) -> None:
    """Print ``rows`` under ``names``, without the columns that are empty.

    A block begins with the first ``heads`` values, which name the row. In a table the first ``merged`` values are left
    out where the row before has them all. Columns of the names ``right`` hold numbers.
    """
    kept = [i for i, _ in enumerate(names) if i < heads or any(_plain(row.values[i]) for row in rows)]
    widths = {i: max([cell_len(names[i]), *(_width(row.values[i]) for row in rows)]) for i in kept}
    least = {i: width if width <= WHOLE else max(WHOLE, _longest_word(rows, i)) for i, width in widths.items()}
    if sum(least.values()) + _BETWEEN * (len(kept) - 1) + _EDGES <= out.width:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i in kept:
            side: Literal["left", "right"] = "right" if names[i] in right else "left"
            whole = widths[i] <= WHOLE
            table.add_column(names[i], justify=side, min_width=least[i], no_wrap=whole, overflow="fold")
        for row, same in zip(rows, _repeats(rows, merged), strict=True):
            if row.apart:
                table.add_section()
            table.add_row(*("" if same and i < merged else row.values[i] for i in kept), style=row.style)
        out.print(table)
        return
    for row in rows:
        _block([names[i] for i in kept], [row.values[i] for i in kept], min(heads, len(kept)), row.style, out)


def _repeats(rows: Sequence[Row], merged: int) -> Iterator[bool]:
    before: list[str] | None = None
    for row in rows:
        own = [_plain(value) for value in row.values[:merged]]
        yield bool(own) and own == before
        before = own


def _block(names: Sequence[str], values: Sequence[Value], heads: int, style: str, out: Console) -> None:
    title = "  ".join(filter(None, (_plain(value) for value in values[:heads])))
    say(out, "")
    say(out, Text(title, style=f"bold {style}".strip()))
    room = max(map(cell_len, names[heads:]), default=0) + 2
    for name, value in zip(names[heads:], values[heads:], strict=True):
        label, own = name, value.style if isinstance(value, Text) else ""
        for line in lines(_plain(value)):
            for part in _folded(line, max(WHOLE // 2, out.width - len(_INDENT) - room)):
                say(out, Text.assemble(_INDENT, (f"{label:<{room}}", "dim"), (part, own)))
                label = ""


def _folded(line: str, width: int) -> list[str]:
    """A word that is longer than a line, such as a path, stays whole."""
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)


def _plain(value: Value) -> str:
    return value.plain if isinstance(value, Text) else value


def _width(value: Value) -> int:
    return max((cell_len(line) for line in lines(_plain(value))), default=0)


def _longest_word(rows: Sequence[Row], column: int) -> int:
    return max(cell_len(word) for row in rows for word in _plain(row.values[column]).split() or [""])
