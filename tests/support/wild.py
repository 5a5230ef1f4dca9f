"""Kernels as people write them, with the status that each must get for each target.

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
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "wild"
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
