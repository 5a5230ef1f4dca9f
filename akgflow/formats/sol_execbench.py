"""SOL-ExecBench: a folder with ``definition.json`` and ``workload.jsonl``; solutions are JSON, or a file with ``run``.

Specified in NVIDIA/SOL-ExecBench: ``docs/``.
"""

from __future__ import annotations

from pathlib import Path

from akgflow.formats.base import Candidate, Read, Translation
from akgflow.formats.definitions import problem
from akgflow.formats.definitions.solution import Dialect

_DEFINITION, _WORKLOADS, _REFERENCE = "definition.json", "workload.jsonl", "reference.py"


def find(path: Path) -> Path | None:
    """A folder with a definition, or the definition, its workloads or its reference."""
    folder = path if path.is_dir() else path.parent
    named = path.is_dir() or path.name in (_DEFINITION, _WORKLOADS, _REFERENCE)
    return folder / _DEFINITION if named and (folder / _DEFINITION).is_file() else None


def translate(file: Path, read: Read) -> Translation:
    """The definition with the workloads beside it."""
    return problem.translate("sol-execbench", file, file.with_name(_WORKLOADS), read)


def candidate(text: str, file: Path, about: Translation) -> Candidate:
    """A solution."""
    return problem.candidate(text, file, about, Dialect("languages", "torch"))
