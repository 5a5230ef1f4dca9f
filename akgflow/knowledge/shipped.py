"""The kernels that ship with akgflow, each with what a judge of akgflow said about it, as a store that is only read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import cache

from akgflow.base import resources
from akgflow.base.text import lines
from akgflow.errors import PrerequisiteError
from akgflow.knowledge.entry import Entry
from akgflow.knowledge.store import Store, from_lines


class Shipped(Store):
    """Its files are exports: ``akgflow knowledge import FILE --judge`` judges them on this machine."""

    def __init__(self) -> None:
        super().__init__(resources.seeds())

    def _connect(self, write: bool) -> sqlite3.Connection:
        if write:
            raise PrerequisiteError("the kernels that ship with akgflow are read only: add yours to a store")
        db = sqlite3.connect(":memory:")
        db.deserialize(_tables())
        return db


@cache
def entries() -> tuple[Entry, ...]:
    """All of them; raises `ConfigError` for a file that was changed by hand."""
    found = []
    for file in sorted(resources.seeds().glob("*.jsonl")):
        found += from_lines(lines(file.read_text(encoding="utf-8")), str(file))
    return tuple(replace(one, trust="shipped") for one in found)


@cache
def _tables() -> bytes:
    """The store as a database: writing its tables takes far longer than a look at them."""
    store = Shipped()
    with closing(store._in_memory()) as db:
        for entry in entries():
            store._put(db, entry)
        db.commit()
        return db.serialize()
