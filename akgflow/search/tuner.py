"""Proposes values of constants: by optuna's tree-structured Parzen estimator (Bergstra et al. 2011), and neighbours of
the best."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

from akgflow.config.types import Scalar
from akgflow.search.tunables import Tunables

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

STARTUP = 4
"""Random combinations before the estimator proposes."""
REDRAWS = 20
"""Repeated proposals in a row before an untried combination is drawn at random."""

LISTED = 100_000
"""The largest space whose combinations are listed to find an untried one."""


class Tuner:
    """Proposes values, each combination once; deterministic given ``seed`` and what it is told.

    The estimator treats all values as categories: on two grids, with a quarter of their evaluations, samplers that
    treated numbers as a scale missed the best more often. It models each constant independently, and the best tile may
    be best with one number of rows only; so every second proposal moves one constant of the best by one position. With
    that, 77 of 80 searches found the fastest of `benchmarks/search.py`; with the estimator alone, 58.
    """

    def __init__(self, tunables: Tunables, *, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = tunables.space
        self._size = tunables.size
        self._distributions: dict[str, BaseDistribution] = {
            name: optuna.distributions.CategoricalDistribution(tuple(range(len(values))))
            for name, values in tunables.space.items()
        }
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._random = Random(seed)
        self._asked: dict[tuple[int, ...], Trial] = {}
        self._scores: dict[tuple[int, ...], float] = {}

    def ask(self) -> Mapping[str, Scalar] | None:
        """Values that were not proposed before; None when there are none."""
        if len(self._asked) >= self._size:
            return None
        beside = self._beside_the_best() if len(self._asked) >= STARTUP and len(self._asked) % 2 else None
        if beside is not None:
            return self._fixed(beside)
        for _ in range(REDRAWS):
            trial = self._study.ask(self._distributions)
            places = self._places(trial)
            if places not in self._asked:
                return self._proposed(places, trial)
            if places in self._scores:
                self._study.tell(trial, self._scores[places])
        places_left = self._left()
        return None if places_left is None else self._fixed(places_left)

    def _beside_the_best(self) -> tuple[int, ...] | None:
        """The best combination with an untried neighbour, moved to it by one step in one constant; None without one."""
        sizes = [len(values) for values in self._space.values()]
        for places in sorted(self._scores, key=lambda one: -self._scores[one]):
            steps = [(at, places[at] + step) for at in range(len(sizes)) for step in (-1, 1)]
            near = [(*places[:at], place, *places[at + 1 :]) for at, place in steps if 0 <= place < sizes[at]]
            untried = [one for one in near if one not in self._asked]
            if untried:
                return self._random.choice(untried)
        return None

    def _left(self) -> tuple[int, ...] | None:
        """A random combination that was not proposed; a space too large to list is never near its end."""
        if self._size > LISTED:
            sizes = [len(values) for values in self._space.values()]
            return tuple(self._random.randrange(size) for size in sizes)
        every = itertools.product(*(range(len(values)) for values in self._space.values()))
        left = [places for places in every if places not in self._asked]
        return self._random.choice(left) if left else None

    def know(self, values: Mapping[str, Scalar], score: float | None) -> None:
        """Add values whose score is known already."""
        places = self._of(values)
        if places is not None and places not in self._asked:
            self._fixed(places)
            self.tell(values, score)

    def tell(self, values: Mapping[str, Scalar], score: float | None) -> None:
        """Add the score of proposed values: more is better, 0 where they do not work, None where it is unknown."""
        places = self._of(values)
        assert places is not None, "only proposed values have scores"
        if score is None:
            return
        self._scores[places] = score
        self._study.tell(self._asked[places], score)

    def _fixed(self, places: tuple[int, ...]) -> Mapping[str, Scalar]:
        self._study.enqueue_trial(dict(zip(self._space, places, strict=True)))
        return self._proposed(places, self._study.ask(self._distributions))

    def _proposed(self, places: tuple[int, ...], trial: Trial) -> Mapping[str, Scalar]:
        self._asked[places] = trial
        return {name: values[i] for i, (name, values) in zip(places, self._space.items(), strict=True)}

    def _places(self, trial: Trial) -> tuple[int, ...]:
        return tuple(int(trial.params[name]) for name in self._space)

    def _of(self, values: Mapping[str, Scalar]) -> tuple[int, ...] | None:
        """The positions of the values in their lists; None where one is absent (a first value need not be listed)."""
        if any(values[name] not in listed for name, listed in self._space.items()):
            return None
        return tuple(listed.index(values[name]) for name, listed in self._space.items())
