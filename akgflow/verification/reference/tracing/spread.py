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

CUT = 1.5
"""How many times the error of cut operands an element may be off."""
SCATTER = 1.4
"""What the median of the errors, each over what is usual for its element, may be where operands are narrowed: that of
sound kernels is near 0.6.

The next narrower format errs eight times as much, which a bound on single elements hardly tells apart. A mean would:
but where few errors are much larger than all others it is as uncertain as those few.
"""


ROUNDINGS = 12.0
FALSE_ALARMS = 1e-5
"""Of sound kernels' errors that are normal with the spread as their deviation, for each output."""
MOST = 1 << 20
"""Elements of which the median is taken."""


class Roundoff(NamedTuple):
    """What sound kernels' roundoff comes to in each element of one result."""

    deviation: torch.Tensor
    """Root mean square."""
    cut: torch.Tensor | None = None
    """The absolute errors where operands were narrowed by cutting them, which errs the same way each time; None where
    they keep float32."""
    common: float = 0.0
    """How much larger or smaller that made all elements together, relatively."""

    def allowance(self, scale: torch.Tensor, u: float) -> torch.Tensor:
        """What it may come to: some roundings ``u`` of the scale, and as many deviations as so many elements show."""
        if not scale.numel():
            return scale
        # Few forwards were run: an element in which their errors happened to be small is given what is usual for it.
        deviations = math.sqrt(2 * math.log(scale.numel() / FALSE_ALARMS))
        found = ROUNDINGS * u * scale + deviations * torch.maximum(self.deviation, self._of(scale)[1] * scale)
        return found if self.cut is None else found + CUT * self.cut

    def tail(self, scale: torch.Tensor) -> float:
        """How many times the usual error the largest is, where operands are narrowed; 1.0 where they are not."""
        if self.cut is None or not scale.numel():
            return 1.0
        most, usual = self._of(scale)
        return most / usual if usual else 1.0

    def _of(self, scale: torch.Tensor) -> tuple[float, float]:
        """The largest deviation, and their root mean square, in units of the scale."""
        found = torch.where(scale > 0, self.deviation / scale, 0.0)
        return float(found.max()), float(found.square().mean().sqrt())

    @property
    def usual(self) -> torch.Tensor | None:
        """The usual error of each element where operands are narrowed; None where they keep float32."""
        return None if self.cut is None else torch.maximum(self.deviation, CUT * self.cut)


def scatter(error: torch.Tensor, usual: torch.Tensor | None) -> float:
    """The median of errors, each over what is usual; 0.0 where nothing is."""
    if usual is None:
        return 0.0
    step = max(1, usual.numel() // MOST)
    error, usual = error.flatten()[::step], usual.flatten()[::step]
    found = (error / usual)[(usual > 0) & torch.isfinite(error)]
    return float(found.median()) if found.numel() else 0.0


def scatter_allowed(error: torch.Tensor, usual: torch.Tensor | None) -> float:
    """The most that the scatter of a candidate's errors may be; ``error`` is the framework's."""
    if usual is None or not (count := int((usual > 0).sum())):
        return math.inf
    return max(SCATTER, 2 * scatter(error, usual)) * (1 + 5 / math.sqrt(count))


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
