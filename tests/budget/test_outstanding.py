"""Calls that went out, on disk before they do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from akgflow.budget.outstanding import CallLog, reserved_usage
from akgflow.budget.usage import Estimate
from akgflow.errors import PathError

RESERVED = reserved_usage(Estimate(137, 100, 0.01), priced=True)


def left(path: Path, answered: set[str] = frozenset(), settled: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """Ids that a later session finds."""
    return [call.id for call in CallLog(path).left(answered, settled)]


def test_what_is_neither_answered_nor_settled_is_left(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    log = CallLog(path)
    first = log.send("a.code.1.1.coder", "a.code", "m", RESERVED)
    assert left(path) == ["a.code.1.1.coder#1"]
    assert (first.key, first.step, first.reserved.tokens, first.reserved.cost) == (
        "a.code.1.1.coder",
        "a.code",
        237,
        0.01,
    )
    log.refuse(first)
    assert left(path) == []
    log.send("a.code.1.1.coder", "a.code", "m", RESERVED)
    log.send("a.code.1.1.coder", "a.code", "m", RESERVED)
    log.send("b.code.1.1.coder", "b.code", "m", RESERVED)
    # An answer is that of the last time that its call went out.
    assert left(path, {"a.code.1.1.coder"}) == ["a.code.1.1.coder#2", "b.code.1.1.coder#1"]
    assert left(path, {"a.code.1.1.coder"}, {"a.code.1.1.coder#2"}) == ["b.code.1.1.coder#1"]


def test_the_numbers_go_on_in_a_later_session(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    CallLog(path).send("k", "s", "m", RESERVED)
    assert CallLog(path).send("k", "s", "m", RESERVED).id == "k#2"
    assert left(path) == ["k#1", "k#2"]


def test_a_torn_line_is_a_call_that_never_went_out(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    CallLog(path).send("k", "s", "m", RESERVED)
    whole = path.read_bytes()
    for cut in range(len(whole), len(whole) * 2 - 1, 7):
        path.write_bytes((whole + whole.replace(b"k#1", b"k#2"))[:cut])
        assert left(path) == ["k#1"]
        CallLog(path).send("other", "s", "m", RESERVED)
        assert left(path) == ["k#1", "other#1"]


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"id": 1}', "nonsense", '{"id": "a#1", "step": "s"}', "7"])
def test_a_line_that_is_no_entry_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps({"refused": "x#1"}) + f"\n{line}\n")
    with pytest.raises(PathError, match=r"calls\.jsonl:2: .*--fresh"):
        CallLog(path)
