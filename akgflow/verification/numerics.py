"""How wrong an element may be, and what to say when it is more wrong than that.

The oracle is the reference in float64 on the very inputs (rounded to the working dtype) that the candidate gets. With
``o`` the oracle's element, ``f`` the framework's own at the working dtype, the bound on ``|got - o|`` is, times the
task's tolerance::

    3 * E(|o|)                                   as wrong as a sound kernel is, times a stated factor
    + (2 * sqrt(L) + 6) * u * (S + |o|)          naive sequential accumulation in float32 over L terms
    + 2.5 * u_out * S      (dtypes below float32)  every contribution rounded once more to the working dtype
    + u_out * |o|                                one rounding of the output

``E(m)`` is the largest framework error among elements no larger than about ``m`` (binned by powers of two), so that a
large element lends nothing to a small one. ``S`` is the element's sensitivity: ``sqrt(sum((dy/dx_j * x_j)**2))``, over
all inputs and parameters, estimated by perturbing them relatively in float64, and at least its median over the output.
``L`` is how many elements of one tensor reach an output element (counted from a gradient). ``u`` is the unit roundoff
of the accumulator (float32's, or float64's for float64), ``u_out`` that of the output's dtype. For a sum of L products
of variance s**2, S is about s * sqrt(2 L) and sequential rounding errors have a standard deviation of
0.3 * u * sqrt(L) * S, so the second term is near seven of them; float16, bfloat16 and TF32 inputs make errors of
0.6 * S times their own, 2**13 larger roundoff.

Integers and booleans must equal the oracle's (or the framework's). NaN and infinities must stand where the oracle has
them, or where the framework's own kernel has them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from akgflow.verdict import Worst
from akgflow.verification.explain import pattern

FACTOR = 3.0
LOW_PRECISION_FACTOR = 2.5


@dataclass(frozen=True)
class Expected:
    """One output tensor: the oracle's values, the framework's, and each element's bound (None: exact)."""

    oracle: torch.Tensor
    framework: torch.Tensor
    bound: torch.Tensor | None
    framework_error: float


@dataclass(frozen=True)
class Comparison:
    """One output against its `Expected`. ``error`` and ``bound`` are those of the worst element."""

    error: float
    bound: float
    relative: float
    wrong: int
    total: int
    worst: Worst | None
    detail: str


def expect(oracle: torch.Tensor, framework: torch.Tensor, sensitivity: torch.Tensor, length: int) -> Expected:
    """Values and bounds from the oracle and framework results of one output, all of the same shape.

    ``sensitivity`` is S of the module's formula before its median is taken as the least; ``length`` is L.
    """
    if not framework.is_floating_point():
        return Expected(oracle, framework, None, 0.0)
    centre = _centre(oracle, framework)
    magnitude = torch.where(torch.isfinite(centre), centre.abs(), 0.0)
    error = (framework.double() - centre).abs()
    error = torch.where(torch.isfinite(error), error, 0.0)
    info = torch.finfo(framework.dtype)
    u = (info.eps if framework.dtype == torch.float64 else torch.finfo(torch.float32).eps) / 2
    scale = _at_least_median(sensitivity)
    bound = FACTOR * _envelope(magnitude, error)
    bound += (2 * math.sqrt(length) + 6) * u * (scale + magnitude)
    bound += info.eps / 2 * magnitude + (info.smallest_normal if info.bits != 16 else info.smallest_normal * info.eps)
    if info.bits < 32:
        bound += LOW_PRECISION_FACTOR * info.eps / 2 * scale
    return Expected(oracle, framework, bound, float(error.max()) if error.numel() else 0.0)


def _centre(oracle: torch.Tensor, framework: torch.Tensor) -> torch.Tensor:
    """What to measure from: the oracle, or the framework's value where only that is finite."""
    return torch.where(torch.isfinite(oracle), oracle.double(), framework.double())


def _at_least_median(sensitivity: torch.Tensor) -> torch.Tensor:
    clean = torch.where(torch.isfinite(sensitivity), sensitivity, 0.0)
    sample = clean.flatten()[:: max(1, clean.numel() // 1_000_000)]
    sample = sample[sample > 0]
    return clean.clamp(min=float(sample.median())) if sample.numel() else clean


def _envelope(magnitude: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """For each element the largest error among elements whose magnitude has the same or a smaller exponent."""
    exponent = torch.frexp(magnitude).exponent.long().clamp(-1100, 1100) + 1100
    bins = torch.zeros(2201, dtype=error.dtype, device=error.device)
    bins.scatter_reduce_(0, exponent.flatten(), error.flatten(), "amax")
    return bins.cummax(0).values[exponent]


def compare(got: torch.Tensor, expected: Expected, output: int, tolerance: float) -> Comparison:
    """Measure ``got`` (same shape and dtype as expected) against its bounds; ``tolerance`` multiplies them."""
    if expected.bound is None:
        return _compare_exact(got, expected, output)
    centre = _centre(expected.oracle, expected.framework)
    values = got.double()
    bound = expected.bound * tolerance
    error = (values - centre).abs()
    good = torch.isfinite(error) & (error <= bound)
    good |= _same_special(values, expected.oracle.double()) | _same_special(values, expected.framework.double())
    excess = torch.where(torch.isfinite(error), error / bound, torch.inf)
    # An element that is right because it is special the way it should be is never the worst.
    excess = torch.where(good & ~torch.isfinite(error), 0.0, excess)
    return _summary(got, values, centre, error, bound, good, excess, output)


def _compare_exact(got: torch.Tensor, expected: Expected, output: int) -> Comparison:
    values, centre = got.double(), expected.oracle.double()
    good = (got == expected.oracle) | (got == expected.framework)
    error = (values - centre).abs()
    return _summary(got, values, centre, error, torch.zeros_like(error), good, (~good).double(), output)


def _same_special(values: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (torch.isnan(values) & torch.isnan(other)) | (torch.isinf(values) & (values == other))


def _summary(
    got: torch.Tensor,
    values: torch.Tensor,
    centre: torch.Tensor,
    error: torch.Tensor,
    bound: torch.Tensor,
    good: torch.Tensor,
    excess: torch.Tensor,
    output: int,
) -> Comparison:
    total = got.numel()
    if total == 0:
        return Comparison(0.0, 0.0, 0.0, 0, 0, None, "")
    flat = int(excess.argmax())
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), got.shape))
    worst = Worst(output, index, float(values[index]), float(centre[index]))
    wrong = total - int(good.sum())
    finite = torch.where(torch.isfinite(error), error, 0.0)
    relative = float((finite / (centre.abs().nan_to_num(0.0) + 1e-8)).nan_to_num(0.0).max())
    at, limit = float(error[index]), float(bound[index])
    detail = ""
    if wrong:
        hint = pattern(got, centre, good)
        detail = (
            f"output {output} at {list(index)}: got {worst.got:.7g}, expected {worst.expected:.7g} "
            f"(error {at:.3g}, allowed {limit:.3g}); {wrong} of {total} elements are wrong{hint and ': ' + hint}"
        )
    return Comparison(at, limit, relative, wrong, total, worst, detail)
