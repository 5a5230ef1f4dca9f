"""The account of a run."""

from __future__ import annotations

import asyncio
import random

import pytest

from akgflow.config.types import Budget, ModelSpec, Price
from akgflow.errors import BudgetError
from akgflow.models import Estimate, Ledger, Message, Usage, estimate_tokens, max_output_tokens


def test_estimate_is_an_upper_bound_for_ordinary_text() -> None:
    # Token counts of cl100k_base, taken once with its tokenizer.
    for text, tokens in [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("def forward(self, x):\n    return torch.relu(x @ self.weight + self.bias)\n", 19),
        ("", 0),
    ]:
        assert tokens <= estimate_tokens(text)
    assert estimate_tokens("中文") >= 2


@pytest.mark.parametrize(
    "params, tokens",
    [({}, 16_000), ({"max_tokens": 50}, 50), ({"max_completion_tokens": 70, "max_tokens": 50}, 70)],
)
def test_output_reserve(params: dict[str, int], tokens: int) -> None:
    assert max_output_tokens(ModelSpec("m", "openai/m", params)) == tokens


def test_estimate_of_a_call() -> None:
    spec = ModelSpec("m", "openai/m", {"max_tokens": 100})
    got = Estimate.of([Message("user", "x" * 300)], spec, Price(1.0, 10.0))
    # A token for every two bytes, 8 for a message, 128 for what a chat template adds.
    assert (got.prompt_tokens, got.reply_tokens, got.tokens) == (286, 100, 386)
    assert got.usd == pytest.approx((286 * 1.0 + 100 * 10.0) / 1e6)


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
