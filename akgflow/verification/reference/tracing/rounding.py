"""Random rounding: a forward in float64 in which every operation errs as that of a sound float32 kernel may.

Monte Carlo arithmetic (Parker, *Monte Carlo Arithmetic*, 1997; Denis et al., *Verificarlo*, arXiv 1509.01347): the
spread of several such forwards is the error that sound kernels make, wherever roundoff enters, and however it is
averaged or magnified afterwards.

- An elementwise operation errs by up to a unit of roundoff. A transcendental function errs by as much as fast ones do,
  partly by the same amount everywhere; the argument of an exponential is rounded, too.
- A sum errs as a sequential one does, which `accumulation` measures on some of the very terms. A sum of sums counts as
  one over all terms, since kernels may add them up in one go. A running sum errs by a random walk.
- A variance may be taken in one pass, where the squares are up to four times as large as itself.
- What consists of these is taken apart.
- Operands of contractions are rounded besides, where a precision contract allows it (`narrowing`): by as much as to the
  nearest number, up or down at random; or cut, as tensor cores do it, where ``cuts`` is set.

Operations that are none of this run without errors, and are named in ``unknown``: the spread does not cover them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from akgflow.precision import Operands
from akgflow.verification.reference.index_outputs import EXACT
from akgflow.verification.reference.tracing import accumulation
from akgflow.verification.reference.tracing.accumulation import LONGEST, UNIT, Drift, scale_of
from akgflow.verification.reference.tracing.composed import COMPOSED
from akgflow.verification.reference.tracing.narrowing import format_for, nearest, toward_zero, with_operands
from akgflow.verification.reference.tracing.op_count import Tracer, arguments_of, results_of
from akgflow.verification.shared import op_classes

TRANSCENDENTAL, SHARED = 2.0, 1.0
"""Units by which one value of a function may be off, and by which all of them may be off together."""
ONE_PASS = 3.0
"""How much larger than a variance the square of the mean may be for kernels that subtract it."""
MOST_EXPONENT = 1000.0
BALANCED = 1 << 16
"""Errors of sums, in all forwards, up to which they are drawn together: so few forwards tell their size."""

_ARITHMETIC = {"add", "sub", "rsub", "mul", "div", "true_divide", "reciprocal", "square", "sqrt", "rsqrt"}
_ARITHMETIC |= {"addcmul", "addcdiv", "lerp", "hypot"}
_CPU = torch.device("cpu")
Function = Callable[[torch.Tensor], torch.Tensor]
_EXPONENTS: dict[str, Function] = {
    "exp": torch.abs,
    "exp2": torch.abs,
    "expm1": torch.clone,
    "sigmoid": torch.neg,
    "silu": torch.neg,
}
"""Functions whose error grows with an exponent, where that is positive: rounding it moves the result as much."""
_ELEMENTWISE_BACKWARD = {f"{name}_backward" for name in (
    "softplus", "log_sigmoid", "leaky_relu", "elu", "hardswish", "mse_loss", "smooth_l1_loss", "huber_loss", "glu",
)}  # fmt: skip
"""Elementwise operators that torch does not tag as such."""
_KEEP_SUMS = {"mul", "div"}
"""What makes a sum's multiple of it."""
Handler = Callable[["Rounding", Any, Any, Any], Any]


class Rounding(Tracer):
    """Runs forwards with errors, ``samples`` of them: enter what `again` gives for each.

    ``narrow``: results are rounded to less than float32, and hide what a variance in one pass loses. ``allowed``: what
    operands of contractions may be rounded to.
    """

    def __init__(self, samples: int = 2, narrow: bool = False, allowed: Operands = Operands()) -> None:  # noqa: B008
        super().__init__()
        self.samples, self.narrow, self.allowed, self._sample = samples, narrow, allowed, -1
        self.rounds = False
        """Whether any operation can err at all."""
        self.narrowed = False
        """Whether operands were rounded."""
        self.cuts = False
        self.unknown: set[str] = set()
        self._drifts: list[Drift] = []
        self._balanced: list[torch.Tensor] = []
        self._next, self._sums = 0, 0
        self._terms = WeakTensorKeyDictionary()

    def again(self) -> Rounding:
        """Itself, for another forward on the same inputs: drifts are not measured a second time."""
        self._sample = (self._sample + 1) % self.samples
        self._next, self._sums = 0, 0
        self._terms = WeakTensorKeyDictionary()
        return self

    def dispatched(self, func: Any, args: Any, kwargs: Any) -> Any:
        base = op_classes.base(func._schema.name)
        if _is_exact(func, base, args):
            return self._passed_on(func, args, func(*args, **kwargs))
        if base in _HANDLERS:
            return _HANDLERS[base](self, func, self._narrowed(base, args), kwargs)
        if torch.Tag.pointwise in func.tags or base in _ELEMENTWISE_BACKWARD:
            return self._pointwise(base, func, args, kwargs)
        with self:
            if base in COMPOSED:
                return COMPOSED[base](arguments_of(func, args, kwargs))
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        result = func(*args, **kwargs)
        if any(map(_rounded, results_of(result))):
            self.rounds = True
            self.unknown.add(func._schema.name)
        return result

    def _passed_on(self, func: Any, args: Any, result: Any) -> Any:
        """What is moved stays a sum of as many terms as it was."""
        moved = func.is_view or func._schema.name == "aten::neg"
        if moved and args and isinstance(args[0], torch.Tensor) and isinstance(result, torch.Tensor):
            self._counts(result, self._count(args[0]))
        return result

    def _count(self, tensor: torch.Tensor) -> int:
        """The terms that a tensor's elements are plain sums of."""
        return int(self._terms.get(tensor, 1))

    def _counts(self, tensor: torch.Tensor, count: int) -> None:
        if count > 1:
            self._terms[tensor] = count

    def _pointwise(self, base: str, func: Any, args: Any, kwargs: Any) -> Any:
        exponents = _EXPONENTS[base](args[0]).clamp_(0.0, MOST_EXPONENT) if base in _EXPONENTS else None
        terms = [self._count(one) for one in args if isinstance(one, torch.Tensor)]
        result = func(*args, **kwargs)
        if not _rounded(result):
            return result
        self.rounds = True
        if base in _KEEP_SUMS:
            self._counts(result, max(terms, default=1))
        units, shared = (1.0, 0.0) if base in _ARITHMETIC else (TRANSCENDENTAL, SHARED * _sign())
        factor = _uniform(result)
        factor *= units * UNIT if exponents is None else exponents.add_(units).mul_(UNIT)
        return result.mul_(factor.add_(1 + shared * UNIT))

    def _narrowed(self, base: str, args: Any) -> Any:
        """The arguments of a contraction with operands as narrow as they may be; those of anything else as they are."""
        form = format_for(base, self.allowed)
        if form is None or not _rounded(args[0]):
            return args
        self.narrowed = True
        return with_operands(base, args, lambda one: self._narrow(one, form))

    def _narrow(self, operand: torch.Tensor, form: str) -> torch.Tensor:
        if not operand.is_floating_point():
            return operand
        if self.cuts:
            return toward_zero(operand, form)
        # What the format holds exactly stays as it is.
        error = (nearest(operand, form) - operand).nan_to_num_(0.0, 0.0, 0.0)
        return operand + error.mul_(_uniform(operand).sign_())

    def _drift(self, measured: Callable[[], Drift]) -> Drift:
        """That of the next sum, measured in the first forward."""
        self._next += 1
        if self._next > len(self._drifts):
            self._drifts.append(measured())
        return self._drifts[self._next - 1]

    def _add_up(self, result: torch.Tensor, scale: torch.Tensor, drift: Drift, before: int = 1) -> torch.Tensor:
        """Move a sum by its drift and by one rounding; ``before``: what each term is a plain sum of."""
        self.rounds = True
        factor = UNIT * math.sqrt(before)
        noise = self._normal(result).mul_(drift.random * factor)
        if drift.shared:
            noise += drift.shared * factor * float(_normal((), _CPU))
        result.mul_(_uniform(result).mul_(UNIT).add_(1))
        return result.add_(scale * noise)

    def _normal(self, like: torch.Tensor) -> torch.Tensor:
        """Normal numbers for a sum; of few sums such whose root mean square over all forwards is one."""
        shape = like.shape
        if like.numel() * self.samples > BALANCED:
            return _normal(shape, like.device)
        self._sums += 1
        if self._sums > len(self._balanced):
            drawn = _normal((self.samples, *shape), like.device)
            drawn -= drawn.mean(0) if self.samples > 1 else 0.0
            self._balanced.append(drawn / drawn.square().mean(0).sqrt().clamp(min=1e-6))
        found = self._balanced[self._sums - 1][self._sample]
        return found.clone() if found.shape == shape else _normal(shape, like.device)

    def _sum(self, func: Any, args: Any, kwargs: Any) -> Any:
        given, result = arguments_of(func, args, kwargs)["self"], func(*args, **kwargs)
        if not _rounded(result) or not given.is_floating_point() or not given.numel():
            return result
        dims, keep = _dims(func, args, kwargs, given)
        count = math.prod(given.shape[d] for d in dims)
        share = count if op_classes.base(func._schema.name) == "mean" else 1
        norm = torch.linalg.vector_norm(given, dim=dims, keepdim=keep) if dims else given.abs()
        before = min(self._count(given), max(1, LONGEST // max(1, count)))
        drift = self._drift(lambda: _of_sums(given, dims))
        result = self._add_up(result, scale_of(result, norm / share), drift, before)
        self._counts(result, count * before)
        return result

    def _norm(self, func: Any, args: Any, kwargs: Any) -> Any:
        named, result = arguments_of(func, args, kwargs), func(*args, **kwargs)
        order = named["p"] if "p" in named else named["ord"]
        given, order = named["self"], 2.0 if order is None else float(order)
        if not _rounded(result) or not given.numel() or math.isinf(order):
            return result
        if order not in (1.0, 2.0) or not given.is_floating_point():
            self.unknown.add(func._schema.name)
        dims, _ = _dims(func, args, kwargs, given)
        drift = self._drift(lambda: _of_sums(given, dims, lambda terms: terms.abs() ** order))
        return self._add_up(result, result / order, Drift(2 * drift.random, drift.shared))

    def _variance(self, func: Any, args: Any, kwargs: Any) -> Any:
        given, results = arguments_of(func, args, kwargs)["self"], func(*args, **kwargs)
        dims, keep = _dims(func, args, kwargs, given)
        spread, *means = results_of(results)
        if not given.numel() or not _rounded(spread) or not given.is_floating_point():
            return results
        mean = means[0] if means else given.mean(dims, keepdim=keep)
        of_sum = self._drift(lambda: _of_sums(given, dims))
        of_squares = self._drift(lambda: _of_sums(given, dims, lambda terms: (terms - terms.mean(1, True)) ** 2))
        root = op_classes.base(func._schema.name).startswith("std")
        square = spread * spread if root else spread
        extra = mean * mean if self.narrow else torch.minimum(mean * mean, ONE_PASS * square)
        noise = self._add_up(square.clone(), square + extra, of_squares)
        noise -= square
        for one in means:
            count = math.prod(given.shape[d] for d in dims)
            self._add_up(one, scale_of(one, (square + mean * mean).mul(1 / count).sqrt()), of_sum)
        spread += torch.where(spread > 0, noise / (2 * spread), 0.0) if root else noise
        return results

    def _product(self, func: Any, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        if not _rounded(result) or not result.is_floating_point():
            self.unknown.add(func._schema.name)
            return result
        one, other = [t for t in args if isinstance(t, torch.Tensor)][-2:]
        one, other = one[None] if one.dim() == 1 else one, other[:, None] if other.dim() == 1 else other
        norms = torch.linalg.vector_norm(one, dim=-1, keepdim=True) * torch.linalg.vector_norm(
            other, dim=-2, keepdim=True
        )
        norms = (norms / math.sqrt(max(1, one.shape[-1]))).reshape(result.shape)
        drift = self._drift(lambda: accumulation.of_products(_of_products(one, other), one.shape[-1], one, other))
        return self._add_up(result, scale_of(result, norms), drift)

    def _convolution(self, func: Any, args: Any, kwargs: Any) -> Any:
        named, result = arguments_of(func, args, kwargs), func(*args, **kwargs)
        if not _rounded(result) or not result.is_floating_point() or not result.numel():
            return result
        count = named["weight"][0].numel() if not named["transposed"] else named["weight"][:, 0].numel()
        size = torch.linalg.vector_norm(result, dim=list(range(1, result.dim())), keepdim=True)
        size /= math.sqrt(result[0].numel())
        drift = self._drift(
            lambda: accumulation.of_products(accumulation.typical(count), count, named["input"], named["weight"])
        )
        return self._add_up(result, scale_of(result, size), drift)

    def _pool(self, func: Any, args: Any, kwargs: Any) -> Any:
        named, result = arguments_of(func, args, kwargs), func(*args, **kwargs)
        if not _rounded(result) or not result.numel():
            return result
        size = named.get("kernel_size")
        count = math.prod(size) if size else -(-named["self"].numel() // result.numel())
        scale = scale_of(result, result.square().mean().sqrt())
        return self._add_up(result, scale, accumulation.typical(count))

    def _scattered_sum(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Terms added to the places that indices say: each place's drift follows from how many it gets."""
        start, dim, index, terms = args[:4]
        if not _rounded(start) or not start.is_floating_point():
            return func(*args, **kwargs)
        add = op_classes.base(func._schema.name) + "_"
        count = getattr(torch.zeros_like(start), add)(dim, index, torch.ones_like(terms))
        squares = getattr(torch.zeros_like(start), add)(dim, index, terms.square())
        result = func(*args, **kwargs)
        return self._add_up(result, scale_of(result, squares.sqrt_()) * count.sqrt_(), accumulation.typical(1))

    def _running_sum(self, func: Any, args: Any, kwargs: Any) -> Any:
        named, result = arguments_of(func, args, kwargs), func(*args, **kwargs)
        if not _rounded(result) or not result.is_floating_point() or not result.dim():
            return result
        self.rounds = True
        given = named["self"]
        dim = named["dim"] % given.dim()
        drift = self._drift(lambda: _of_sums(given, [dim]))
        usual = accumulation.ROUNDING * math.sqrt(given.shape[dim] / 3)
        walk = _normal(result.shape, result.device).mul_(result)
        walk = walk.double().mul_(UNIT * accumulation.ROUNDING * max(1.0, drift.random / usual))
        return result.add_(walk.cumsum(dim))


def _is_exact(func: Any, base: str, args: Any) -> bool:
    if func.is_view or func._schema.name in EXACT or func._schema.name.removesuffix("_") in EXACT:
        return True
    if base in op_classes.FREE or base.startswith("new_"):
        return True
    told = op_classes.adds_if_told(func._schema.name) or base == "index_put"
    if told:
        return not (len(args) > 3 and args[3] is True)
    return base in op_classes.MOVES and "reduce" not in func._overloadname


def _rounded(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())


def _uniform(like: torch.Tensor) -> torch.Tensor:
    """Random numbers between -1 and 1, one for each element."""
    numbers = torch.empty(like.shape, dtype=torch.float32, device=like.device)
    return numbers.uniform_(-1.0, 1.0, generator=accumulation.generator_of(like.device))


def _normal(shape: Sequence[int], device: torch.device) -> torch.Tensor:
    """Random numbers with a deviation of one."""
    generator = accumulation.generator_of(device)
    return torch.randn(tuple(shape), dtype=torch.float32, device=device, generator=generator)


def _sign() -> int:
    return 1 if bool(_normal((), _CPU) < 0) else -1


def _dims(func: Any, args: Any, kwargs: Any, given: torch.Tensor) -> tuple[list[int], bool]:
    """The dimensions that an operation reduces, and whether they stay with size one."""
    named = arguments_of(func, args, kwargs)
    dims = named.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    found = [d % given.dim() for d in dims] if dims and given.dim() else list(range(given.dim()))
    return found, bool(named.get("keepdim", False))


def _of_sums(
    given: torch.Tensor, dims: Sequence[int], of: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> Drift:
    if not given.dim():
        return Drift(0.0)
    terms = accumulation.some_sums(given, dims)
    terms = of(terms.double()) if of is not None else terms.double()
    return accumulation.drift_of(terms, scale_of(terms.sum(1), terms.norm(dim=1)))


def _of_products(one: torch.Tensor, other: torch.Tensor) -> Drift:
    """Of some elements of a matrix product, or of a batch of them."""
    count, number = one.shape[-1], one.shape[-2] * other.shape[-1] * (one.shape[0] if one.dim() == 3 else 1)
    if not number or not count:
        return Drift(0.0)
    size = accumulation.sampled(count, number)
    batch = accumulation.some_places(one.shape[0], size, _CPU) if one.dim() == 3 else None
    row, column = (accumulation.some_places(number, size, _CPU) for number in (one.shape[-2], other.shape[-1]))
    a = one[row] if batch is None else one[batch, row]
    b = other.mT[column] if batch is None else other.mT[batch, column]
    terms = a * b
    return accumulation.drift_of(terms, scale_of(terms.sum(1), a.norm(dim=1) * b.norm(dim=1) / math.sqrt(count)))


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("sum", "mean"), Rounding._sum),
    **dict.fromkeys(("var", "std", "var_mean", "std_mean"), Rounding._variance),
    **dict.fromkeys(("mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot"), Rounding._product),
    **dict.fromkeys(("convolution", "_convolution"), Rounding._convolution),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), Rounding._pool),
    **dict.fromkeys(("_adaptive_avg_pool2d", "_adaptive_avg_pool3d"), Rounding._pool),
    **dict.fromkeys(("index_add", "scatter_add"), Rounding._scattered_sum),
    **dict.fromkeys(("norm", "linalg_vector_norm"), Rounding._norm),
    "cumsum": Rounding._running_sum,
}
