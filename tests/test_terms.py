"""Evidence has one order, and everything that compares evidence uses it."""

from __future__ import annotations

import pytest

from akgflow.terms import Evidence, in_order, strength

EXECUTED, INTERPRETED, COMPILED, LOWERED, NONE = Evidence


@pytest.mark.parametrize(
    ("asked", "have", "satisfied"),
    [
        (NONE, (), True),
        (LOWERED, (COMPILED,), True),
        (COMPILED, (INTERPRETED,), False),
        (INTERPRETED, (COMPILED,), False),
        (COMPILED, (EXECUTED,), True),
        (EXECUTED, (INTERPRETED, COMPILED, LOWERED), False),
    ],
)
def test_higher_evidence_stands_for_lower_and_side_by_side_for_nothing(
    asked: Evidence, have: tuple[Evidence, ...], satisfied: bool
) -> None:
    assert asked.satisfied_by(have) is satisfied


def test_it_is_listed_with_the_highest_first() -> None:
    assert in_order([LOWERED, COMPILED, EXECUTED, COMPILED]) == (EXECUTED, COMPILED, LOWERED)


def test_the_best_decides_then_the_next_best() -> None:
    ascending = [(), (NONE,), (LOWERED,), (COMPILED,), (COMPILED, LOWERED), (INTERPRETED, COMPILED), (EXECUTED,)]
    assert sorted(ascending, key=strength) == ascending
    assert strength((EXECUTED,)) > strength((INTERPRETED, COMPILED, LOWERED))
    assert strength((INTERPRETED,)) == strength((COMPILED,))
