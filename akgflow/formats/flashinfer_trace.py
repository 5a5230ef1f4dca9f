"""flashinfer-trace: ``definitions/TYPE/NAME.json`` and ``workloads/TYPE/NAME.jsonl``; solutions are JSON.

Specified in flashinfer-ai/flashinfer-bench: ``docs/flashinfer-trace/``.
"""

from __future__ import annotations

from pathlib import Path

from akgflow.formats.base import Candidate, Read, Translation
from akgflow.formats.definitions import problem
from akgflow.formats.definitions.solution import Dialect

_DEFINITIONS, _WORKLOADS = "definitions", "workloads"


def find(path: Path) -> Path | None:
    """A definition below a folder of them."""
    return path if path.suffix == ".json" and _DEFINITIONS in path.absolute().parts and path.is_file() else None


def translate(file: Path, read: Read) -> Translation:
    """The definition, with its workloads in the folder beside that of definitions."""
    parts = list(file.absolute().with_suffix(".jsonl").parts)
    place = len(parts) - 1 - parts[::-1].index(_DEFINITIONS) if _DEFINITIONS in parts else None
    if place is not None:
        parts[place] = _WORKLOADS
    return problem.translate("flashinfer-trace", file, Path(*parts), read)


def candidate(text: str, file: Path, about: Translation) -> Candidate:
    """A solution."""
    return problem.candidate(text, file, about, Dialect("language", "tvm-ffi"))
