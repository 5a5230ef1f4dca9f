"""What a run may spend and has spent: every call is reserved before it is made and settled after it.

How the ceilings are kept:

- *tokens*: a call reserves an upper estimate of its prompt (a token for every three bytes: no tokenizer is needed, and
  English and code take fewer) plus all the tokens that it may answer; what it really took replaces that.
- *usd*: the same at the model's price. Where no price is known nothing can be reserved; the gateway says so once.
- *minutes*: wall time since the ledger was made, plus what earlier sittings of the same run took.

A call that would fit once the calls in flight have settled waits for them, for they reserve far more than they
take. Only a call that cannot fit raises `BudgetError`. A provider that answers with more than it was allowed to
can still overshoot by that much; the next call is then refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from akgflow.config.types import Budget, ModelSpec, Price
from akgflow.errors import BudgetError
from akgflow.models.base import Message, Usage

OUTPUT_TOKENS = 16_000
"""Reserved for a reply where the model's params set no ``max_tokens``."""

_BYTES_PER_TOKEN = 3
_TOKENS_PER_MESSAGE = 8


def estimate_tokens(text: str) -> int:
    """An upper estimate of the tokens of ``text``, without a tokenizer."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def max_output_tokens(spec: ModelSpec) -> int:
    """The most tokens that one reply of this model may have."""
    value = spec.params.get("max_completion_tokens") or spec.params.get("max_tokens") or OUTPUT_TOKENS
    return int(value)


@dataclass(frozen=True)
class Estimate:
    """What one call may take at most. ``usd`` is 0 where no price is known."""

    tokens: int
    usd: float = 0.0

    @classmethod
    def of(cls, messages: Sequence[Message], spec: ModelSpec, price: Price | None) -> Estimate:
        """The most that asking ``spec`` these messages can take."""
        prompt = sum(estimate_tokens(m.content) + _TOKENS_PER_MESSAGE for m in messages)
        reply = max_output_tokens(spec)
        return cls(prompt + reply, (prompt * price.input + reply * price.output) / 1e6 if price else 0.0)


@dataclass(frozen=True)
class Spent:
    """What was spent so far. ``unpriced`` counts the live calls whose price nobody knows."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(eq=False)
class Reservation:
    """Room held for one call until it is settled or released."""

    estimate: Estimate
    open: bool = field(default=True)


class Ledger:
    """The account of one run. Use it from one event loop."""

    def __init__(
        self, budget: Budget | None = None, *, minutes_before: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget = budget or Budget()
        self._clock = clock
        self._start = clock() - 60.0 * minutes_before
        self._spent = Spent()
        self._held: set[Reservation] = set()
        self._change = asyncio.Event()

    @property
    def spent(self) -> Spent:
        """What settled calls took."""
        return self._spent

    @property
    def reserved(self) -> Estimate:
        """What the calls in flight hold."""
        held = [r.estimate for r in self._held]
        return Estimate(sum(e.tokens for e in held), sum(e.usd for e in held))

    @property
    def usd_is_bounded(self) -> bool:
        """True when the run has a ceiling in US dollars."""
        return self._budget.usd is not None

    def seconds_left(self) -> float | None:
        """Wall seconds until the ceiling, never negative; None where there is none."""
        if self._budget.minutes is None:
            return None
        return max(0.0, 60.0 * self._budget.minutes - (self._clock() - self._start))

    def check_time(self) -> None:
        """Raise `BudgetError` when the minutes are over."""
        if self.seconds_left() == 0.0:
            raise BudgetError(
                f"the budget of {self._budget.minutes:g} minutes is spent: raise budget.minutes and run the same "
                "command again to go on"
            )

    async def reserve(self, estimate: Estimate) -> Reservation:
        """Hold room for a call; waits while calls in flight hold room that it needs.

        Raises `BudgetError` when the call does not fit into what is left even with nothing else in flight.
        """
        while True:
            self.check_time()
            self._refuse_what_cannot_fit(estimate)
            if self._fits(estimate, self.reserved):
                reservation = Reservation(estimate)
                self._held.add(reservation)
                return reservation
            await self._change.wait()

    def settle(self, reservation: Reservation, usage: Usage, *, charge_usd: bool = True) -> None:
        """Replace a reservation by what the call really took."""
        self.charge(usage, charge_usd=charge_usd)
        self.release(reservation)

    def release(self, reservation: Reservation) -> None:
        """Give the room back; harmless when it was given back before."""
        if not reservation.open:
            return
        reservation.open = False
        self._held.discard(reservation)
        # An event is for one change: whoever waits wakes and looks again, whoever comes later waits for the next.
        self._change.set()
        self._change = asyncio.Event()

    def charge(self, usage: Usage, *, charge_usd: bool = True) -> None:
        """Book a call that was made without a reservation: one read back from the journal of an unfinished run."""
        spent = self._spent
        self._spent = Spent(
            spent.calls + 1,
            spent.prompt_tokens + usage.prompt_tokens,
            spent.completion_tokens + usage.completion_tokens,
            spent.usd + (usage.cost or 0.0 if charge_usd else 0.0),
            spent.unpriced + (charge_usd and usage.cost is None),
        )

    def _fits(self, estimate: Estimate, others: Estimate) -> bool:
        budget, spent = self._budget, self._spent
        tokens_fit = budget.tokens is None or spent.tokens + others.tokens + estimate.tokens <= budget.tokens
        return tokens_fit and (budget.usd is None or spent.usd + others.usd + estimate.usd <= budget.usd)

    def _refuse_what_cannot_fit(self, estimate: Estimate) -> None:
        if self._fits(estimate, Estimate(0)):
            return
        budget, spent = self._budget, self._spent
        if budget.tokens is not None and spent.tokens + estimate.tokens > budget.tokens:
            raise BudgetError(
                f"the next model call may take up to {estimate.tokens:,} tokens and {spent.tokens:,} of "
                f"{budget.tokens:,} are spent: raise budget.tokens or lower the model's max_tokens"
            )
        raise BudgetError(
            f"the next model call may cost up to ${estimate.usd:.4f} and ${spent.usd:.4f} of "
            f"${budget.usd or 0.0:.2f} is spent: raise budget.usd or lower the model's max_tokens"
        )
