"""The account of a run."""

from __future__ import annotations

import asyncio
import random

import pytest

from akgflow.budget.ledger import Ledger
from akgflow.budget.usage import Estimate, Usage
from akgflow.config.types import Budget
from akgflow.errors import BudgetError


@pytest.mark.parametrize("budget", [Budget(tokens=100), Budget(usd=1.0)])
def test_what_cannot_fit_is_refused_at_once(budget: Budget) -> None:
    with pytest.raises(BudgetError, match=r"raise budget\.(tokens|usd)"):
        asyncio.run(Ledger(budget).reserve(Estimate(101, 0, 1.01)))


def test_a_journal_read_back_counts() -> None:
    ledger = Ledger(Budget(tokens=100))
    ledger.charge(Usage(50, 45, 0.5))
    assert (ledger.spent.tokens, ledger.spent.usd) == (95, 0.5)
    with pytest.raises(BudgetError):
        asyncio.run(ledger.reserve(Estimate(6)))


def test_minutes() -> None:
    now = 0.0
    ledger = Ledger(Budget(minutes=10), minutes_before=9, clock=lambda: now)
    assert ledger.wall.left == 60.0
    asyncio.run(ledger.reserve(Estimate(1)))
    now = 61.0
    assert ledger.wall.left == 0.0
    with pytest.raises(BudgetError, match="budget of 10 minutes"):
        asyncio.run(ledger.reserve(Estimate(1)))
    assert Ledger().wall.left is None


def test_a_waiting_call_goes_on_when_room_is_released() -> None:
    async def main() -> None:
        ledger = Ledger(Budget(tokens=100))
        first = await ledger.reserve(Estimate(80))
        waiting = asyncio.create_task(ledger.reserve(Estimate(80)))
        await asyncio.sleep(0)
        assert not waiting.done()
        ledger.release(first)
        ledger.release(first)
        await asyncio.wait_for(waiting, 1)
        assert ledger.reserved.tokens == 80

    asyncio.run(main())


def test_a_waiting_call_is_refused_when_the_room_is_used_up() -> None:
    async def main() -> None:
        ledger = Ledger(Budget(tokens=100))
        first = await ledger.reserve(Estimate(80))
        waiting = asyncio.create_task(ledger.reserve(Estimate(80)))
        await asyncio.sleep(0)
        ledger.settle(first, Usage(40, 40))
        with pytest.raises(BudgetError):
            await asyncio.wait_for(waiting, 1)

    asyncio.run(main())


def test_spent_and_reserved_never_exceed_the_ceiling_in_any_order() -> None:
    draw = random.Random(3)
    ceiling = 5000

    async def one(ledger: Ledger) -> int:
        most = draw.randrange(1, 900)
        try:
            held = await ledger.reserve(Estimate(most))
        except BudgetError:
            return 0
        for _ in range(draw.randrange(5)):
            await asyncio.sleep(0)
        assert ledger.spent.tokens + ledger.reserved.tokens <= ceiling
        took = draw.randrange(most + 1)
        ledger.settle(held, Usage(took, 0))
        return took

    async def main() -> None:
        ledger = Ledger(Budget(tokens=ceiling))
        took = await asyncio.gather(*(one(ledger) for _ in range(200)))
        assert sum(took) == ledger.spent.tokens <= ceiling
        assert ledger.reserved.tokens == 0

    asyncio.run(main())
