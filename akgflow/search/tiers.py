"""Draws from a population by tier of rank: good, middling and poor."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from akgflow.search.pool import Judged
from akgflow.search.quality import ranks

TIERS = 3


def tiers(pool: Sequence[Judged]) -> list[list[Judged]]:
    """The pool in three tiers of ranks, the best first; equal ranks are in the same tier."""
    found = ranks([judged.verdict for judged in pool])
    groups = max(found, default=0) + 1
    cut: list[list[Judged]] = [[] for _ in range(TIERS)]
    for judged, rank in zip(pool, found, strict=True):
        cut[rank * TIERS // groups].append(judged)
    return cut


def draw(pool: Sequence[Judged], count: int, weights: Sequence[float], random: Random) -> list[Judged]:
    """Up to ``count`` different members: draws a tier by its weight, then a member of it uniformly."""
    drawn: list[Judged] = []
    left = tiers(pool)
    while len(drawn) < count and any(left):
        chances = [weight if tier else 0.0 for tier, weight in zip(left, weights, strict=True)]
        usable = chances if any(chances) else [float(bool(tier)) for tier in left]
        (tier,) = random.choices(left, usable)
        drawn.append(tier.pop(random.randrange(len(tier))))
    return drawn


def inspirations(pool: Sequence[Judged], count: int, random: Random, *, without: Sequence[Judged] = ()) -> list[Judged]:
    """Up to ``count`` passed candidates, one from each tier in turn, none of ``without``."""
    excluded = {judged.candidate.id for judged in without}
    right = [judged for judged in pool if judged.verdict.passed and judged.candidate.id not in excluded]
    left = tiers(right)
    drawn: list[Judged] = []
    while len(drawn) < count and any(left):
        for tier in left:
            if tier and len(drawn) < count:
                drawn.append(tier.pop(random.randrange(len(tier))))
    return drawn
