"""The knowledge store for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from akgflow.knowledge import Entry
from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.phrases import evidence, whole

_TRUST = {
    "judged": "judged",
    "imported": "imported: others' claim, judged nowhere here",
    "shipped": "shipped: came with akgflow, judged nowhere here",
}
_COLUMNS = ("id", "task", "dsl", "target", "trust", "evidence", "speed", "does", "lessons", "added")


def show_entries(entries: Sequence[Entry], path: str, out: Console) -> None:
    """One row for each entry."""
    if not entries:
        say(out, f"no entries in {path}")
        return
    show_table(_COLUMNS, [Row(_row(entry)) for entry in entries], out)
    say(out, f"{len(entries)} entries in {path}")


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.id,
        entry.task,
        entry.dsl,
        entry.target,
        entry.trust,
        evidence(entry.verdict.evidence),
        _speed(entry),
        ", ".join(sorted(entry.features.kinds)),
        str(len(entry.lessons) or ""),
        entry.added[:10],
    )


def show_entry(entry: Entry, out: Console) -> None:
    """Everything that is known about one kernel, its source last."""
    features = entry.features
    known = {
        "id": entry.id,
        "task": " ".join(part for part in (entry.task, entry.description) if part),
        "written in": f"{entry.dsl} for {entry.target} ({entry.platform}, {entry.arch})",
        "trust": _TRUST[entry.trust],
        "verdict": f"{entry.verdict.status} ({evidence(entry.verdict.evidence)}): {entry.verdict.message}",
        "speed": _speed(entry),
        "hardware": entry.verdict.environment.hardware,
        "kinds": _counts(features.kinds) or f"unknown: {features.unknown}",
        "consists of": _counts(features.primitives),
        "reduces": _counts(features.reductions),
        "shapes": " ".join(map(str, features.inputs)) + " -> " + " ".join(map(str, features.outputs)),
        "types": ", ".join(features.dtypes),
        "judged": f"{entry.added}, akgflow {entry.akgflow}",
    }
    for name, value in known.items():
        if value:
            say(out, f"{name + ':':<13}{value}")
    for lesson in entry.lessons:
        say(
            out,
            f"{'lesson:':<13}{lesson.status}: {lesson.message}{f' (cause: {lesson.cause})' if lesson.cause else ''}",
        )
    say(out, f"\n# the reference\n{entry.operator.rstrip()}\n\n# the kernel\n{entry.source.rstrip()}")


def _speed(entry: Entry) -> str:
    found = entry.speed
    return f"{whole(found)} on {entry.verdict.timing[0].device}" if found else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" if count > 1 else name for name, count in counts.items())
