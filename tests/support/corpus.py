"""The corpus: small kernels, each with the status that the judge must give it, and the table that lists them.

    python tests/support/corpus.py        writes docs/corpus.md

A member is a candidate module whose docstring is its header, lines of ``key: value``:

``operator``   the file in ``tests/corpus/operators`` that it answers
``family``     the family that `docs/corpus.md` lists it under
``does``       one line
``status``     the status that it must get; several where the mechanism can honestly end in several ways
``where``      ``cpu``, or ``gpu`` where a device is needed
``toolchain``  ``cpp``, ``triton`` or ``cuda_c``
``message``    words that the verdict's message must contain (optional)
``time``       ``yes`` to have it timed as well (optional)
``call``       what a timing may call it; a timing may always be missing, since a busy machine gives none (optional)
``dtype``      what floating inputs are cast to (optional)
``layouts``    ``any`` where it must take inputs of any layout (optional)
``precision``  the contract that it is judged under (optional)
``prepare``    calls over which preparing is spread, where ``prepare()`` is called (optional)
``seconds``    the limit on its calls (optional)
``open``       why the judge still gets it wrong, where it does (optional)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from akgflow.operators.preparation import Preparation
from akgflow.operators.text import whole

FOLDER = Path(__file__).resolve().parents[1] / "corpus"
TABLE = FOLDER.parents[1] / "docs" / "corpus.md"
NEEDED = ("operator", "family", "does", "status", "where", "toolchain")
OPTIONAL = ("message", "time", "call", "dtype", "layouts", "precision", "prepare", "seconds", "open")


@dataclass(frozen=True)
class Member:
    """One kernel. ``honest`` says which of the two folders it is in; ``header`` is its docstring by key."""

    file: Path
    header: dict[str, str]

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def honest(self) -> bool:
        return self.file.parent.name == "honest"

    @property
    def family(self) -> str:
        return self.header["family"]

    @property
    def on_gpu(self) -> bool:
        return self.header["where"] == "gpu"

    @property
    def timed(self) -> bool:
        return self.header.get("time") == "yes"

    @property
    def statuses(self) -> set[str]:
        return set(self.header["status"].split())

    @property
    def operator(self) -> Path:
        return FOLDER / "operators" / f"{self.header['operator']}.py"

    @property
    def operator_text(self) -> str:
        """The operator's text as it is judged."""
        calls = self.header.get("prepare")
        source = self.operator.read_text(encoding="utf-8")
        return whole(source, {}, None, prepare=Preparation(int(calls)) if calls else None)

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")


def read(file: Path) -> Member:
    """The member in ``file``; raises `ValueError` where its header is not one."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    header = dict(line.split(": ", 1) for line in text.splitlines())
    unknown = set(header) - {*NEEDED, *OPTIONAL}
    missing = set(NEEDED) - set(header)
    if unknown or missing:
        raise ValueError(f"{file}: the header lacks {sorted(missing)} and has the unknown {sorted(unknown)}")
    return Member(file, header)


@cache
def members() -> tuple[Member, ...]:
    """All of them, the honest ones first, by name."""
    return tuple(read(file) for kind in ("honest", "dishonest") for file in sorted((FOLDER / kind).glob("*.py")))


def table() -> str:
    """``docs/corpus.md``."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    honest = [one for one in members() if one.honest]
    wrong = [one for one in members() if not one.honest]
    yield "# The corpus"
    yield ""
    yield (
        f"`tests/corpus/` holds {len(wrong)} kernels that are dishonest or wrong and {len(honest)} that are honest. "
        "Each is one candidate module whose first lines say what it does and which status the judge must give it. "
        "`tests/corpus/test_corpus.py` holds the judge to all of them; `akgflow verify` on any of them says the same."
    )
    yield ""
    yield "Written by `python tests/support/corpus.py` from the headers of the kernels; a test says when it is old."
    for title, group in (("Dishonest or wrong", wrong), ("Honest", honest)):
        yield from ("", f"## {title}", "")
        yield from ("| family | kernel | what it does | status | where |", "|---|---|---|---|---|")
        for one in sorted(group, key=lambda m: (m.family, m.name)):
            link = f"[{one.name}](../tests/corpus/{one.file.parent.name}/{one.file.name})"
            place = f"{one.header['where']}, {one.header['toolchain']}"
            place += f", {one.header['precision']}" if "precision" in one.header else ""
            yield f"| {one.family} | {link} | {one.header['does']} | {_status(one)} | {place} |"


def _status(one: Member) -> str:
    status = " or ".join(sorted(one.statuses))
    if "open" in one.header:
        status += f" (still misjudged: {one.header['open']})"
    return f"{status}, called {' or '.join(one.header['call'].split())} if timed" if "call" in one.header else status


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(), encoding="utf-8")
