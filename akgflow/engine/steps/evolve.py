"""The step ``evolve``: generations of children, bred on islands from what earlier steps have made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from akgflow.config.steps import EvolveStep
from akgflow.engine.context import RunContext, Turn
from akgflow.engine.state import JobState
from akgflow.engine.steps._writing import breed, chance, side_by_side
from akgflow.runs.result import Attempt
from akgflow.search import Islands, Judged, Stopping, draw, inspirations

REDRAWS = 8
"""How often a draw is repeated where its generation has the same one: equal prompts mostly bring equal kernels."""


class Draw(NamedTuple):
    """The parents of one child, and the other candidates that its agent sees."""

    island: int
    parents: tuple[Judged, ...]
    inspirations: tuple[Judged, ...]

    @property
    def first(self) -> str:
        """The id of the parent that the child changes; empty where there is none."""
        return self.parents[0].candidate.id if self.parents else ""

    @property
    def shown(self) -> tuple[str, ...]:
        """The candidates in the prompt: where they are equal, the prompts are."""
        return tuple(judged.candidate.id for judged in (*self.parents, *self.inspirations))


async def run(step: EvolveStep, state: JobState, run: RunContext) -> None:
    """Breed generation after generation until the cap, the roofline or the noise ends it.

    Child n of generation g is the call (step, g, n): islands in their order, children of an island in theirs.
    """
    first = state.pool(step.evolve)
    state.hand_on(step.name, first)
    islands = Islands(step.islands, step.population, step.elites)
    islands.populate(first, chance(step.random_seed, state, step.name, "settle"))
    tried: dict[str, list[Attempt]] = defaultdict(list)
    stopping = Stopping(step.headroom, step.patience, "generations")
    for generation in range(1, step.generations + 1):
        if why := stopping.why([judged.verdict for judged in state.made[step.name]]):
            return run.say(state, f"{step.name}: ended before generation {generation}: {why}")
        draws = _draws(step, generation, islands, state)
        works = [
            breed(
                state,
                run,
                step.agent,
                Turn(step.name, generation, number),
                parents=drawn.parents,
                inspirations=drawn.inspirations,
                tried=tuple(tried[drawn.first]),
            )
            for number, drawn in enumerate(draws, 1)
        ]
        born = await side_by_side(works, state.add_new)
        _grow(step, generation, islands, draws, born, state)
        for attempt in state.attempts_of(step.name, generation):
            tried[draws[attempt.sample - 1].first].append(attempt)
    return None


def _draws(step: EvolveStep, generation: int, islands: Islands, state: JobState) -> list[Draw]:
    """The parents of a generation's children, drawn before any child is asked for."""
    draws: list[Draw] = []
    for island, members in enumerate(islands.members):
        for child in range(step.children):
            random = chance(step.random_seed, state, step.name, generation, island, child)
            for _ in range(REDRAWS):
                parents = draw(members, step.parents, step.tiers, random)
                seen = inspirations(islands.everyone(), step.inspirations, random, without=parents)
                drawn = Draw(island, tuple(parents), tuple(seen))
                if drawn.shown not in [other.shown for other in draws]:
                    break
            draws.append(drawn)
    return draws


def _grow(
    step: EvolveStep,
    generation: int,
    islands: Islands,
    draws: Sequence[Draw],
    born: Sequence[Judged | None],
    state: JobState,
) -> None:
    """Select each island's survivors among members and children; migrate the best where it is due."""
    for island in range(step.islands):
        brood = [child for drawn, child in zip(draws, born, strict=True) if child and drawn.island == island]
        islands.renew(island, brood, chance(step.random_seed, state, step.name, generation, island, "renew"))
    if generation % step.migrate_every == 0:
        islands.migrate()
