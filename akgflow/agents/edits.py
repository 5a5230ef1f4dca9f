"""Search/replace edits: the part of a module that changes, instead of all of it.

A reply holds one or more blocks, with anything around them::

    <<<<<<< SEARCH
    lines of the module, exactly as they stand
    =======
    the lines that replace them
    >>>>>>> REPLACE

Each search text is whole lines that occur exactly once in the module, and no two of them overlap; all are found in the
module as it was, so their order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from akgflow.base.text import lines

BEGIN, MIDDLE, END = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"
_WHOLE = "send the whole module in one ```python block instead"


class EditError(Exception):
    """Edits that cannot be applied; the text says which and why."""


class Edit(NamedTuple):
    """Whole lines, without their last line end."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def has_edits(text: str) -> bool:
    """True when a reply holds at least the beginning of an edit."""
    return any(line.strip() == BEGIN for line in lines(text))


def apply_edits(text: str, module: str) -> str:
    """``module`` with all the edits of ``text``; raises `EditError`."""
    rows = module.split("\n")
    placed = sorted((_place(number, edit, rows), edit) for number, edit in enumerate(_edits(text), 1))
    end = 0
    made: list[str] = []
    for at, edit in placed:
        if at < end:
            raise EditError(f"two edits overlap at line {at + 1}; {_WHOLE}")
        made += rows[end:at]
        made += edit.replace
        end = at + len(edit.search)
    changed = "\n".join(made + rows[end:])
    if changed == module:
        raise EditError("the edits change nothing")
    return changed


def _place(number: int, edit: Edit, lines: list[str]) -> int:
    """The line, from 0, at which the search text begins."""
    if not any(line.strip() for line in edit.search):
        raise EditError(f"the search text of edit {number} is empty; {_WHOLE}")
    size = len(edit.search)
    found = [at for at in range(len(lines) - size + 1) if tuple(lines[at : at + size]) == edit.search]
    if len(found) == 1:
        return found[0]
    first = next(line.strip() for line in edit.search if line.strip())
    if found:
        raise EditError(
            f"the search text of edit {number} ({first[:80]}) stands {len(found)} times in the module; "
            f"add lines around it, or {_WHOLE}"
        )
    raise EditError(f"the search text of edit {number} ({first[:80]}) does not stand in the module; {_WHOLE}")


def _edits(text: str) -> Iterator[Edit]:
    parts: list[list[str]] | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        mark = line.strip()
        if mark == BEGIN:
            if parts is not None:
                raise EditError(f"an edit begins within another one; {_WHOLE}")
            parts = [[]]
        elif parts is None:
            continue
        elif mark == MIDDLE and len(parts) == 1:
            parts.append([])
        elif mark == END:
            if len(parts) != 2:
                raise EditError(f"an edit has no line {MIDDLE}; {_WHOLE}")
            yield Edit(tuple(parts[0]), tuple(parts[1]))
            parts = None
        else:
            parts[-1].append(line)
    if parts is not None:
        raise EditError(f"an edit is not closed by {END}; {_WHOLE}")
