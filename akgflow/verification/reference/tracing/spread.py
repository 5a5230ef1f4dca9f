"""The spread of several forwards with random rounding: what sound kernels' roundoff comes to in each element."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from akgflow.precision import Operands
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.tracing.rounding import Rounding
from akgflow.verification.shared import dtypes

SCATTER = 2.0
"""How many times the usual error all elements' errors together may come to, where operands are narrowed.

The next narrower format errs eight times as much, which a bound on single elements does not tell apart.
"""


class Roundoff(NamedTuple):
    """What sound kernels' roundoff comes to in one result."""

    deviation: torch.Tensor
    """Of each element."""
    narrowed: bool = False
    """Whether operands were rounded on the way."""
    common: float = 0.0
    """The largest factor less one that all elements of a forward had in common, where they were."""

    def scatter(self, bound: torch.Tensor, error: torch.Tensor) -> float:
        """What the root mean square of all errors, each over its ``bound``, may be; ``error`` is the framework's."""
        if not self.narrowed or not bound.numel():
            return math.inf
        usual = max(root_mean_square(self.deviation / bound), root_mean_square(error / bound))
        return SCATTER * usual * (1 + 5 / math.sqrt(2 * bound.numel()))


def root_mean_square(values: torch.Tensor) -> float:
    """Of the finite values."""
    return math.sqrt(float(values.nan_to_num(0.0, 0.0, 0.0).square().mean()))


class Spread:
    """Of the results of one model. ``covered``: `Rounding` knows all of its operations, as far as was seen.

    ``allowed``: what operands of contractions may be rounded to.
    """

    def __init__(self, allowed: Operands) -> None:
        self.covered, self.allowed = True, allowed

    def measure(
        self, forward: Callable[[], Sequence[torch.Tensor]], exact: Sequence[torch.Tensor], samples: int, narrow: bool
    ) -> tuple[list[Roundoff] | None, bool]:
        """Root mean square of the results' errors, and whether nothing is rounded at all.

        ``exact`` are the results without errors; ``narrow`` is that of `Rounding`. None where the forwards do not cover
        what sound kernels may do.
        """
        total = [torch.zeros_like(dtypes.as_float64(one)) for one in exact]
        common = [0.0] * len(exact)
        rounding = Rounding(samples, narrow, self.allowed)
        for _ in range(samples):
            results = self._results(rounding, forward)
            if [one.shape for one in results] != [one.shape for one in exact]:
                return None, False
            if not rounding.rounds:
                break
            for place, (one, result, start) in enumerate(zip(total, results, exact, strict=True)):
                error = (dtypes.as_float64(result) - dtypes.as_float64(start)).nan_to_num_(0.0, 0.0, 0.0)
                if rounding.narrowed:
                    common[place] = max(common[place], _common(error, dtypes.as_float64(start)))
                one += error.square_()
        # A few forwards may happen to err less than others would.
        share = (1 + 2 / samples) / samples
        deviations = [one.mul_(share).sqrt_() for one in total]
        found = [Roundoff(one, rounding.narrowed, factor) for one, factor in zip(deviations, common, strict=True)]
        return found, not rounding.rounds

    def _results(self, rounding: Rounding, forward: Callable[[], Sequence[torch.Tensor]]) -> Sequence[torch.Tensor]:
        """Those of one forward with errors; none where they are not covered."""
        try:
            with rounding.again():
                results = forward()
        except OperatorError:
            # Without errors it ran: an operation is called in a form that `Rounding` does not know.
            self.covered = False
            return ()
        self.covered = not rounding.unknown
        return results if self.covered else ()


def _common(error: torch.Tensor, exact: torch.Tensor) -> float:
    """How much larger or smaller the results are together than they should be, relatively."""
    exact = exact.nan_to_num(0.0, 0.0, 0.0)
    square = float(exact.square().sum())
    return abs(float((exact * error).sum())) / square if square > 0 else 0.0
