"""What sanitizers found in the kernels of a candidate, as plain values that travel."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("memory", "race")
"""``memory``: accesses outside what was allocated or after it was freed, and reads of what nobody wrote. ``race``:
threads that access the same memory without an order, and barriers that not all of them reach."""
MOST_FINDINGS = 10
"""Of one kind of one tool: what comes after the first often comes of it."""


@dataclass(frozen=True)
class Finding:
    """One fault."""

    what: str
    """In a few words: ``heap-buffer-overflow: READ of size 4``."""
    file: str = ""
    """The file that the tool names; lines count as in the candidate's file where it holds the kernel's text."""
    line: int | None = None
    kernel: str = ""
    """The function or kernel that the line is in."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line is not None else ""
        return f"{place}{self.what}{f' in {self.kernel}' if self.kernel else ''}"


@dataclass(frozen=True)
class Sanitized:
    """What was looked for, with what, and what was found."""

    kind: str
    """One of `KINDS`."""
    tool: str = ""
    findings: tuple[Finding, ...] = ()
    absent: str = ""
    """Why nothing was looked at; empty where it was. Nothing found then says nothing."""

    @property
    def clean(self) -> bool:
        """True where it was looked at and nothing was found."""
        return not self.absent and not self.findings

    def __str__(self) -> str:
        if self.absent:
            return f"{self.kind}: not looked at: {self.absent}"
        if not self.findings:
            return f"{self.kind}: nothing was found ({self.tool})"
        return f"{self.kind}: {'; '.join(map(str, self.findings))} ({self.tool})"
