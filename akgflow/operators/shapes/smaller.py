"""The smallest sizes with which something still fails, found by asking with few of them.

After delta debugging (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002): what is found is
minimal in the sense that no step that is known leads to a smaller one. A step makes one size smaller, several that are
equal, or two by a common factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import combinations
from math import prod

Sizes = Mapping[str, int]
FEW = 9
"""Below it, every size is tried."""
_POWERS = tuple(1 << exponent for exponent in range(3, 21))
LADDER = tuple(sorted({*range(1, FEW), *_POWERS, *(n + 1 for n in _POWERS), *(n * 3 // 2 for n in _POWERS)}))
"""Sizes at which kernels begin to do something else: one past a block, or a block and a half."""


class OutOfTime(Exception):
    """Raised by the question where there is no time for it."""


class Smallest:
    """Looks for sizes no larger than ``own`` with which ``fails`` is true; each is asked once."""

    def __init__(self, own: Sizes, fails: Callable[[Sizes], bool]) -> None:
        self.own, self._fails = dict(own), fails
        self._known: dict[tuple[int, ...], bool] = {}
        self._best: Sizes | None = None
        self.complete = False
        """Whether nothing smaller was left to try."""

    @property
    def tried(self) -> int:
        """How many were asked about."""
        return len(self._known)

    def fails(self, sizes: Sizes) -> bool:
        """Whether it fails with these sizes."""
        key = tuple(sizes[name] for name in self.own)
        if key not in self._known:
            self._known[key] = self._fails(sizes)
        return self._known[key]

    def found(self) -> Sizes | None:
        """The smallest sizes found in the time that there was; None where it fails with none.

        Upwards until it fails at all, since small sizes cost little; from there downwards, step by step.
        """
        with suppress(OutOfTime):
            self._descend(next((sizes for sizes in self._upwards() if self.fails(sizes)), None))
            for name in self.own:
                # From another side: what is small in each direction may still be larger than what is long in one.
                self._descend(next((sizes for sizes in self._along(name) if self.fails(sizes)), None))
            self.complete = True
        return self._best

    def _descend(self, sizes: Sizes | None) -> None:
        while sizes is not None:
            if self._best is None or _extent(sizes) < _extent(self._best):
                self._best = sizes
            sizes = next((one for one in self._steps(sizes) if one != sizes), None)

    def _upwards(self) -> Iterator[Sizes]:
        before = None
        for most in (*LADDER, max(self.own.values(), default=1)):
            sizes = {name: min(size, most) for name, size in self.own.items()}
            if sizes != before:
                yield sizes
            before = sizes

    def _along(self, name: str) -> Iterator[Sizes]:
        """One size upwards, all others being one; up to what is as large as the best."""
        for size in LADDER:
            sizes = dict.fromkeys(self.own, 1) | {name: size}
            if self._best is None or size > self.own[name] or _extent(sizes) >= _extent(self._best):
                return
            yield sizes

    def _steps(self, sizes: Sizes) -> Iterator[Sizes]:
        """Sizes that fail and are smaller, by each kind of step; ``sizes`` itself where a step leads nowhere."""
        groups = [[name for name, one in sizes.items() if one == size] for size in sorted(set(sizes.values()))]
        for names in (*(group for group in reversed(groups) if len(group) > 1), *([name] for name in sizes)):
            yield self._least(sizes, names)
        for two in combinations(sizes, 2):
            yield from self._divided(sizes, two)

    def _least(self, sizes: Sizes, names: list[str]) -> Sizes:
        """With the same least size for all of ``names``, which have the same now."""
        own = sizes[names[0]]

        def at(size: int) -> Sizes:
            return {**sizes, **dict.fromkeys(names, size)}

        low, high = 0, own
        for size in (one for one in LADDER if one < own):
            if self.fails(at(size)):
                high = size
                break
            low = size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.fails(at(middle)) else (middle, high)
        return at(high)

    def _divided(self, sizes: Sizes, names: tuple[str, str]) -> Iterator[Sizes]:
        """With two sizes divided by the same number, the largest first: heads and width, groups and channels."""
        one, other = (sizes[name] for name in names)
        for factor in range(min(one, other), 1, -1):
            if one % factor == other % factor == 0:
                smaller = {**sizes, names[0]: one // factor, names[1]: other // factor}
                if self.fails(smaller):
                    yield smaller
                    return


def _extent(sizes: Sizes) -> tuple[int, int]:
    """What is smaller comes first: about the number of elements, then the sum of the sizes."""
    return prod(sizes.values()), sum(sizes.values())
