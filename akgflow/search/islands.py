"""The island model of evolutionary search: populations evolve apart and exchange their best members."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from akgflow.search.pool import Judged

TOURNAMENT = 3
"""Contenders in a tournament for a place beside the elites (tournament selection)."""


class Islands:
    """``number`` populations of up to ``population`` members each."""

    def __init__(self, number: int, population: int, elites: int) -> None:
        self._population = population
        self._elites = elites
        self.members: list[list[Judged]] = [[] for _ in range(number)]

    def populate(self, pool: Sequence[Judged], random: Random) -> None:
        """Distribute the first candidates over the islands; fewer than there are islands go to every one."""
        number = len(self.members)
        for island, members in enumerate(self.members):
            members[:] = self._survivors(pool[island::number] if len(pool) >= number else pool, random)

    def renew(self, island: int, children: Sequence[Judged], random: Random) -> None:
        """Replace an island by its next generation: its elites, and the winners of tournaments among all others."""
        self.members[island] = self._survivors([*self.members[island], *children], random)

    def migrate(self) -> None:
        """Copy the best of each island to the next one, in place of its worst."""
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
            # The contenders are drawn by position, and rest is sorted: the smallest position wins.
            winner = min(random.randrange(len(rest)) for _ in range(TOURNAMENT))
            kept.append(rest.pop(winner))
        return kept
