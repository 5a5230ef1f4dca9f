"""Populations that evolve apart and exchange their best now and then."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from akgflow.search.pool import Judged

ROUND = 3
"""How many contenders fight for a place among those who survive by chance."""


class Islands:
    """``number`` populations of up to ``population`` members each."""

    def __init__(self, number: int, population: int, elites: int) -> None:
        self._population = population
        self._elites = elites
        self.members: list[list[Judged]] = [[] for _ in range(number)]

    def settle(self, pool: Sequence[Judged], random: Random) -> None:
        """Deal the first candidates out in turn; where there are fewer than islands, all of them live on each."""
        number = len(self.members)
        for island, members in enumerate(self.members):
            members[:] = self._survivors(pool[island::number] if len(pool) >= number else pool, random)

    def renew(self, island: int, children: Sequence[Judged], random: Random) -> None:
        """The next generation of an island: its elites, and winners of small contests among all others."""
        self.members[island] = self._survivors([*self.members[island], *children], random)

    def migrate(self) -> None:
        """The best of each island also lives on the next one from now on, in the place of its poorest."""
        if len(self.members) < 2:
            return
        travellers = [max(members, key=lambda m: m.worth, default=None) for members in self.members]
        for island, traveller in enumerate(travellers):
            there = self.members[(island + 1) % len(self.members)]
            if traveller is None or any(m.candidate.id == traveller.candidate.id for m in there):
                continue
            if len(there) >= self._population:
                there.remove(min(there, key=lambda m: m.worth))
            there.append(traveller)

    def everyone(self) -> list[Judged]:
        """All members of all islands, each once."""
        return list({m.candidate.id: m for members in self.members for m in members}.values())

    def _survivors(self, pool: Sequence[Judged], random: Random) -> list[Judged]:
        ranked = sorted(pool, key=lambda m: m.worth, reverse=True)
        kept, rest = ranked[: self._elites], ranked[self._elites :]
        while rest and len(kept) < self._population:
            # The contenders are drawn by place, and rest is in order: the smallest place wins.
            winner = min(random.randrange(len(rest)) for _ in range(ROUND))
            kept.append(rest.pop(winner))
        return kept
