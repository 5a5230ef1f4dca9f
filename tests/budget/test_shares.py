"""One budget over several runs: fair at first, then to those for whom more is worth most, and never above the whole."""

from __future__ import annotations

import pytest

from akgflow.budget.ledger import Spent
from akgflow.budget.shares import Shares, fair, next_round
from akgflow.config.types import Budget

NAMES = ("a", "b", "c", "d")
WHOLE = Budget(usd=8.0, tokens=4_000, minutes=30, device_minutes=4)


def total(shares: Shares) -> tuple[float, int, float]:
    of = shares.of.values()
    return sum(o.usd or 0 for o in of), sum(o.tokens or 0 for o in of), sum(o.device_minutes or 0 for o in of)


def test_everybody_has_the_same_and_all_the_minutes() -> None:
    shares = fair(WHOLE, NAMES, {})
    assert set(shares.of.values()) == {Budget(2.0, 1_000, 30, 1.0)}
    assert total(shares) == (8.0, 4_000, 4.0)


def test_a_raised_budget_is_shared_over_what_was_spent() -> None:
    spent = {"a": Spent(calls=2, prompt_tokens=1_000, usd=2.0)}
    shares = fair(WHOLE, NAMES, spent)
    assert shares.of["a"].usd == pytest.approx(2.0 + 6.0 / 4) and shares.of["b"].usd == pytest.approx(6.0 / 4)
    assert total(shares)[:2] == (pytest.approx(8.0), 4_000)


def test_what_is_left_goes_to_those_who_want_it_in_proportion() -> None:
    shares = fair(WHOLE, NAMES, {})
    spent = {"a": Spent(calls=1, usd=0.5), "b": Spent(calls=9, usd=2.0), "c": Spent(calls=9, usd=1.5)}
    more = next_round(shares, {"b": 3.0, "c": 1.0}, spent)
    assert more is not None
    # $4 are left: three quarters to b.
    assert {name: one.usd for name, one in more.of.items()} == pytest.approx({"a": 0.5, "b": 5.0, "c": 2.5, "d": 0.0})
    assert total(more)[0] == pytest.approx(8.0)


def test_tokens_that_were_claimed_beyond_a_reservation_are_not_given_away() -> None:
    more = next_round(fair(WHOLE, NAMES, {}), {"b": 1.0}, {"a": Spent(calls=1, prompt_tokens=500, excess=1_000)})
    assert more is not None and more.of["b"].tokens == 4_000 - 1_500


def test_parts_that_are_too_small_for_a_step_get_larger_until_one_has_all() -> None:
    shares: Shares | None = fair(WHOLE, NAMES, {})
    wants = {"a": 1.0, "b": 4.0, "c": 2.0, "d": 3.0}
    got = []
    while shares is not None:
        got.append(sorted(name for name, one in shares.of.items() if one.usd))
        shares = next_round(shares, wants, {})
    assert got == [["a", "b", "c", "d"], ["b", "d"], ["b"]]


def test_after_a_step_all_who_want_more_are_asked_again() -> None:
    one_alone = Shares(WHOLE, 3, fair(WHOLE, NAMES, {}).of, begun_with=0.0, most=1)
    more = next_round(one_alone, {"a": 1.0, "b": 1.0}, {"a": Spent(calls=1, usd=0.1)})
    assert more is not None and more.most == 2


@pytest.mark.parametrize("budget", [Budget(), Budget(minutes=5)])
def test_minutes_alone_are_nothing_to_give_out(budget: Budget) -> None:
    assert next_round(fair(budget, NAMES, {}), {"a": 1.0}, {"a": Spent(calls=1)}) is None
