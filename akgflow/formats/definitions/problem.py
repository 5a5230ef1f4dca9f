"""A definition with its workloads as a translation: shared by the formats that have them."""

from __future__ import annotations

from pathlib import Path

from akgflow.formats.base import Candidate, Read, Translation
from akgflow.formats.definitions.definition import Definition, read_definition
from akgflow.formats.definitions.operator import operator_text
from akgflow.formats.definitions.solution import Dialect, read_candidate
from akgflow.formats.definitions.workloads import cases, read_workloads

_DEFINITION = "definition"


def translate(name: str, file: Path, workloads: Path, read: Read) -> Translation:
    """The definition in ``file``, with the workloads in another file; without one, cases must say its sizes."""
    about = read_definition(read(file), file)
    listed = read_workloads(read(workloads), workloads, about) if workloads.is_file() else ()
    made = list(cases(listed))
    return Translation(
        format=name,
        name=about.name,
        file=_place(file, about),
        source=operator_text(about, listed, made),
        cases=tuple(made) if any(made) else (),
        description=about.description.strip().partition("\n")[0],
        fixed=about.constrained or any(one.blobs for one in listed),
        workloads=tuple(one.data for one in listed),
        spec={_DEFINITION: about},
    )


def candidate(text: str, file: Path, about: Translation, dialect: Dialect) -> Candidate:
    """A solution of the definition."""
    definition = about.spec[_DEFINITION]
    assert isinstance(definition, Definition)
    return read_candidate(text, file, definition, dialect)


def _place(file: Path, about: Definition) -> Path:
    """The Python file beside the definition with the same reference, whose lines can be opened; else ``file``."""
    beside = file.with_name("reference.py")
    try:
        same = beside.read_text(encoding="utf-8").rstrip() == about.reference.rstrip()
    except (OSError, UnicodeDecodeError):
        same = False
    return beside if same else file
