"""What AddressSanitizer, ThreadSanitizer and valgrind print, as findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from akgflow.sanitized import MOST_FINDINGS, Finding


class _Frame(NamedTuple):
    function: str
    file: str
    line: int


_FRAMES = (
    # ``#0 0x55d0 in f._omp_fn.0 /tmp/k.cpp:4:7`` and ``#0 f._omp_fn.0 /tmp/k.cpp:3 (k.so+0x1230)``
    re.compile(r"^\s*#\d+ (?:0x[0-9a-f]+ in )?(?P<function>.+?) (?P<file>[^\s():]+):(?P<line>\d+)(?::\d+)?(?: \(.*)?$"),
    # ``==1== by 0x48531E6: f (u.cpp:3)``
    re.compile(r"^==\d+==\s+(?:at|by) 0x[0-9A-F]+: (?P<function>.+) \((?P<file>[^\s():]+):(?P<line>\d+)\)$"),
)
_OUTLINED = re.compile(r"\.(_omp_fn|constprop|isra|part|cold)\.?\d*|\[clone [^]]*\]")


def address(text: str, files: Collection[str]) -> tuple[Finding, ...]:
    """Of AddressSanitizer; ``files`` are the names of those that hold the candidate's own lines."""
    blocks = re.split(r"^=+$(?=\n==\d+==ERROR: AddressSanitizer)", text, flags=re.MULTILINE)

    def what(block: str) -> str | None:
        head = re.search(r"ERROR: AddressSanitizer: (\S+)", block)
        access = re.search(r"^(READ|WRITE) of size \d+", block, re.MULTILINE)
        return None if head is None else f"{head[1]}: {access[0]}" if access else head[1]

    return _found(blocks, what, files)


def threads(text: str, files: Collection[str]) -> tuple[Finding, ...]:
    """Of ThreadSanitizer."""
    blocks = re.split(r"^=+$", text, flags=re.MULTILINE)

    def what(block: str) -> str | None:
        head = re.search(r"WARNING: ThreadSanitizer: ([^(\n]+?) \(", block)
        accesses = re.findall(r"^\s*(?:Previous )?((?:atomic )?(?:read|write) of size \d+)", block, re.M | re.I)
        return None if head is None else f"{head[1]}: {' and '.join(one.lower() for one in accesses[:2])}".rstrip(": ")

    return _found(blocks, what, files)


_UNKNOWN = re.compile(r"(Conditional jump or move depends on|Use of|Syscall param \S+ points to) uninitialised")


def definedness(text: str, files: Collection[str]) -> tuple[Finding, ...]:
    """Of valgrind's memcheck, of which only reads of what nobody wrote are taken: the rest is AddressSanitizer's."""
    blocks = re.split(r"^==\d+== $", text, flags=re.MULTILINE)

    def what(block: str) -> str | None:
        if _UNKNOWN.search(block) is None:
            return None
        born = re.search(r"created by a (heap|stack) allocation", block)
        kind = f" of the {born[1]}" if born else ""
        ends = "given out" if "Syscall param" in block else "used"
        return f"uninitialised memory{kind} is {ends}"

    return _found(blocks, what, files)


def _found(blocks: Sequence[str], what: Callable[[str], str | None], files: Collection[str]) -> tuple[Finding, ...]:
    """A finding for each place in the candidate's own lines that a block names first."""
    found: dict[tuple[str, int], Finding] = {}
    for block in blocks:
        said = what(block)
        frame = next((one for one in _frames(block) if one.file in files), None) if said is not None else None
        if said is not None and frame is not None:
            kernel = _OUTLINED.sub("", frame.function).partition("(")[0].strip()
            found.setdefault((frame.file, frame.line), Finding(said, frame.file, frame.line, kernel))
    return tuple(found.values())[:MOST_FINDINGS]


def _frames(block: str) -> Iterator[_Frame]:
    for line in block.splitlines():
        match = next((one for form in _FRAMES if (one := form.match(line))), None)
        if match is not None:
            yield _Frame(match["function"], match["file"].rpartition("/")[2], int(match["line"]))
