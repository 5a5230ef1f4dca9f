"""Problems and solutions in the formats of other projects, as operators and candidates that the judge takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from akgflow.formats import flashinfer_trace, kernelbench, kernelbot, robust_kbench, sol_execbench
from akgflow.formats.base import Candidate, Format, Read, Refused, Scalar, Translation

FORMATS: dict[str, Format] = {
    "sol-execbench": sol_execbench,
    "flashinfer-trace": flashinfer_trace,
    "kernelbot": kernelbot,
    "robust-kbench": robust_kbench,
    "kernelbench": kernelbench,
}
"""In the order in which they are looked for: any Python file may be one of KernelBench."""
_ANY_PYTHON = "kernelbench"
_SKIPPED = ("__pycache__",)


def translate(path: Path, name: str | None, read: Read) -> Translation:
    """The problem that ``path`` is, in the format ``name`` or one found by its looks. Raises `Refused`."""
    form, found = _found(path, name)
    if found is None and name:
        raise Refused(f"is no problem of {name}", path)
    # What a file that is none lacks is said where it is read.
    return FORMATS[form or _ANY_PYTHON].translate(found or path, read)


def candidate(text: str, file: Path, about: Translation) -> Candidate:
    """The text of a solution's file as a candidate for a problem. Raises `Refused`."""
    return FORMATS[about.format].candidate(text, file, about)


def problems_in(path: Path, name: str | None) -> Iterator[tuple[str, Path]]:
    """Each problem at or below a path: its format and its main file, in order."""
    seen: set[Path] = set()
    folders: set[Path] = set()
    for one in _files(path):
        form, found = _found(one, name)
        if found is None or found in seen or (form == _ANY_PYTHON and not _is_operator(one, folders)):
            continue
        seen.add(found)
        if form != _ANY_PYTHON:
            folders.add(found.parent)
        yield form, found


def _found(path: Path, name: str | None) -> tuple[str, Path | None]:
    for form in (name,) if name else FORMATS:
        # A path that the system does not take is refused where it is read.
        with suppress(OSError, ValueError):
            found = FORMATS[form].find(path)
            if found is not None:
                return form, found
    return "", None


def _files(path: Path) -> Iterator[Path]:
    """A file, or a folder and all that is below it, in order; links to folders are not followed."""
    yield path
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if name not in _SKIPPED and not name.startswith("."))
        if Path(folder) != path:
            yield Path(folder)
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _is_operator(file: Path, folders: set[Path]) -> bool:
    """Whether a Python file looks like a problem by itself, and is no part of one that a folder is."""
    if not folders.isdisjoint(file.parents):
        return False
    return "class Model(" in file.read_text(encoding="utf-8", errors="replace")


__all__ = ["FORMATS", "Candidate", "Read", "Refused", "Scalar", "Translation", "candidate", "problems_in", "translate"]
