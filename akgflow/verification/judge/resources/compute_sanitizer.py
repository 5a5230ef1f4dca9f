"""NVIDIA's compute-sanitizer around one more process of a candidate, and its words as findings.

``memory`` is its *memcheck* and *initcheck*, ``race`` its *racecheck* and *synccheck*; it follows device code only, so
what the process does beside is not looked at. Lines come from the kernels' own line tables (``-lineinfo``; Triton and
tilelang write them by themselves).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from akgflow.sanitized import MOST_FINDINGS, Finding, Sanitized
from akgflow.verdict import JudgeRequest
from akgflow.verification.judge.resources import bounded, profiler
from akgflow.verification.reference.reference import Reference

TOOLS = {"memory": ("memcheck", "initcheck"), "race": ("racecheck", "synccheck")}
SECONDS = 240.0
"""For one of them."""
VARIABLES = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1", "NVCC_APPEND_FLAGS": "-lineinfo"}
"""Each tensor is an allocation of its own: within one of PyTorch's large blocks, nothing is out of bounds. And what
PyTorch's own ``load_inline`` builds has line tables."""
_MARK = re.compile(r"^=========\s?")
_PLACES = (
    # ``at scale(float*)+0x160 in k.cu:6``, and with ``():0x160`` in its place, as the versions of CUDA 12 and 13 print.
    re.compile(r"(?P<kernel>\S.*?)(?:\+|:)0x[0-9a-f]+ in (?P<file>[^\s:]+):(?P<line>\d+)"),
    # ``at 0x160 in k.cu:6:scale(float*)``, as CUDA 11 prints.
    re.compile(r"0x[0-9a-f]+ in (?P<file>[^\s:]+):(?P<line>\d+):(?P<kernel>\S+)"),
    # Without a line table: ``at scale(float*)+0x160`` and ``at 0x160 in scale(float*)``.
    re.compile(r"^\s+at 0x[0-9a-f]+ in (?P<kernel>\S.*)$"),
    re.compile(r"^\s+at (?P<kernel>\S.*?)(?:\+|:)0x[0-9a-f]+\s*$"),
)
_HEADS = (
    re.compile(r"^(Invalid \S+ (?:read|write|atomic) of size \d+)"),
    re.compile(r"^(Uninitialized \S+ memory (?:read|atomic) of size \d+)"),
    re.compile(r"^(Uninitialized access at)"),
    re.compile(r"^(?:Error|Warning): (?:Race reported between) (?P<race>\w+) access"),
    re.compile(r"^(?:Error|Warning): (?:Potential )?(?P<hazard>\w+ hazard) detected"),
    re.compile(r"^(Barrier error detected\. .*)"),
    re.compile(r"^(Divergent thread\S* in (?:warp|block).*)"),
    re.compile(r"^((?:Misaligned|Out-of-range) [\w ]+ (?:address|access).*)"),
)
_SUMMARY = re.compile(r"^(?:ERROR SUMMARY|RACECHECK SUMMARY): (\d+)", re.MULTILINE)


def find() -> str | None:
    """Where compute-sanitizer is; None where it is not."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    beside = (Path(home) / "bin" / "compute-sanitizer" for home in (*homes, "/usr/local/cuda"))
    return shutil.which("compute-sanitizer") or next((str(one) for one in beside if one.exists()), None)


def look(kind: str, request: JudgeRequest, module: str, reference: Reference, scratch: Path) -> Sanitized:
    """What its tools of that kind say about one call on a prepared case; ``scratch`` is the candidate's folder."""
    program = find()
    if program is None:
        return Sanitized(kind, absent="compute-sanitizer is not here: install the CUDA toolkit, or set CUDA_HOME")
    found: list[Finding] = []
    for tool in TOOLS[kind]:
        folder = scratch.parent / tool
        folder.mkdir(exist_ok=True)
        profiler.put_question(request, module, reference, folder, scratch)
        options = ["--tool", tool, "--target-processes", "application-only", "--error-exitcode", "0"]
        # Libraries ask the driver what it may refuse, and go on.
        options += ["--report-api-errors", "no"] if tool == "memcheck" else []
        options += ["--racecheck-report", "analysis"] if tool == "racecheck" else []
        worker = [sys.executable, "-P", "-m", "akgflow.verification.candidate.profile_worker", str(folder)]
        try:
            said = bounded.run([program, *options, *worker], folder, scratch, SECONDS, VARIABLES)
        except TimeoutError as error:
            return Sanitized(kind, absent=f"{tool}: {error}: give a smaller case")
        found += read(said)
        if not found and (why := unfinished(said)):
            return Sanitized(kind, absent=f"{tool}: {why}")
    told = tuple(in_candidate(one, module, scratch) for one in found[:MOST_FINDINGS])
    return Sanitized(kind, f"compute-sanitizer {', '.join(TOOLS[kind])}", told)


def in_candidate(found: Finding, module: str, scratch: Path) -> Finding:
    """The finding with its line in the candidate's text, where a build has put a part of that into a file of its own.

    The line is that with the same words; where several have them, it has as many of them before it as in the file.
    """
    if not found.file or found.line is None:
        return found
    for file in sorted(scratch.rglob(found.file)):
        lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
        words = "".join(lines[found.line - 1 : found.line])
        before = lines[: found.line].count(words)
        same = [number for number, line in enumerate(module.splitlines(), 1) if line.strip() == words]
        if words and before <= len(same):
            return replace(found, line=same[before - 1])
    return found


def read(said: str) -> tuple[Finding, ...]:
    """The findings in what it printed, one for each place."""
    found: dict[tuple[str, str, int | None], Finding] = {}
    for block in _blocks(said):
        what = _what(block[0])
        if what is None:
            continue
        kernel, file, line = _place(block)
        found.setdefault((what, file, line), Finding(_with_other_access(what, block), file, line, kernel))
    return tuple(found.values())


def unfinished(said: str) -> str | None:
    """Why nothing found says nothing: it printed no summary, or counts what is not among the findings."""
    summary = _SUMMARY.search("\n".join(_MARK.sub("", line) for line in said.splitlines()))
    if summary is not None and summary[1] == "0" and "Target application returned an error" not in said:
        return None
    lines = [line for line in said.splitlines() if re.search(r"error|cannot|unable|unsupported", line, re.IGNORECASE)]
    return (lines or said.splitlines() or ["it said nothing"])[-1].removeprefix("=========").strip()[:300]


def _blocks(said: str) -> Iterator[list[str]]:
    """A report's lines without the mark: the first begins at the margin, the others are indented."""
    block: list[str] = []
    for line in said.splitlines():
        if not _MARK.match(line):
            continue
        text = _MARK.sub("", line)
        if text[:1].strip() and block:
            yield block
            block = []
        if text.strip():
            block.append(text)
    if block:
        yield block


def _what(head: str) -> str | None:
    for form in _HEADS:
        if match := form.match(head):
            race = match.groupdict().get("race")
            return f"race: {race.lower()} access" if race else next(filter(None, match.groups())).strip(" .")
    return None


def _with_other_access(what: str, block: Sequence[str]) -> str:
    """A race with the access that it is with."""
    other = next((m for line in block[1:] if (m := re.search(r"and (\w+) access", line))), None)
    return f"{what} and {other[1].lower()} access" if other and what.startswith("race") else what


def _place(block: Sequence[str]) -> tuple[str, str, int | None]:
    """Kernel, file and line that a report names first."""
    for form in _PLACES:
        for line in block:
            if match := form.search(line):
                groups = match.groupdict()
                number = groups.get("line")
                kernel = re.sub(r"^.*\b(?:at|in) ", "", groups["kernel"]).partition("(")[0].strip()
                return kernel, groups.get("file", "").rpartition("/")[2], int(number) if number else None
    return "", "", None
