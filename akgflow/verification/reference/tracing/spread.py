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

SCATTER, CUT = 2.0, 1.5
"""How many times the usual error, and that of cut operands, all elements' errors together may come to.

The next narrower format errs eight times as much, which a bound on single elements hardly tells apart.
"""


class Roundoff(NamedTuple):
    """What sound kernels' roundoff comes to in each element of one result."""

    deviation: torch.Tensor
    """Root mean square."""
    cut: torch.Tensor | None = None
    """The absolute errors where operands were narrowed by cutting them, which errs the same way each time; None where
    they keep float32."""
    common: float = 0.0
    """How much larger or smaller that made all elements together, relatively."""

    def scatter(self, bound: torch.Tensor, error: torch.Tensor) -> float:
        """What the root mean square of all errors, each over its ``bound``, may be; ``error`` is the framework's."""
        if self.cut is None or not bound.numel():
            return math.inf
        random = max(root_mean_square(one / bound) for one in (self.deviation, error))
        usual = max(SCATTER * random, CUT * root_mean_square(self.cut / bound))
        return usual * (1 + 5 / math.sqrt(2 * bound.numel()))


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
        rounding = Rounding(samples, narrow, self.allowed)
        total = [torch.zeros_like(dtypes.as_float64(one)) for one in exact]
        for _ in range(samples):
            errors = self._errors(rounding, forward, exact)
            if errors is None:
                return None, False
            if not rounding.rounds:
                break
            for one, error in zip(total, errors, strict=True):
                one += error.square_()
        # A few forwards may happen to err less than others would.
        share = (1 + 2 / samples) / samples
        found = [Roundoff(one.mul_(share).sqrt_()) for one in total]
        if not rounding.narrowed:
            return found, not rounding.rounds
        rounding.cuts = True
        cut = self._errors(rounding, forward, exact)
        if cut is None:
            return None, False
        pairs = zip(found, cut, exact, strict=True)
        return [one._replace(cut=error.abs(), common=_common(error, start)) for one, error, start in pairs], False

    def _errors(
        self, rounding: Rounding, forward: Callable[[], Sequence[torch.Tensor]], exact: Sequence[torch.Tensor]
    ) -> list[torch.Tensor] | None:
        """Those of the results of one more forward; None where it is not covered."""
        results = self._results(rounding, forward)
        if [one.shape for one in results] != [one.shape for one in exact]:
            return None
        apart = (dtypes.as_float64(one) - dtypes.as_float64(start) for one, start in zip(results, exact, strict=True))
        return [one.nan_to_num_(0.0, 0.0, 0.0) for one in apart]

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
    exact = dtypes.as_float64(exact).nan_to_num(0.0, 0.0, 0.0)
    square = float(exact.square().sum())
    return abs(float((exact * error).sum())) / square if square > 0 else 0.0
