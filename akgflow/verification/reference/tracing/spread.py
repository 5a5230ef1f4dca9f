"""The spread of several forwards with random rounding: what sound kernels' roundoff comes to in each element."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.tracing.rounding import Rounding
from akgflow.verification.shared import dtypes


class Spread:
    """Of the results of one model. ``covered``: `Rounding` knows all of its operations, as far as was seen."""

    def __init__(self) -> None:
        self.covered = True

    def measure(
        self, forward: Callable[[], Sequence[torch.Tensor]], exact: Sequence[torch.Tensor], samples: int
    ) -> tuple[list[torch.Tensor] | None, bool]:
        """Root mean square of the results' errors, and whether nothing is rounded at all.

        ``exact`` are the results without errors. None where the forwards do not cover what sound kernels may do.
        """
        total = [torch.zeros_like(dtypes.as_float64(one)) for one in exact]
        rounding = Rounding(samples)
        for _ in range(samples):
            results = self._results(rounding, forward)
            if [one.shape for one in results] != [one.shape for one in exact]:
                return None, False
            if not rounding.rounds:
                break
            for one, result, start in zip(total, results, exact, strict=True):
                one += (dtypes.as_float64(result) - dtypes.as_float64(start)).nan_to_num_(0.0, 0.0, 0.0).square_()
        # A few forwards may happen to err less than others would.
        share = (1 + 2 / samples) / samples
        return [one.mul_(share).sqrt_() for one in total], not rounding.rounds

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
