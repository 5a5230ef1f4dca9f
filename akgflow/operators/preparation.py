"""What is asked of candidates that prepare their weights once for many calls, and what that was measured to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

CALLS = 1000
"""Calls over which preparing is spread where a task names no number."""


class Preparation(NamedTuple):
    """That ``prepare()`` of a candidate is called whenever its weights are new."""

    calls: int = CALLS
    """Over which a speedup spreads what it takes."""

    @classmethod
    def of(cls, value: bool | Mapping[str, Any] | None) -> Preparation | None:
        """``true``, ``{calls: 100}``; None for ``false`` and for nothing."""
        if isinstance(value, Mapping):
            return cls(int(value.get("calls", CALLS)))
        return cls() if value else None

    @property
    def words(self) -> str:
        """For who reads the operator: that its weights stay for many calls."""
        return f"Its weights change now and then: kernels may prepare them once for {self.calls:,} calls."

    @property
    def advice(self) -> str:
        """For who writes a kernel: when ``prepare()`` is called, and what it may do."""
        return _ADVICE.format(calls=self.calls)


_ADVICE = """\
`ModelNew` may define `prepare(self)`. It is called after the weights are in place and again whenever they have changed
(in place, under the same names), before the next call. There it packs, transposes or quantises weights for the kernels,
into attributes of its own: the parameters and buffers that `Model` has must stay as they are. PyTorch may move elements
there, and round and scale a few times as many as there are weights; products and anything larger take kernels. Inputs
are not known then, and nothing of an earlier call may be used. What it takes counts as spread over {calls:,} calls.
Nothing else may be kept of the weights from one call to the next: what `prepare` does not make is computed again."""


@dataclass(frozen=True)
class Prepared:
    """What preparing took, and what it makes of a speedup."""

    seconds: float
    """Of one ``prepare()`` on the judge's clock, with what it leaves to the first calls after it."""
    interval: tuple[float, float]
    """Within which most of several were."""
    bytes: int
    """By which it made its process grow, on a GPU the memory of the device."""
    calls: int
    """Over which the speedup spreads it."""
    alone: float
    """The speedup of the calls alone."""
    alone_interval: tuple[float, float]
    pays_after: int | None
    """Calls after which it has paid for itself against this baseline; None where calls are not quicker than that."""
