"""The store's file: SQLite with a full-text index, safe for several processes at once.

Every method opens the file, does one transaction and closes it. Write-ahead logging lets readers work beside a writer;
a second writer waits up to `WAIT_SECONDS`.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cattrs
from platformdirs import user_data_path

from akgflow.base.atomic import write_text
from akgflow.base.serial import from_data, to_data, to_json
from akgflow.config.types import SHARED, KnowledgeSpec
from akgflow.errors import ConfigError, MachineExhausted, machine_error
from akgflow.features import OperatorFeatures
from akgflow.knowledge.entry import Entry, digest_of, operator_id, variant_id, words

VERSION = 1
"""Of the tables. A file of a later version is refused, never changed."""
WAIT_SECONDS = 30.0
OWN = ".akgflow"
"""The folder in a workspace that holds its own store."""
_SCHEMA = """
CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    operator TEXT NOT NULL,
    task TEXT NOT NULL,
    dsl TEXT NOT NULL,
    target TEXT NOT NULL,
    platform TEXT NOT NULL,
    trust TEXT NOT NULL,
    added TEXT NOT NULL,
    features TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX entries_by_language ON entries (dsl, platform, trust);
CREATE VIRTUAL TABLE texts USING fts5 (id UNINDEXED, text, tokenize = 'porter unicode61');
"""


class KnowledgeError(ConfigError):
    """The store's file cannot be used; says which one and what to do."""


class Outline(NamedTuple):
    """What retrieval compares: an entry without its kernel and verdict."""

    id: str
    operator: str
    dsl: str
    platform: str
    features: OperatorFeatures


def store_path(spec: KnowledgeSpec, root: Path) -> Path:
    """The store of the workspace in ``root``: the one that it names, else its own."""
    if isinstance(spec.store, Path):
        return spec.store
    folder = user_data_path("akgflow", appauthor=False) if spec.store == SHARED else root / OWN
    return folder / "knowledge.sqlite"


def search_text(entry: Entry) -> str:
    """What the full-text index holds of an entry: what it is called, what it does, and its reference's words."""
    kinds = (*entry.features.kinds, *entry.features.ops)
    return " ".join((entry.task, entry.description, entry.kind, *kinds, *words(entry.operator)))


class Store:
    """Entries by id. Raises `KnowledgeError` where the file cannot be read or written.

    `MachineExhausted` where that is for want of room, descriptors or the like, which may be there the next time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, entry: Entry) -> bool:
        """Store an entry; False where the store has a better verdict on its kernel: a judged one, or more evidence.

        Kernels that differ in constants only are one entry: the one with the best verdict.
        """
        with self._open(write=True) as db:
            known = self._variants(db, entry)
            if any((one.trust == "judged", one.worth) > (entry.trust == "judged", entry.worth) for one in known):
                return False
            for one in known:
                self._drop(db, one.id)
            self._put(db, entry)
        return True

    def get(self, prefix: str) -> Entry:
        """The one entry whose id starts with ``prefix``."""
        with self._open() as db:
            return self._one(db, prefix)

    def find(self, ids: Sequence[str]) -> dict[str, Entry]:
        """The entries of those ``ids`` that exist, by id, in that order."""
        with self._open() as db:
            marks = ", ".join("?" * len(ids))
            rows = db.execute(f"SELECT id, data, trust FROM entries WHERE id IN ({marks})", tuple(ids))
            found = {row[0]: entry for row in rows if (entry := _entry(row[1:])) is not None}
        return {one: found[one] for one in ids if one in found}

    def entries(
        self, *, dsl: str | None = None, target: str | None = None, trust: str | None = None, task: str | None = None
    ) -> list[Entry]:
        """Matching entries, the newest first."""
        wanted = {"dsl": dsl, "target": target, "trust": trust, "task": task}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        with self._open() as db:
            rows = db.execute(
                f"SELECT data, trust FROM entries WHERE {where} ORDER BY added DESC, id", tuple(given.values())
            )
            return [entry for row in rows if (entry := _entry(row)) is not None]

    def outlines(self) -> list[Outline]:
        """The outlines of all judged or shipped entries; imported ones are left out."""
        with self._open() as db:
            rows = db.execute("SELECT id, operator, dsl, platform, features FROM entries WHERE trust != 'imported'")
            return [Outline(a, b, c, d, from_data(json.loads(e), OperatorFeatures)) for a, b, c, d, e in rows]

    def matching(self, terms: Sequence[str], limit: int = 200) -> Mapping[str, float]:
        """Ids whose text holds one of the words, with their bm25 score: higher is better, above zero."""
        if not terms:
            return {}
        query = " OR ".join(f'"{term}"' for term in terms)
        with self._open() as db:
            rows = db.execute(
                "SELECT id, bm25(texts) FROM texts WHERE texts MATCH ? ORDER BY 2 LIMIT ?", (query, limit)
            )
            return {found: max(0.0, -score) for found, score in rows}

    def forget(self, prefix: str) -> Entry:
        """Remove the one entry whose id starts with ``prefix``."""
        with self._open(write=True) as db:
            entry = self._one(db, prefix)
            self._drop(db, entry.id)
        return entry

    def _variants(self, db: sqlite3.Connection, entry: Entry) -> list[Entry]:
        """The entries of the kernel, whatever its constants, for the same operator, shapes, language and target."""
        rows = db.execute(
            "SELECT data, trust FROM entries WHERE operator = ? AND dsl = ? AND target = ?",
            (operator_id(entry.operator), entry.dsl, entry.target),
        )
        known = [one for row in rows if (one := _entry(row)) is not None]
        own = variant_id(entry)
        return [one for one in known if one.id == entry.id or variant_id(one) == own]

    def _put(self, db: sqlite3.Connection, entry: Entry) -> None:
        self._drop(db, entry.id)
        row = (entry.id, operator_id(entry.operator), entry.task, entry.dsl, entry.target, entry.platform, entry.trust)
        texts = (entry.added, to_json(entry.features), to_json(entry))
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, *texts))
        db.execute("INSERT INTO texts VALUES (?, ?)", (entry.id, search_text(entry)))

    def _drop(self, db: sqlite3.Connection, found: str) -> None:
        db.execute("DELETE FROM texts WHERE id = ?", (found,))
        db.execute("DELETE FROM entries WHERE id = ?", (found,))

    def _one(self, db: sqlite3.Connection, prefix: str) -> Entry:
        size = len(prefix)
        rows = db.execute(
            "SELECT data, trust FROM entries WHERE substr(id, 1, ?) = ? LIMIT 2", (size, prefix)
        ).fetchall()
        if len(rows) > 1:
            raise ConfigError(f"the ids of several entries start with {prefix!r}: give more of it")
        entry = _entry(rows[0] if rows else None)
        if entry is None or not prefix:
            raise ConfigError(f"there is no entry {prefix!r} in {self.path}: akgflow knowledge list shows them")
        return entry

    @contextmanager
    def _open(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction; a missing store reads as empty, and is created by the first write."""
        try:
            with closing(self._connect(write)) as db:
                yield db
                db.commit()
        except (sqlite3.Error, OSError, ValueError, cattrs.BaseValidationError) as error:
            short = machine_error(error) or self._try_file()
            if short is not None and getattr(error, "errno", None) != errno.EROFS:
                raise MachineExhausted(f"the knowledge store {self.path}: {short.reason}") from error
            hint = "name another file with AKGFLOW_KNOWLEDGE, or knowledge.store in agents.yaml"
            raise KnowledgeError(f"the knowledge store {self.path} cannot be used ({error}): {hint}") from error

    def _try_file(self) -> MachineExhausted | None:
        """Why the system cannot open the file, which SQLite does not say."""
        try:
            os.close(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            return machine_error(error)
        return None

    def _connect(self, write: bool) -> sqlite3.Connection:
        if not write and not self.path.exists():
            return self._in_memory()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.parent.name == OWN and not self.path.exists():
            # A workspace is often a repository: what is in the store leaves it by a choice only.
            write_text(self.path.parent / ".gitignore", "*\n")
        db = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self._make(db)
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _in_memory() -> sqlite3.Connection:
        db = sqlite3.connect(":memory:")
        db.executescript(_SCHEMA)
        return db

    def _make(self, db: sqlite3.Connection) -> None:
        """Create the tables, unless another process has done so meanwhile."""
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ValueError(f"it has the form {version} of a later akgflow, and this one knows {VERSION}")
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")


@dataclass(frozen=True)
class Stores:
    """Several stores, read as one; where two have an entry, the first one's counts."""

    parts: tuple[Store, ...]

    def outlines(self) -> list[Outline]:
        """Like `Store.outlines`."""
        found: dict[str, Outline] = {}
        for part in self.parts:
            found = {one.id: one for one in part.outlines()} | found
        return list(found.values())

    def find(self, ids: Sequence[str]) -> dict[str, Entry]:
        """Like `Store.find`."""
        found: dict[str, Entry] = {}
        for part in self.parts:
            found = part.find(ids) | found
        return {one: found[one] for one in ids if one in found}

    def matching(self, terms: Sequence[str]) -> Mapping[str, float]:
        """Like `Store.matching`; scores are shares of the best in the same store, since they depend on all in it."""
        found: dict[str, float] = {}
        for part in self.parts:
            scores = part.matching(terms)
            best = max(scores.values(), default=0.0) or 1.0
            found = {one: score / best for one, score in scores.items()} | found
        return found


def _entry(row: Sequence[str] | None) -> Entry | None:
    return from_data({**json.loads(row[0]), "trust": row[1]}, Entry) if row else None


def to_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """Entries as lines of JSON, each with its id and digest, after a line that says what follows."""
    yield json.dumps({"akgflow knowledge": VERSION, "entries": len(entries)})
    for entry in entries:
        yield to_json({"id": entry.id, "digest": entry.digest, "entry": to_data(entry)})


def from_lines(lines: Sequence[str], file: str) -> list[Entry]:
    """The inverse of `to_lines`: entries as claims of the file's author.

    Raises `ConfigError` for the first line that is not one, or whose id or digest does not belong to it.
    """
    head, *rest = lines or [""]
    try:
        version = json.loads(head)["akgflow knowledge"]
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{file} is not an export of a knowledge store") from None
    if version != VERSION:
        raise ConfigError(f"{file} has the form {version}, and this akgflow knows {VERSION}")
    found = []
    for number, line in enumerate(rest, 2):
        try:
            data = json.loads(line)
            entry = from_data({**data["entry"], "trust": "imported"}, Entry)
        except (ValueError, KeyError, TypeError, cattrs.BaseValidationError) as error:
            raise ConfigError(f"{file}:{number}: not an entry ({error})") from None
        # Of the text: a verdict may have fields by now that it had not when it was exported.
        if (entry.id, digest_of(data["entry"])) != (data.get("id"), data.get("digest")):
            raise ConfigError(f"{file}:{number}: the entry was changed after its export: its digest does not fit")
        found.append(entry)
    return found
