"""Which sizes a kernel must serve, as a task or a command says it: ranges by name, the stated shapes only, or nothing.

Without a word the judge varies sizes by itself, and a kernel may refuse what was not stated. What is guaranteed must be
served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FIXED = "fixed"
_RANGE = re.compile(r"\s*(\d+)\s*(?:\.\.\s*(\d+))?\s*(?::\s*(\d+))?\s*")


@dataclass(frozen=True)
class SizeRange:
    """Whole numbers from ``least`` to ``most`` that are multiples of ``multiple``."""

    least: int = 1
    most: int | None = None
    """None: as large as the judge likes."""
    multiple: int = 1

    def holds(self, size: int) -> bool:
        """Whether a size is in the range."""
        return self.least <= size and (self.most is None or size <= self.most) and size % self.multiple == 0

    @property
    def empty(self) -> bool:
        """Whether no size is in the range."""
        first = -(-self.least // self.multiple) * self.multiple
        return self.most is not None and first > self.most

    def __str__(self) -> str:
        ends = f"{self.least}..{self.most}" if self.most is not None else f"{self.least} or more"
        return f"{ends}, multiples of {self.multiple}" if self.multiple > 1 else ends


@dataclass(frozen=True)
class Guarantee:
    """Which shapes a kernel must serve beside the stated ones."""

    fixed: bool = False
    """Whether only the stated shapes are tried."""
    sizes: Mapping[str, SizeRange] = field(default_factory=dict)
    """Ranges of dimensions by name; empty: the judge varies what it finds, and a kernel may refuse that."""

    @property
    def given(self) -> bool:
        """Whether ranges were guaranteed."""
        return bool(self.sizes)

    def __str__(self) -> str:
        return FIXED if self.fixed else "; ".join(f"{name}: {size}" for name, size in self.sizes.items())

    def varied(self, own: Mapping[str, int | None]) -> str:
        """What is varied of an operator whose sizes are ``own``, in one line."""
        if self.fixed:
            return "the stated ones only"
        if self.given:
            return f"{self} (must be served)"
        found = ", ".join(name if size is None else f"{name}={size}" for name, size in own.items())
        return f"varied from {found}" if found else "the stated ones only: get_inputs has no size that can be told"


NOTHING = Guarantee()
"""Where neither the task nor a command says anything."""


def size_range(value: object) -> SizeRange | None:
    """``1..8192``, ``64``, ``8..4096:8`` or a mapping with ``min``, ``max`` and ``multiple_of``; None for others."""
    if isinstance(value, Mapping):
        least, multiple, most = value.get("min"), value.get("multiple_of", 1), value.get("max")
        return SizeRange(multiple if least is None else least, most, multiple)
    found = _RANGE.fullmatch(str(value)) if type(value) in (str, int) else None
    if found is None:
        return None
    least, multiple = int(found[1]), int(found[3] or 1)
    return SizeRange(least, int(found[2] or least), multiple) if multiple > 0 else None
