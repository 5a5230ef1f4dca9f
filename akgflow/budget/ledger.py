"""What a run may spend and has spent: every call is reserved before it is made and settled after it.

How the ceilings are kept, the calls in flight included:

- *tokens*: a call reserves an upper bound of its prompt (a token for every two bytes, and room for what a server's chat
  template adds) plus the longest reply, which the request names as ``max_tokens``. A longer reply is cut off while it
  is read, and no call is charged more than it reserved. What a provider *claims* beyond is counted as excess and named
  in the result: it may be on the provider's bill, so no further call uses that room.
- *usd*: the same at the model's price. A model without a known price is refused before the first call, unless it says
  ``price: unknown``: then its calls are counted and their cost is not.
- *minutes*: wall time since the ledger was made, plus what earlier sessions of the same run took. When they are over,
  calls and judgements that run are cut off.
- *device minutes*: `akgflow.budget.device`.

A call that went out and brought no reply is booked at its reservation, for the provider may bill it:
`akgflow.budget.outstanding` keeps it over a kill. One that a server refused gives its room back.

A call that may fit once the calls in flight have settled waits for them, since they reserve far more than they take.
Only a call that cannot fit raises `BudgetError`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

from akgflow.budget.device import DeviceClock
from akgflow.budget.usage import AbortedSpend, Estimate, Usage
from akgflow.budget.wall import WallClock
from akgflow.config.types import Budget
from akgflow.errors import BudgetError


@dataclass(frozen=True)
class Spent:
    """What was spent so far."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    """Live calls of models without a known price."""
    device_seconds: float = 0.0
    lost: int = 0
    """Calls whose end is unknown, in the sums at what was reserved for them, and judgements that were cut off."""
    excess: int = 0
    """Tokens that providers claimed beyond reservations; not in the sums."""
    excess_usd: float = 0.0
    """The same in US dollars."""

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        """What both took."""
        return Spent(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(eq=False)
class Reservation:
    """Room held for one call until it is settled or released."""

    estimate: Estimate
    open: bool = field(default=True)


class Ledger:
    """What one run may spend and has spent. Use it from one event loop.

    ``wall`` is the clock of several runs that share their minutes.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        minutes_before: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        wall: WallClock | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._spent = Spent()
        self._held: set[Reservation] = set()
        self._change = asyncio.Event()
        self.wall = wall or WallClock(self._budget.minutes, before=minutes_before, clock=clock)
        self.device = DeviceClock(self._budget.device_minutes, self.wall)

    @property
    def spent(self) -> Spent:
        """What settled calls and judgements took."""
        return replace(self._spent, device_seconds=self.device.spent)

    @property
    def reserved(self) -> Estimate:
        """What the calls in flight hold."""
        held = [r.estimate for r in self._held]
        return Estimate(sum(e.prompt_tokens for e in held), sum(e.reply_tokens for e in held), sum(e.usd for e in held))

    @property
    def usd_is_bounded(self) -> bool:
        """True when the run has a ceiling in US dollars."""
        return self._budget.usd is not None

    async def reserve(self, estimate: Estimate) -> Reservation:
        """Hold room for a call; waits while calls in flight hold room that it needs.

        Raises `BudgetError` when the call does not fit into what is left even with nothing else in flight.
        """
        while True:
            self.wall.check()
            self._refuse_what_cannot_fit(estimate)
            if self._fits(estimate, self.reserved):
                reservation = Reservation(estimate)
                self._held.add(reservation)
                return reservation
            await self._change.wait()

    def settle(self, reservation: Reservation, usage: Usage, *, charge_usd: bool = True) -> Usage:
        """Replace a reservation by what the call took; returns what was charged."""
        booked = reservation.estimate.bound(usage)
        self.charge(booked, charge_usd=charge_usd)
        self.release(reservation)
        return booked

    def release(self, reservation: Reservation) -> None:
        """Return the room of a reservation; does nothing the second time."""
        if not reservation.open:
            return
        reservation.open = False
        self._held.discard(reservation)
        # One event per change: waiting calls wake and check again, later ones wait for the next event.
        self._change.set()
        self._change = asyncio.Event()

    def charge(self, usage: Usage, *, charge_usd: bool = True) -> None:
        """Charge a call without a reservation: one of an earlier session."""
        spent = self._spent
        self._spent = replace(
            spent,
            calls=spent.calls + 1,
            prompt_tokens=spent.prompt_tokens + usage.prompt_tokens,
            completion_tokens=spent.completion_tokens + usage.completion_tokens,
            usd=spent.usd + (usage.cost or 0.0 if charge_usd else 0.0),
            unpriced=spent.unpriced + (charge_usd and usage.cost is None),
            excess=spent.excess + usage.excess,
            excess_usd=spent.excess_usd + (usage.excess_usd if charge_usd else 0.0),
        )

    def charge_aborted(self, spend: AbortedSpend) -> None:
        """Charge what an earlier session spent without a result."""
        if spend.usage is not None:
            self.charge(spend.usage)
        self.device.charge(spend.device_seconds)
        self.count_aborted()

    def count_aborted(self) -> None:
        """Count one more call or judgement that was paid for and gave no result."""
        self._spent = replace(self._spent, lost=self._spent.lost + 1)

    def _fits(self, estimate: Estimate, others: Estimate) -> bool:
        return self._tokens_fit(estimate.tokens + others.tokens) and self._usd_fit(estimate.usd + others.usd)

    def _tokens_fit(self, tokens: int) -> bool:
        ceiling, spent = self._budget.tokens, self._spent
        return ceiling is None or spent.tokens + spent.excess + tokens <= ceiling

    def _usd_fit(self, usd: float) -> bool:
        ceiling, spent = self._budget.usd, self._spent
        return ceiling is None or spent.usd + spent.excess_usd + usd <= ceiling

    def _refuse_what_cannot_fit(self, estimate: Estimate) -> None:
        budget, spent = self._budget, self._spent
        if not self._tokens_fit(estimate.tokens):
            claimed = f" (and {spent.excess:,} more claimed)" if spent.excess else ""
            raise BudgetError(
                f"the next model call may take up to {estimate.tokens:,} tokens and {spent.tokens:,} of "
                f"{budget.tokens:,} are spent{claimed}: raise budget.tokens or lower the model's max_tokens"
            )
        if not self._usd_fit(estimate.usd):
            claimed = f" (and ${spent.excess_usd:.4f} more claimed)" if spent.excess_usd else ""
            raise BudgetError(
                f"the next model call may cost up to ${estimate.usd:.4f} and ${spent.usd:.4f} of "
                f"${budget.usd or 0.0:.2f} is spent{claimed}: raise budget.usd or lower the model's max_tokens"
            )
