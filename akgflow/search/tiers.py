"""Drawing from a population by tier: good, middling and poor, by rank."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from akgflow.search.pool import Judged
from akgflow.search.quality import ranks

TIERS = 3


def tiers(pool: Sequence[Judged]) -> list[list[Judged]]:
    """The pool in three tiers of ranks, the best first; those that cannot be told apart are in the same one."""
    found = ranks([judged.verdict for judged in pool])
    groups = max(found, default=0) + 1
    cut: list[list[Judged]] = [[] for _ in range(TIERS)]
    for judged, rank in zip(pool, found, strict=True):
        cut[rank * TIERS // groups].append(judged)
    return cut


def draw(pool: Sequence[Judged], count: int, weights: Sequence[float], random: Random) -> list[Judged]:
    """Up to ``count`` different members: a tier by its weight, then one of it by chance."""
    drawn: list[Judged] = []
    left = tiers(pool)
    while len(drawn) < count and any(left):
        chances = [weight if tier else 0.0 for tier, weight in zip(left, weights, strict=True)]
        usable = chances if any(chances) else [float(bool(tier)) for tier in left]
        (tier,) = random.choices(left, usable)
        drawn.append(tier.pop(random.randrange(len(tier))))
    return drawn


def inspirations(pool: Sequence[Judged], count: int, random: Random, *, without: Sequence[Judged] = ()) -> list[Judged]:
    """Up to ``count`` right candidates to look at, one from each tier in turn, none of ``without``."""
    shunned = {judged.candidate.id for judged in without}
    right = [judged for judged in pool if judged.verdict.passed and judged.candidate.id not in shunned]
    left = tiers(right)
    drawn: list[Judged] = []
    while len(drawn) < count and any(left):
        for tier in left:
            if tier and len(drawn) < count:
                drawn.append(tier.pop(random.randrange(len(tier))))
    return drawn
