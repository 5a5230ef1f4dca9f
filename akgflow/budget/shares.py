"""One budget over several runs: a fair share for each, then what was left where it helps most.

The shares of all runs never add up to more than the budget, and each run keeps its own: so the budget holds, and none
starves another. Minutes are no share: all runs have the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akgflow.budget.ledger import Spent
from akgflow.config.types import Budget


@dataclass(frozen=True)
class Shares:
    """How a budget is shared out at the moment."""

    budget: Budget
    """The whole."""
    round: int = 1
    of: Mapping[str, Budget] = field(default_factory=dict)
    """By run."""
    begun_with: float = 0.0
    """Calls and device seconds that all runs had taken when the round began."""
    most: int = 0
    """The most runs that got something in this round."""


def fair(budget: Budget, names: tuple[str, ...], spent: Mapping[str, Spent]) -> Shares:
    """An equal part for each of what is not ``spent`` yet."""
    return Shares(budget, 1, _given(budget, dict.fromkeys(names, 1.0), names, spent), taken(spent), len(names))


def next_round(shares: Shares, wants: Mapping[str, float], spent: Mapping[str, Spent]) -> Shares | None:
    """What is left, for the runs that want more, in proportion to what it is worth to them.

    Where the round before brought no run a step further, parts were too small for one: half as many runs get larger
    ones, those with the greatest ``wants``. None where nobody wants more, or nothing came of giving it all to one.
    """
    idle = taken(spent) <= shares.begun_with
    most = min(len(wants), shares.most // 2 if idle else len(wants))
    if not wants or most == 0 or not _divided(shares.budget):
        return None
    first = sorted(wants, key=lambda name: -wants[name])[:most]
    names = tuple(shares.of)
    of = _given(shares.budget, {name: wants[name] for name in first}, names, spent)
    return Shares(shares.budget, shares.round + 1, of, taken(spent), most)


def taken(spent: Mapping[str, Spent]) -> float:
    """Calls and device seconds: what grows with every step."""
    return sum(one.calls + one.lost + one.device_seconds for one in spent.values())


def _divided(budget: Budget) -> bool:
    return any(one is not None for one in (budget.usd, budget.tokens, budget.device_minutes))


def _given(
    budget: Budget, weights: Mapping[str, float], names: tuple[str, ...], spent: Mapping[str, Spent]
) -> dict[str, Budget]:
    """Each keeps what it has spent; those with a weight get their part of the rest."""
    had = {name: spent.get(name, Spent()) for name in names}
    whole = sum(weights.values())

    def part(ceiling: float | None, used: Mapping[str, float], name: str) -> float | None:
        if ceiling is None:
            return None
        rest = max(0.0, ceiling - sum(used.values()))
        return used[name] + rest * weights.get(name, 0.0) / whole

    usd = {name: one.usd + one.excess_usd for name, one in had.items()}
    tokens = {name: float(one.tokens + one.excess) for name, one in had.items()}
    minutes = {name: one.device_seconds / 60 for name, one in had.items()}
    return {
        name: Budget(
            usd=part(budget.usd, usd, name),
            tokens=None if (some := part(budget.tokens, tokens, name)) is None else int(some),
            minutes=budget.minutes,
            device_minutes=part(budget.device_minutes, minutes, name),
        )
        for name in names
    }
