"""Cutting a compiler's output to what a reader can act on."""

from __future__ import annotations

import re
from pathlib import Path

_DIAGNOSTIC = re.compile(r"(^|: |\))\s*(fatal )?error\b|undefined (reference|symbol)|^ptxas (fatal|error)|:\d+: Error:")
_OF_THE_SYSTEM = re.compile(
    r"no space left on device|quota exceeded|read-only file system|input/output error|too many open files"
    r"|cannot allocate memory|resource temporarily unavailable|bus error",
    re.IGNORECASE,
)
"""Why a compiler or a build tool stopped, whichever of them says so."""
_OF_A_TEXT = re.compile(
    r"[:(]\d+\)?(:\d+)?\s*:\s*(fatal |catastrophic )?error\b|undefined (reference|symbol)|^ptxas error"
    r"|:\d+: Error:"  # of the assembler
)
_BEGINS = re.compile(r"\b(warning|note|remark)\b( #[\w-]+)?\s*:|^In file included|: In (function|member|lambda)")
_FOLDERS = re.compile(r"^/\S+/(?=[^/\s]+[:(]\d+)", re.MULTILINE)
_SHELL = re.compile(
    r"^(\d+ errors? detected in the compilation|\[\d+/\d+\]|FAILED:|ninja|stdout:|stderr:|/\S+/(c\+\+|g\+\+|nvcc)\s)"
)


def first_errors(log: str, limit: int = 5, max_chars: int = 4000) -> str:
    """The first ``limit`` errors of a gcc or nvcc log, each with the lines that belong to it.

    Warnings, notes, include traces and the build tool's own lines are left out; where no error is recognised the
    end of the log is given.
    """
    found: list[list[str]] = []
    taking = False
    for line in log.splitlines():
        if _OF_THE_SYSTEM.search(line):
            found.insert(0, [line])
        elif _SHELL.match(line):
            taking = False
        elif _DIAGNOSTIC.search(line):
            taking = len(found) < limit
            if taking:
                found.append([line])
        elif _BEGINS.search(line):
            taking = False
        elif taking and len(found[-1]) < 8:
            found[-1].append(line.rstrip())
    text = _FOLDERS.sub("", "\n".join("\n".join(lines) for lines in found)) or log.strip()[-max_chars:]
    total = sum(1 for line in log.splitlines() if _DIAGNOSTIC.search(line))
    if total > limit:
        text += f"\n… and {total - limit} more errors"
    return text if len(text) <= max_chars else text[:max_chars] + "\n…"


def says_an_error(log: str) -> bool:
    """True where a compiler or a linker says what is wrong with a text; false where a tool itself could not work."""
    return any(_OF_A_TEXT.search(line) for line in log.splitlines())


def quoting(text: str, file: Path) -> str:
    """``text`` with the line of ``file`` shown below each diagnostic that names a place in it and shows none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return text
    place = re.compile(rf"{re.escape(file.name)}[:(](\d+)")
    shown: list[str] = []
    rows = text.splitlines()
    for i, row in enumerate(rows):
        shown.append(row)
        found = place.match(row)
        has_own = i + 1 < len(rows) and rows[i + 1].startswith(" ")
        if found and not has_own and 0 < int(found[1]) <= len(lines):
            shown.append(f"{int(found[1]):5} | {lines[int(found[1]) - 1]}")
    return "\n".join(shown)
