"""The kind ``evolve``: populations on islands, bred by an agent that sees parents and inspirations."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap, enough


@dataclass(frozen=True)
class EvolveStep:
    """Evolve what the steps ``evolve`` have made, with ``agent`` as the breeder.

    Each of ``islands`` holds up to ``population`` candidates; each generation asks for ``children`` on every island.
    ``elites`` survive for certain, others by contest; every ``migrate_every`` generations the best of each island also
    moves on to the next. A child has ``parents``, drawn by tier of ranks with the weights ``tiers`` (good, middling,
    poor), and sees ``inspirations`` from anywhere. ``headroom`` and ``patience`` (in generations) end it early.
    """

    name: str
    evolve: tuple[str, ...]
    agent: str
    generations: int
    children: int = 2
    islands: int = 2
    population: int = 6
    elites: int = 2
    migrate_every: int = 2
    parents: int = 1
    inspirations: int = 2
    tiers: tuple[float, ...] = (6.0, 3.0, 1.0)
    headroom: float | None = 0.9
    patience: int | None = 3
    random_seed: int = 0

    def cap(self, _: AgentRoles, /) -> Cap:
        """Every child of every generation on every island."""
        most = self.generations * self.islands * self.children
        does = (
            f"evolve {' and '.join(self.evolve)} with {self.agent}: {self.islands} islands x {self.population}, "
            f"at most {self.generations} generations of {self.islands} x {self.children} children"
        )
        does += enough(self.headroom, self.patience, "generations")
        return Cap(does, {self.agent: most}, most, shown=1 + self.parents + self.inspirations)
