"""Kernels as people write them, with the status that each must get for each target, and the table that lists them.

    python tests/support/wild.py          writes docs/wild.md

A member is a candidate module in ``tests/wild/DSL/``. Its docstring is its header, lines of ``key: value``:

``operator``      the file in ``tests/wild/operators``, else in ``tests/corpus/operators``, that it answers
``dsl``           the toolchain that judges it
``does``          one line
``cpu``           the status for target ``cpu``; ``-`` where the DSL has none there
``nvidia_h200``   the status for an H200 on a machine without a GPU
``device``        the status on a GPU of this machine; ``-`` where it needs a GPU of another kind
``message``       words that the verdict's message must contain where the status is not PASSED (optional)
``absent``        words that the reason for missing evidence must contain, for a member that is NOT_RUN (optional)
``dtype``         what floating inputs are cast to (optional)
``seconds``       the limit on its calls (optional)
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "wild"
TABLE = FOLDER.parents[1] / "docs" / "wild.md"
OPERATORS = (FOLDER / "operators", FOLDER.parent / "corpus" / "operators")
PLACES = ("cpu", "nvidia_h200", "device")
NEEDED = ("operator", "dsl", "does", *PLACES)
OPTIONAL = ("message", "absent", "dtype", "seconds")


@dataclass(frozen=True)
class Member:
    """One kernel. ``header`` is its docstring by key."""

    file: Path
    header: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.file.parent.name}-{self.file.stem}"

    @property
    def right(self) -> bool:
        """False for a kernel that a device would find wrong: no place takes it for right on values."""
        found = {status for place in PLACES for status in self.statuses(place)}
        return not found & {"INCORRECT_NUMERICAL", "RUNTIME_ERROR"}

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @property
    def operator(self) -> Path:
        names = [folder / f"{self.header['operator']}.py" for folder in OPERATORS]
        return next((path for path in names if path.exists()), names[0])

    def statuses(self, place: str) -> set[str]:
        """The statuses that it may get there; empty where it is not judged there."""
        return set(self.header[place].split()) - {"-"}


def read(file: Path) -> Member:
    """The member in ``file``; raises `ValueError` where its header is not one."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    header = dict(line.split(": ", 1) for line in text.splitlines())
    unknown, missing = set(header) - {*NEEDED, *OPTIONAL}, set(NEEDED) - set(header)
    if unknown or missing:
        raise ValueError(f"{file}: the header lacks {sorted(missing)} and has the unknown {sorted(unknown)}")
    return Member(file, header)


@cache
def members() -> tuple[Member, ...]:
    """All of them, by DSL and name."""
    return tuple(read(file) for file in sorted(FOLDER.glob("*/*.py")) if file.parent != OPERATORS[0])


def table() -> str:
    """``docs/wild.md``."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    wrong = sum(not one.right for one in members())
    counted = Counter(one.header["dsl"] for one in members())
    dsls = ", ".join(f"{number} in {dsl}" for dsl, number in sorted(counted.items()))
    yield "# Kernels as people write them"
    yield ""
    yield (
        f"`tests/wild/` holds {len(members()) - wrong} kernels that are right and {wrong} that have a fault which was "
        f"reported of such kernels: {dsls}. They are in the idioms of tutorials and libraries. A right one must pass "
        "wherever it can be judged, and what the judge finds of a wrong one must name its fault. "
        "`tests/wild/test_wild.py` holds the judge to the statuses below."
    )
    yield ""
    yield (
        "*Without a device* means a machine that has no GPU: there a kernel is compiled for the H200, and interpreted "
        "where its DSL has an interpreter. TileLang has none, so that a wrong kernel passes there with the evidence "
        "`compiled`, which says nothing of its numbers. `-`: not judged there."
    )
    yield ""
    yield "Written by `python tests/support/wild.py` from the headers of the kernels; a test says when it is old."
    yield ""
    yield "| DSL | kernel | what it does | `cpu` | `nvidia_h200` without a device | on a device |"
    yield "|---|---|---|---|---|---|"
    for one in members():
        link = f"[{one.file.stem}](../tests/wild/{one.file.parent.name}/{one.file.name})"
        statuses = " | ".join(" or ".join(sorted(one.statuses(place))) or "-" for place in PLACES)
        yield f"| {one.header['dsl']} | {link} | {one.header['does']} | {statuses} |"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
