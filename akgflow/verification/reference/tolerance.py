"""The bound on the error of each output element, and the words for what exceeds it.

After Dual-Delta Testing (arXiv 2602.10605), a candidate's error against a float64 oracle is compared with the error
that sound kernels make on the same inputs. Those are the framework's own kernel, and forwards in which every operation
errs as a sound one may (`akgflow.verification.reference.tracing.rounding`).

The oracle is the reference in float64 on the very inputs (rounded to the working dtype) that the candidate gets. With
``o`` the oracle's element, ``f`` the framework's own at the working dtype, the bound on ``|got - o|`` is, times the
task's tolerance::

    3 * E(|o|)                 the framework's error, times `FACTOR`
    + k * D                    the spread of sound kernels' roundoff
    + 12 * u * (S + |o|)       a few float32 roundings of what another formula computes in between
    + 3 * u_out * S            every contribution rounded once more, where the framework rounds it too
    + 2 * u_out * |o|          one rounding of the output, to the nearest or not

``E(m)`` is the largest framework error among elements no larger than about ``m`` (binned by powers of two), so that a
large element does not raise the bound of a small one; below float32, what rounding its result to the nearest number
explains is no part of it. ``D`` is the root mean square of the errors of several forwards with random roundoff, at
least what is usual for the element's scale ``S + |o|``. Of ``n`` normal errors one exceeds
``k = sqrt(2 ln(n / 1e-5))`` deviations once in 1e5 outputs. So sums may be taken one by one in float32, as ``D``
supposes, and where errors are averaged after that, less is allowed. Where nothing is rounded (a copy, a maximum), the
second and the third term are left out. The fourth is for dtypes below float32, and for operators in which the
framework itself rounds more than the result: a chain of several operations, or attention, whose weights tensor cores
take rounded. Where it rounds once, a second rounding of intermediate values is an error.

``S`` is the element's sensitivity: ``sqrt(sum((dy/dx_j * x_j)**2))``, over all inputs and parameters, estimated by
perturbing them relatively in float64, and at least its median over the output. ``S + |o|`` is at least its root mean
square over the output: intermediate values of about that size are added and taken away again. ``u`` is the unit
roundoff of float32, ``u_out`` that of the output's dtype. float16, bfloat16 and TF32 inputs make errors of 0.6 * S
times their own, 2**13 larger roundoff, and are refused where the operator is one in float32.

Where there is no ``D`` (float64, operations that random rounding does not know, forwards of seconds), the second and
the third term are those of the worst case by length, after Higham, *Accuracy and Stability of Numerical Algorithms*,
2nd ed., section 2.8 and chapter 3: ``(2 * sqrt(L) + 14) * u * (S + |o|)``. ``L`` is how many elements of one tensor
reach an output element (counted from a gradient; what is longer than 2**20 cannot be summed one by one in float32).
For a sum of L products of variance s**2, S is about s * sqrt(2 L) and sequential rounding errors have a standard
deviation of 0.3 * u * sqrt(L) * S. Where inputs are not all of one size, or many are equal, L / 4 more is allowed,
times ``S + |o|``; where they are shifted, times ``|o|`` alone. For float64, ``u`` is that of float64.

Rounding errors have either sign. So the errors of all elements together, ``sum(o * e) / sum(|o| * bound)``, may come
to no more than a tenth, one and a half roundings of a common factor or `EPSILON`, and the statistical error of so many
elements: values 1.9 % too large everywhere are refused even where a single bfloat16 element might be that wrong. And
values that all happen to be numbers of a narrower format, where the oracle's are not, were rounded to it.

Integers and booleans must equal the oracle's (or the framework's), except where roundoff in what is computed changes
them, and then be no further from it than such roundoff takes them; indices are judged by what they select
(`akgflow.verification.reference.index_outputs`). NaN and infinities must stand where the oracle has them, or where the
framework's own kernel has them. Complex numbers are pairs of real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from akgflow.verdict import Worst
from akgflow.verification.reference.error_patterns import pattern, rounded_on_its_way, rounded_to
from akgflow.verification.reference.index_outputs import Selection
from akgflow.verification.reference.tracing.accumulation import LONGEST
from akgflow.verification.reference.tracing.spread import Roundoff, scatter, scatter_allowed
from akgflow.verification.shared import dtypes

FACTOR = 3.0
LOW_PRECISION_FACTOR = 3.0
BIAS = 0.1
COMMON = 1.5
EPSILON = 3e-6
"""What sound kernels change all values by: 1e-6 added to a denominator of one, a fast exponential or reciprocal."""
NARROWED = 4.0
"""Unit roundoffs of narrowed operands that errors may come to, in units of the scale, where there is no spread."""
NARROW_TOLERANCE = 10.0
"""A task that multiplies the bounds by so much or more lets results be rounded to narrower formats, within them."""


@dataclass(frozen=True)
class Expected:
    """What one output tensor must be. Complex values are pairs in a last dimension, except in ``framework``."""

    oracle: torch.Tensor
    """In float64."""
    framework: torch.Tensor
    """The framework's own result."""
    bound: torch.Tensor | None
    """Of each element's absolute error; None for integers, booleans and indices."""
    framework_error: float = 0.0
    """The framework's largest absolute error."""
    analytic: float = 0.0
    """The largest ratio of the framework's error to the part of the bound that does not come from it."""
    bias: float = math.inf
    """What the elements' errors may come to together, as a share of the bounds."""
    usual: torch.Tensor | None = None
    """The usual error of each element where operands may be narrowed."""
    scatter: float = math.inf
    """What the median of the elements' errors, each over that, may be."""
    tail: float = 1.0
    """How many times the usual error the largest is where operands may be narrowed."""
    selection: Selection | None = None
    """Judges an index output."""
    slack: torch.Tensor | None = None
    """How far each integer may be from the oracle's, where roundoff changes some; else it must be equal."""

    @cached_property
    def over_error(self) -> float:
        """The largest bound over the framework's largest error; 0.0 without bounds.

        An error below half a rounding of the largest value counts as that: it says nothing about other sound kernels.
        """
        if self.bound is None or not self.bound.numel():
            return 0.0
        most = float(dtypes.as_float64(self.framework).abs().nan_to_num(0.0, 0.0, 0.0).max())
        error = max(self.framework_error, most * dtypes.format_of(self.framework.dtype).eps / 2)
        return float(self.bound.max()) / error if error else 0.0


class Measure(NamedTuple):
    """What is known of a draw and of the operator."""

    even: bool
    """The inputs are of one size and hardly two of them equal, so that roundoff cancels in sums."""
    balanced: bool
    """Errors of either sign are equally frequent."""
    shifted: bool = False
    """The inputs are far from zero and of one sign."""
    rounds_once: bool = False
    """The framework rounds only results below float32."""
    exact: bool = False
    """No operation rounds anything."""
    unit: float = 0.0
    """Unit roundoff of operands that may be rounded to less than float32; 0.0 where none may be."""


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


@dataclass(frozen=True)
class _Marks:
    """Element by element: value, what it should be, error, bound, and whether it is right; and the bias of all."""

    values: torch.Tensor
    centre: torch.Tensor
    error: torch.Tensor
    bound: torch.Tensor
    good: torch.Tensor
    bias: float = 0.0
    scatter: float = 0.0


def expect(
    oracle: torch.Tensor,
    framework: torch.Tensor,
    sensitivity: torch.Tensor,
    how: Measure,
    spread: Roundoff | None = None,
    length: Callable[[], int] = lambda: 1,
) -> Expected:
    """Values and bounds from the oracle and framework results of one output, all of the same shape.

    ``sensitivity`` is S of the module's formula before its median is taken as the least; ``spread`` is D, and where
    there is none, ``length`` gives L.
    """
    if not dtypes.is_real(framework):
        return Expected(oracle, framework, None)
    form = dtypes.format_of(framework.dtype)
    exact, near = _in_range(dtypes.as_float64(oracle), form, framework.dtype), dtypes.as_float64(framework)
    centre = torch.where(torch.isfinite(exact), exact, near)
    magnitude = torch.where(torch.isfinite(centre), centre.abs(), 0.0)
    error = (near - centre).abs()
    error = torch.where(torch.isfinite(error), error, 0.0)
    u = (form.eps if form.bits == 64 else torch.finfo(torch.float32).eps) / 2
    sensitivity = torch.where(torch.isfinite(sensitivity), sensitivity, 0.0)
    scale = sensitivity + magnitude
    scale = scale.clamp(min=float(scale.square().mean().sqrt()) if scale.numel() else 0.0)
    bound = _one_rounding(magnitude, form, framework.dtype)
    if spread is not None:
        bound += 0.0 if how.exact else spread.allowance(scale, u)
    else:
        bound += (_roundings(length(), how.even) * u + NARROWED * how.unit) * scale
        if how.shifted:
            # In a sum of terms of one sign and size, roundoff may not cancel; in what is left after they do, it does.
            bound += min(length(), LONGEST) / 4 * u * magnitude
    beyond = error
    if form.bits < 32:
        beyond = (error - _spacing(magnitude, form) / 2).clamp(min=0.0)
        if not how.rounds_once:
            bound += LOW_PRECISION_FACTOR * form.eps / 2 * sensitivity.clamp(min=_median(sensitivity))
    analytic = float((error / bound).max()) if error.numel() else 0.0
    bound += FACTOR * _envelope(magnitude, beyond)
    usual = spread.usual if spread is not None else None
    common = max(form.eps / 2, spread.common if spread is not None else 2 * how.unit)
    return Expected(
        exact,
        framework,
        bound,
        framework_error=float(error.max()) if error.numel() else 0.0,
        analytic=analytic,
        usual=usual,
        scatter=scatter_allowed(error, usual),
        tail=spread.tail(scale) if spread is not None else 1.0,
        bias=_bias_allowed(magnitude, bound, common) if how.balanced and form.eps < 1 else math.inf,
    )


def _in_range(exact: torch.Tensor, form: dtypes.Format, dtype: torch.dtype) -> torch.Tensor:
    """What is too large for an 8-bit format is its largest number: hardware saturates, torch gives NaN or infinity."""
    if form.bits > 8:
        return exact
    exact = exact.abs() if dtype == dtypes.SCALE else exact
    return torch.where(torch.isfinite(exact), exact.clamp(-form.most, form.most), exact)


def _spacing(magnitude: torch.Tensor, form: dtypes.Format) -> torch.Tensor:
    """The distance between the numbers of a format around ``magnitude``."""
    exponent = torch.frexp(magnitude).exponent.double() - 1
    return torch.where(magnitude > 0, form.eps * torch.exp2(exponent), 0.0).clamp(min=form.least)


def _one_rounding(magnitude: torch.Tensor, form: dtypes.Format, dtype: torch.dtype) -> torch.Tensor:
    """What rounding to a format moves a number by at most, to the nearest number or not."""
    if dtype != dtypes.SCALE:
        return form.eps * magnitude + form.least
    below = torch.exp2(torch.frexp(magnitude).exponent.double() - 1)
    # What is computed for an exact power of two may be a little less, and then be cut to the one below.
    return torch.where(magnitude == below, below / 2, torch.maximum(magnitude - below, 2 * below - magnitude))


def _bias_allowed(magnitude: torch.Tensor, bound: torch.Tensor, u: float) -> float:
    weights = magnitude * bound
    total, squares = float(weights.sum()), float(weights.square().sum())
    if squares == 0:
        return math.inf
    return BIAS + max(COMMON * u, EPSILON) * float(magnitude.square().sum()) / total + math.sqrt(squares) / total


def whole_slack(moved: torch.Tensor, step: float, length: int) -> torch.Tensor:
    """How far a sound kernel's integers may be from the oracle's.

    ``moved`` is how far they went at most when all inputs were changed by ``step``, relatively, a few times; ``length``
    is L of the module's formula. What no change moved is exact.
    """
    return moved * max(2.0, _roundings(length, even=False) * torch.finfo(torch.float32).eps / 2 / step)


def _roundings(length: int, even: bool) -> float:
    """Units of roundoff that accumulating ``length`` terms one by one may cost; ``even``: terms of one size."""
    length = min(length, LONGEST)
    return 2 * math.sqrt(length) + 14 + (0.0 if even else length / 4)


def _median(values: torch.Tensor) -> float:
    """The median of what is positive, of a million elements at most; 0.0 where nothing is."""
    sample = values.flatten()[:: max(1, values.numel() // 1_000_000)]
    sample = sample[sample > 0]
    return float(sample.median()) if sample.numel() else 0.0


def _envelope(magnitude: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """For each element the largest error among elements whose magnitude has the same or a smaller exponent."""
    exponent = torch.frexp(magnitude).exponent.long().clamp(-1100, 1100) + 1100
    bins = torch.zeros(2201, dtype=error.dtype, device=error.device)
    bins.scatter_reduce_(0, exponent.flatten(), error.flatten(), "amax")
    return bins.cummax(0).values[exponent]


def fits(got: torch.Tensor, expected: Expected, tolerance: float) -> bool:
    """True when ``got`` (same shape and dtype as expected) would be accepted."""
    marks = _marks(got, expected, tolerance)
    return bool(marks.good.all()) and not _together(dtypes.parts(got), marks, expected, tolerance)


def compare(
    got: torch.Tensor, expected: Expected, output: int, tolerance: float, name: str | None = None
) -> Comparison:
    """Measure ``got`` (same shape and dtype as expected) against its bounds; ``tolerance`` multiplies them.

    ``name`` is what the text calls it, ``output N`` unless it is given. Where no element is wrong by itself and all are
    together, ``wrong`` counts all of them.
    """
    marks = _marks(got, expected, tolerance)
    name = name or f"output {output}"
    found = _summary(dtypes.parts(got), marks, output, name, tolerance)
    if found.wrong and found.worst is not None and expected.selection is not None:
        words = expected.selection.say(got, found.worst.index)
        return replace(
            found,
            detail=f"{name} at {list(found.worst.index)}: {words}; {found.wrong} of {found.total} are wrong",
        )
    together = "" if found.wrong else _together(dtypes.parts(got), marks, expected, tolerance)
    if not together:
        return found
    return replace(found, wrong=found.total, detail=f"{name}: no element is beyond its bound, but {together}")


def _together(got: torch.Tensor, marks: _Marks, expected: Expected, tolerance: float) -> str:
    """What is wrong with all elements together; empty when nothing is."""
    if expected.bound is None:
        return ""
    if marks.bias > expected.bias:
        off = float((marks.centre * (marks.values - marks.centre)).nan_to_num(0.0, 0.0, 0.0).sum())
        off /= float(marks.centre.square().nan_to_num(0.0, 0.0, 0.0).sum())
        return (
            f"together they are {1 + off:.6g} times what they should be, which no rounding explains "
            f"({marks.bias:.2f} of the bounds on average, allowed {expected.bias:.2f})"
        )
    if marks.scatter > expected.scatter:
        return (
            f"together their errors are {marks.scatter / expected.scatter:.1f} times as large as they may be where "
            "operands are rounded as far as is allowed: something is rounded further"
        )
    words = rounded_on_its_way(got, marks.centre) if tolerance < NARROW_TOLERANCE else ""
    # A product by ones and zeros is an operand, which the framework's own kernel was allowed to round.
    return words if words and rounded_to(got) != rounded_to(dtypes.parts(expected.framework)) else ""


def _marks(got: torch.Tensor, expected: Expected, tolerance: float) -> _Marks:
    if expected.bound is None:
        return _exact_marks(got, expected, tolerance)
    framework = dtypes.as_float64(expected.framework)
    centre = torch.where(torch.isfinite(expected.oracle), expected.oracle, framework)
    values = dtypes.as_float64(got)
    bound = expected.bound * tolerance
    error = (values - centre).abs()
    finite = torch.isfinite(error)
    good = finite & (error <= bound)
    good |= _same_special(values, expected.oracle) | _same_special(values, framework)
    weight = torch.where(finite, centre, 0.0)
    moved = float((weight * (values - centre)).nan_to_num(0.0, 0.0, 0.0).sum().abs())
    most = float((weight.abs() * bound).sum())
    return _Marks(values, centre, error, bound, good, moved / most if most > 0 else 0.0, scatter(error, expected.usual))


def _exact_marks(got: torch.Tensor, expected: Expected, tolerance: float) -> _Marks:
    values, centre = got.double(), expected.oracle.double()
    same = dtypes.same(got, expected.oracle) | dtypes.same(got, expected.framework)
    if expected.selection is not None:
        return _Marks(values, centre, *expected.selection.judge(got, tolerance))
    error = torch.where(same, 0.0, (values - centre).abs())
    bound = torch.zeros_like(error) if expected.slack is None else expected.slack
    return _Marks(values, centre, error, bound, same | ((bound > 0) & (error <= bound)))


def _same_special(values: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (torch.isnan(values) & torch.isnan(other)) | (torch.isinf(values) & (values == other))


def _summary(got: torch.Tensor, marks: _Marks, output: int, name: str, tolerance: float) -> Comparison:
    total = got.numel()
    if total == 0:
        return Comparison(0.0, 0.0, 0.0, 0, 0, None, "")
    index = _worst(marks)
    worst = Worst(output, index, float(marks.values[index]), float(marks.centre[index]))
    wrong = total - int(marks.good.sum())
    finite = torch.where(torch.isfinite(marks.error), marks.error, 0.0)
    relative = float((finite / (marks.centre.abs().nan_to_num(0.0) + 1e-8)).nan_to_num(0.0).max())
    at, limit = float(marks.error[index]), float(marks.bound[index])
    detail = ""
    factor = "" if tolerance == 1.0 else f", which is {tolerance:g} times the judge's own bound"
    if wrong:
        hint = pattern(got, marks.centre, marks.good)
        sizes = f"error {at:.3g}, allowed {limit:.3g}{factor}"
        detail = (
            f"{name} at {list(index)}: got {worst.got:.7g}, expected {worst.expected:.7g} "
            f"({sizes}); {wrong} of {total} elements are wrong{hint and ': ' + hint}"
        )
    return Comparison(at, limit, relative, wrong, total, worst, detail)


def _worst(marks: _Marks) -> tuple[int, ...]:
    """Where the error is largest for its bound, among wrong elements if there are any."""
    excess = torch.where(torch.isfinite(marks.error), marks.error / marks.bound.clamp(min=1e-300), torch.inf)
    # An element that is right because it is special the way it should be is never the worst.
    excess = torch.where(marks.good, torch.where(torch.isfinite(marks.error), excess.clamp(max=1.0), 0.0), excess + 2.0)
    # torch's own `unravel_index` imports its compiler.
    return tuple(int(i) for i in np.unravel_index(int(excess.argmax()), marks.error.shape))
