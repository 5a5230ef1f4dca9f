"""What the commands print with ``--json``: documents, each with its name, a version, and a JSON Schema.

A document is an object whose ``document`` and ``version`` say what it is; the other fields are those of a class below.
Fields may be added within a version. The schemas are made from the classes, so that they cannot differ from them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from akgflow.api.importing import ImportedProblems
from akgflow.api.reproducing import Shown
from akgflow.base.serial import DOCUMENT_VERSION, NOT_FINITE
from akgflow.doctor import Check
from akgflow.errors import Problem
from akgflow.export import Exported
from akgflow.knowledge import Entry, Outline
from akgflow.planning import Plan
from akgflow.runs import RunResult, Unfinished
from akgflow.runs.matrix import Matrix
from akgflow.suites import Comparison, Likely, Recheck, Score, SuitePlan
from akgflow.suites.listing import ListedRun, RunFacts
from akgflow.toolchains.common.cache import Kind
from akgflow.verdict import Verdict


@dataclass(frozen=True)
class Failed:
    """Why a command failed. ``problems`` have their places where files were wrong; ``more`` were left out."""

    error: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Planned:
    """What a run would do, and what it probably takes; null where no earlier run used its workflow and models.

    ``unreachable`` are models that cannot be asked now, a sentence each.
    """

    digest: str
    plan: Plan
    likely: Likely | None
    unreachable: tuple[str, ...]


@dataclass(frozen=True)
class SuitePlanned:
    """What each problem would do, and the ceiling and the likely cost of all."""

    digest: str
    plan: SuitePlan
    unreachable: tuple[str, ...]


@dataclass(frozen=True)
class Valid:
    """The names of what is valid, what the judge varies of the shapes of each, and what of a suite cannot be judged."""

    valid: tuple[str, ...]
    shapes: Mapping[str, str]
    unfit: Mapping[str, str]


@dataclass(frozen=True)
class Listing:
    """A row each, with its name and the place that it is from."""

    kind: str
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Examined:
    """What is here and what is not."""

    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Cache:
    """What the folder holds, by kind."""

    folder: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class CacheCleaned:
    """The bytes that were freed."""

    folder: str
    freed_bytes: int


@dataclass(frozen=True)
class Runs:
    """The runs and suites of a folder, the one at work last first."""

    folder: str
    runs: tuple[ListedRun, ...]


@dataclass(frozen=True)
class RunsCleaned:
    """What was removed, and the names that were left, each with its reason."""

    removed: tuple[ListedRun, ...]
    left: Mapping[str, str]


@dataclass(frozen=True)
class Entries:
    """Kernels of the store, without their texts."""

    entries: tuple[Outline, ...]


@dataclass(frozen=True)
class EntryShown:
    """One kernel of the store."""

    id: str
    digest: str
    entry: Entry


@dataclass(frozen=True)
class EntriesAdded:
    """Ids of what is new and of what was there, and what was refused and why."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class EntriesExported:
    """The file, and the ids of what is in it."""

    file: str
    exported: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """The file that was written."""

    file: str


@dataclass(frozen=True)
class Served:
    """Where the page is."""

    url: str


class Document(NamedTuple):
    """A kind of document: the class of its fields, and the commands that print it."""

    kind: type
    printed_by: str


DOCUMENTS: Mapping[str, Document] = {
    "error": Document(Failed, "any command that fails"),
    "plan": Document(Planned, "plan TASK"),
    "suite_plan": Document(SuitePlanned, "plan SUITE"),
    "result": Document(RunResult, "run, and show of a finished run"),
    "unfinished": Document(Unfinished, "show of an unfinished run"),
    "verdict": Document(Verdict, "verify"),
    "matrix": Document(Matrix, "matrix"),
    "score": Document(Score, "score and bench"),
    "comparison": Document(Comparison, "compare"),
    "recheck": Document(Recheck, "recheck"),
    "reproduction": Document(Shown, "reproduce"),
    "export": Document(Exported, "export"),
    "imported": Document(ImportedProblems, "import"),
    "valid": Document(Valid, "validate"),
    "listing": Document(Listing, "list"),
    "doctor": Document(Examined, "doctor"),
    "report": Document(Written, "report"),
    "server": Document(Served, "report --serve"),
    "cache": Document(Cache, "cache size"),
    "cache_cleaned": Document(CacheCleaned, "cache clean"),
    "runs": Document(Runs, "runs list"),
    "run": Document(RunFacts, "runs show"),
    "runs_cleaned": Document(RunsCleaned, "runs clean"),
    "entries": Document(Entries, "knowledge list and forget"),
    "entry": Document(EntryShown, "knowledge show"),
    "entries_added": Document(EntriesAdded, "knowledge add and import"),
    "entries_exported": Document(EntriesExported, "knowledge export"),
}
"""Every document by its name."""


def document_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a document, one of `DOCUMENTS`."""
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class Described(GenerateJsonSchema):
        def float_schema(self, schema: Any) -> dict[str, Any]:
            return {"anyOf": [super().float_schema(schema), {"enum": list(NOT_FINITE)}]}

        def dataclass_schema(self, schema: Any) -> dict[str, Any]:
            made = super().dataclass_schema(schema)
            for field, words in _field_docs(schema["cls"]).items():
                made["properties"].get(field, {}).setdefault("description", words)
            made["required"] = list(made["properties"])
            return made | {"additionalProperties": True}

    kind, printed_by = DOCUMENTS[name]
    made = TypeAdapter(kind).json_schema(schema_generator=Described, mode="serialization")
    own = {"document": {"const": name}, "version": {"const": DOCUMENT_VERSION}}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **made,
        "title": name,
        "description": f"Printed by {printed_by}. {inspect.cleandoc(kind.__doc__ or '')}",
        "properties": made["properties"] | own,
        "required": [*own, *(one for one in made["required"] if one not in own)],
    }


def _field_docs(kind: type) -> Mapping[str, str]:
    """The texts under the fields of a class and of those that it extends."""
    found: dict[str, str] = {}
    for one in reversed([base for base in kind.__mro__ if is_dataclass(base)]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(tree, ast.ClassDef)
        found |= dict(_pairs(tree.body))
    return found


def _pairs(body: Sequence[ast.stmt]) -> list[tuple[str, str]]:
    return [
        (field.target.id, inspect.cleandoc(text.value.value))
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    ]
