"""The smallest sizes that fail, found with few questions; and numbers of an operator's file put in place of others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from akgflow.operators.shapes.numbers import numbers_in, with_numbers
from akgflow.operators.shapes.smaller import OutOfTime, Sizes, Smallest

Fails = Callable[[Sizes], bool]

CASES: dict[str, tuple[Fails, Sizes, Sizes | None]] = {
    "anything": (lambda _: True, {"m": 64, "n": 1009}, {"m": 1, "n": 1}),
    "nothing": (lambda _: False, {"m": 64, "n": 1009}, None),
    "one past a block": (lambda s: s["n"] > 256, {"m": 5, "n": 1009}, {"m": 1, "n": 257}),
    "a threshold between powers": (lambda s: s["n"] >= 777, {"n": 4096}, {"n": 777}),
    "its own shape only": (lambda s: s["n"] == 1009, {"n": 1009}, {"n": 1009}),
    "no multiple of eight": (lambda s: s["n"] % 8 != 0, {"n": 100}, {"n": 1}),
    "many elements, in whatever direction": (lambda s: s["m"] * s["n"] > 256, {"m": 5, "n": 1003}, {"m": 1, "n": 257}),
    "heads that divide the width": (
        lambda s: s["width"] % s["heads"] == 0 and s["width"] // s["heads"] >= 5 and s["heads"] > 1,
        {"width": 64, "heads": 4},
        {"width": 10, "heads": 2},
    ),
    "equal sizes": (lambda s: s["a"] == s["b"] > 50, {"a": 100, "b": 100}, {"a": 51, "b": 51}),
    "no sizes": (lambda _: True, {}, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_smallest_is_found_with_few_questions(name: str) -> None:
    fails, own, least = CASES[name]
    search = Smallest(own, fails)
    assert search.found() == least
    assert search.complete
    assert search.tried <= 250


def test_the_best_so_far_is_kept_when_time_is_up() -> None:
    asked: list[Sizes] = []

    def fails(sizes: Sizes) -> bool:
        if len(asked) == 20:
            raise OutOfTime
        asked.append(sizes)
        return sizes["n"] >= 300

    search = Smallest({"m": 7, "n": 5000}, fails)
    found = search.found()
    assert found is None or fails(found)
    assert not search.complete


OPERATOR = '''
"""An operator with 64 in its words."""
SHAPES = ((33, 96), (64, 128))
width = 40

class Model: scale = 64

def get_inputs():
    n, d = 64, 16  # 64 again
    return [rand(n, d), rand(64, 0x10), rand(1), rand(*SHAPES[0]), rand(width) / 3]

def get_init_inputs():
    return [64, True, 1.5]
'''


def test_numbers_of_the_functions_and_of_the_tables_that_they_read() -> None:
    found = numbers_in(OPERATOR)
    # Neither the words, nor the model, nor what has a name that a case can set, as the size n has.
    assert [one.value for one in found] == [33, 96, 64, 128, 3]
    changed = with_numbers(OPERATOR, {one: 7 for one in found if one.value in (64, 3)})
    assert "SHAPES = ((33, 96), (7, 128))" in changed
    assert "n, d = 64, 16  # 64 again" in changed
    assert "rand(width) / 7" in changed
    assert "scale = 64" in changed
