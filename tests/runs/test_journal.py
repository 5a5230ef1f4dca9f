"""The journal: what is finished is never done again, and a torn end does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from akgflow.runs import DamagedRun
from akgflow.runs.journal import Journal


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Opens the journal of this test, again and again; closes them all."""
    journals: list[Journal] = []

    def open_one() -> Journal:
        journals.append(Journal(tmp_path / "j"))
        return journals[-1]

    yield open_one
    for journal in journals:
        journal.close()


Opened = Callable[[], Journal]


def once(journal: Journal, key: str, value: int, calls: list[str]) -> int:
    async def effect() -> int:
        calls.append(key)
        return value

    return asyncio.run(journal.once(key, int, effect))


def test_a_finished_effect_is_read_back_by_the_next_session(tmp_path: Path, opened: Opened) -> None:
    calls: list[str] = []
    first = opened()
    assert once(first, "a", 1, calls) == 1
    first.close()
    second = opened()
    assert once(second, "a", 2, calls) == 1
    assert once(second, "b", 3, calls) == 3
    assert calls == ["a", "b"]


@pytest.mark.parametrize("cut", range(2, 40, 6))
def test_a_torn_last_line_is_dropped_and_the_rest_kept(tmp_path: Path, opened: Opened, cut: int) -> None:
    calls: list[str] = []
    journal = opened()
    once(journal, "a", 1, calls)
    once(journal, "b", 2, calls)
    journal.close()
    raw = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(raw[:-cut])
    again = opened()
    assert "a" in again
    assert "b" not in again
    assert once(again, "b", 5, calls) == 5
    again.close()
    assert len(opened()) == 2


def test_equal_effects_side_by_side_happen_once(tmp_path: Path, opened: Opened) -> None:
    calls: list[int] = []

    async def effect() -> int:
        calls.append(1)
        await asyncio.sleep(0.01)
        return 7

    async def both() -> list[int]:
        journal = opened()
        return list(await asyncio.gather(*(journal.once("k", int, effect) for _ in range(3))))

    assert asyncio.run(both()) == [7, 7, 7]
    assert calls == [1]


def test_a_failed_effect_is_not_kept(tmp_path: Path, opened: Opened) -> None:
    journal = opened()

    async def effect() -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        asyncio.run(journal.once("k", int, effect))
    assert "k" not in journal


def test_a_foreign_file_is_named_with_its_line(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "j").write_text('{"key": "a", "seconds": 1, "data": 1}\n{"not": "ours"}\n')
    with pytest.raises(DamagedRun, match=r"j:2:1: this line of the journal cannot be used: it is no"):
        opened()


def test_minutes_of_earlier_sessions_are_remembered(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "j").write_text('{"key": "a", "seconds": 90.0, "data": 1}\n')
    assert opened().minutes_before == pytest.approx(1.5)


def test_who_only_reads_leaves_a_line_that_is_being_written(tmp_path: Path, opened: Opened) -> None:
    journal = opened()
    once(journal, "a", 1, [])
    journal.close()
    path = tmp_path / "j"
    path.write_bytes(path.read_bytes() + b'{"key": "b", "sec')
    before = path.read_bytes()
    assert [key for key, _ in Journal(path, mend=False).items("")] == ["a"]
    assert path.read_bytes() == before
