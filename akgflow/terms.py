"""Evidence and verdict status, which every layer uses."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Evidence(StrEnum):
    """What a verdict rests on: ``executed > interpreted, compiled (side by side) > lowered > none``."""

    EXECUTED = "executed"
    INTERPRETED = "interpreted"
    COMPILED = "compiled"
    LOWERED = "lowered"
    NONE = "none"

    @property
    def rank(self) -> int:
        """Place in the order; evidence of equal rank does not replace each other."""
        return _RANK[self]

    def satisfied_by(self, have: tuple[Evidence, ...]) -> bool:
        """True when ``have`` holds this evidence itself or any of a strictly higher rank."""
        return self is Evidence.NONE or any(e is self or e.rank > self.rank for e in have)


_RANK = {
    Evidence.EXECUTED: 3,
    Evidence.INTERPRETED: 2,
    Evidence.COMPILED: 2,
    Evidence.LOWERED: 1,
    Evidence.NONE: 0,
}


def in_order(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Each once, the highest rank first; those side by side in the order in which they are defined."""
    have = set(found)
    return tuple(evidence for evidence in Evidence if evidence in have)


def strength(found: Iterable[Evidence]) -> tuple[int, ...]:
    """What a set of evidence sorts by: the best of it decides, then the next best; one more is better than none."""
    return tuple(sorted((evidence.rank for evidence in set(found)), reverse=True))


class Status(StrEnum):
    """Outcome of judging one candidate on one target.

    The first seven are flashinfer-bench's ``EvaluationStatus``; the others say what it has no word for.
    """

    PASSED = "PASSED"
    INCORRECT_SHAPE = "INCORRECT_SHAPE"
    INCORRECT_DTYPE = "INCORRECT_DTYPE"
    INCORRECT_NUMERICAL = "INCORRECT_NUMERICAL"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    COMPILE_ERROR = "COMPILE_ERROR"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    INVALID = "INVALID"
    """The module is not a candidate: no ``ModelNew``, other constructor, other parameter names."""
    FALLBACK = "FALLBACK"
    """The DSL did not do the work."""
    REFUSED = "REFUSED"
    """Integrity: inputs or parameters changed, outputs aliased, a time below what the target can do."""
    NOT_RUN = "NOT_RUN"
    """Nothing was judged; the message gives the reason."""
