"""KernelBench: a file with ``Model``, ``get_inputs`` and ``get_init_inputs``; solutions define ``ModelNew``.

Specified in ScalingIntelligence/KernelBench. It is the judge's own form.
"""

from __future__ import annotations

from pathlib import Path

from akgflow.formats.base import Candidate, Read, Translation

SUFFIX = ".py"


def find(path: Path) -> Path | None:
    """Any Python file: what it must define is checked where it is read."""
    return path if path.suffix == SUFFIX else None


def translate(file: Path, read: Read) -> Translation:
    """The file as it is."""
    return Translation("kernelbench", file.stem, file, read(file))


def candidate(text: str, file: Path, about: Translation) -> Candidate:  # noqa: ARG001
    """The file as it is."""
    return Candidate(text)
