"""Secret shapes: sizes other than the stated ones, on which the operator itself still runs.

All sizes change at once, to primes and to neighbours of tiles; one grows past what a block holds; one is 1. What the
reference does not run on is dropped, size by size: some sizes depend on each other, and some numbers are no sizes. So
is what it runs on by accident only.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import torch

from akgflow.config.types import Scalar
from akgflow.operators.arguments import invoke
from akgflow.operators.shapes.guarantee import SizeRange
from akgflow.operators.shapes.written import is_unnamed
from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.distributions import OPERATOR
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.operator import MODULE_NAME, Case, OperatorError, make_case, seeded
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.admission import HEAVY, NOT_ROUNDOFF
from akgflow.verification.reference.tracing.from_shapes.broadcasts import Call, by_accident, calls_of
from akgflow.verification.reference.tracing.from_shapes.footprint import TakesMore, footprint_of, within
from akgflow.verification.shared import dtypes, memory

MOST_ELEMENTS = 1 << 18
"""Of inputs, parameters and outputs of a secret shape."""
MOST_BYTES = 128
"""Of results in between, for each of these elements: float64 runs the operator dozens of times."""
MOST_SECONDS, TRIES = 0.05, 3
"""That float64 may take with a shape, in the quickest of so many calls."""
CAPS = (1 << 40, 1 << 12, 1 << 10, 400, 260, 140, 70, 40, 20, 10, 5)
"""Sizes are held below the first of these with which a shape is small enough."""
SECONDS = 0.7
"""For finding one shape with which the operator runs."""
BLOCK = 1024
"""Elements that one block of a kernel often holds."""
TILES = (16, 32, 64, 128, 256, 512)

_secret = random.SystemRandom()
Sizes = Mapping[str, int]
_Draw = Callable[[int, int], int]
"""From the operator's own size and a cap to another one."""


class Form(NamedTuple):
    """The shapes of a case's inputs and state."""

    inputs: tuple[tuple[int, ...], ...]
    state: tuple[tuple[int, ...], ...]

    @property
    def elements(self) -> int:
        """Of all of them."""
        return sum(int(torch.Size(one).numel()) for one in (*self.inputs, *self.state))


class Drawer:
    """Draws shapes around a stated case. ``own`` are its sizes; ``guaranteed`` are ranges of some or none of them.

    ``most`` are the elements of inputs, parameters and outputs that a shape may have; ``many`` says that it may have
    many rows: an interpreter runs a program for each.
    """

    def __init__(
        self,
        text: str,
        file: str,
        dtype: str | None,
        keys: Mapping[str, Scalar],
        own: Sizes,
        guaranteed: Mapping[str, SizeRange],
        most: int = MOST_ELEMENTS,
        many: bool = True,
    ) -> None:
        self.most, self.many = most, many
        self.text, self.file, self.dtype, self.keys, self.own = text, file, dtype, keys, own
        # One broadcasts: where several numbers have to fit, a reference may run on what is no case of its operator.
        by_default = {name: SizeRange(2) if is_unnamed(name) else SizeRange() for name in own}
        self.ranges = {name: guaranteed.get(name, least) for name, least in by_default.items()}
        self._own_form = self._form({})
        self._tried: list[Sizes] = [{}]

    def shapes(self, alone: Callable[[], bool]) -> Iterator[Sizes]:
        """Sizes that differ from the stated ones, each set once; ``alone`` says that single sizes are to follow.

        First all sizes at once, then one that outgrows a block, one that is 1, and all once more.
        """
        names = sorted(self.own)
        _secret.shuffle(names)
        names.sort(key=self._is_row_length, reverse=True)
        yield from self._settled(dict.fromkeys(names, _tail))
        if alone():
            for name in names:
                yield from self._settled({name: _tail})
        for name in names[:2]:
            held = BLOCK if self.many or self._is_row_length(name) else 1
            yield from self._settled(
                {name: partial(_beyond, held=held)} | {other: _few for other in names if other != name}
            )
        yield from self._settled(dict.fromkeys(names, _tail) | {_secret.choice(names): _one})
        yield from self._settled(dict.fromkeys(names, _tail))

    def _is_row_length(self, name: str) -> bool:
        """Whether a size is that of some input's last dimension: what a block of a kernel holds."""
        size = self._size(name, _tail, self.own[name])
        form = self._form({name: size}) if size is not None else None
        pairs = zip(form.inputs, self._own_form.inputs, strict=False) if form and self._own_form else ()
        return any(one[-1:] != other[-1:] for one, other in pairs)

    def _settled(self, wanted: Mapping[str, _Draw]) -> Iterator[Sizes]:
        """Changes with which the operator runs, as many of the wanted ones as go together."""
        until = time.monotonic() + SECONDS
        for some in _fewer(wanted):
            found = self._at_once(some, until)
            if found is not None and found not in self._tried:
                self._tried.append(found)
                yield found
                return
            if time.monotonic() > until:
                return

    def _at_once(self, wanted: Mapping[str, _Draw], until: float) -> Sizes | None:
        """All changes, the sizes below a cap with which they are small enough; None where the operator does not run."""
        for cap in CAPS:
            drawn = {name: self._size(name, draw, cap) for name, draw in wanted.items()}
            sizes = {name: size for name, size in drawn.items() if size is not None and size != self.own[name]}
            form = self._form(sizes) if sizes and time.monotonic() < until else None
            if form is None:
                return None
            if form.elements > self.most:
                continue
            try:
                return sizes if form != self._own_form and self._runs(sizes) else None
            except TakesMore:
                continue
        return None

    def _size(self, name: str, draw: _Draw, cap: int) -> int | None:
        """A size in the range of a dimension, by one way of drawing."""
        allowed = self.ranges[name]
        for _ in range(8):
            size = draw(self.own[name], cap)
            # The range may hold none of what was drawn, and then its ends are what there is.
            size = max(size, allowed.least) if allowed.most is None else min(max(size, allowed.least), allowed.most)
            size -= size % allowed.multiple
            if allowed.holds(size) and size != self.own[name] and size > 0:
                return size
        return next((one for one in (allowed.least, allowed.most) if one and allowed.holds(one)), None)

    def keys_of(self, sizes: Sizes) -> Mapping[str, Scalar]:
        """The case that has these sizes."""
        return {**self.keys, **sizes}

    def _case(self, sizes: Sizes) -> Case:
        return make_case(self.text, self.file, self.keys_of(sizes), self.dtype, 0)

    def _form(self, sizes: Sizes) -> Form | None:
        """The shapes with these sizes; None where the operator has none."""
        try:
            return form_of(self._case(sizes))
        except OperatorError:
            return None

    def _runs(self, sizes: Sizes) -> bool:
        """Whether the reference runs with these sizes; raises `TakesMore` where it takes more than inputs let expect.

        What attention keeps for each pair of places is many times its inputs.
        """
        try:
            case = self._case(sizes)
            if footprint_of(case).elements > 4 * self.most:
                return False
            with seeded(0), torch.no_grad():
                model, made = case.model(), case.make_inputs()
                with within(MOST_BYTES * self.most):
                    results = invoke(model, made)
                if self._fits_by_accident(case):
                    return False
                _require_quick(model, made)
        except TakesMore:
            raise
        except Exception:
            return False
        given = sum(int(one.numel()) for one in memory.tensors(results))
        return 0 < given <= self.most

    def _fits_by_accident(self, case: Case) -> bool:
        """Whether the reference runs on a case only because a size of 1 fits where the stated shapes are equal."""
        calls = calls_of(case)
        if not any(one.repeated() for one in calls):
            return False
        return bool(self._own_calls) and by_accident(self._own_calls, calls)

    @cached_property
    def _own_calls(self) -> list[Call]:
        return calls_of(self._case({}))


def _require_quick(model: Any, made: Any) -> None:
    """Raise `TakesMore` where float64 takes long each time; a busy moment is no fault of the operator."""
    took = []
    with suppress(OperatorError, RuntimeError, TypeError):
        exact, wide = model._apply(dtypes.widened), dtypes.widen(made)
        for _ in range(TRIES):
            started = time.monotonic()
            invoke(exact, wide)
            took.append(time.monotonic() - started)
            if took[-1] <= MOST_SECONDS:
                return
    if took:
        raise TakesMore(f"{min(took):.2g} s")


def question(reference: Reference) -> Draw | None:
    """The operator's own inputs at a shape with their answer; None where that would be unfair.

    A variance of one element, a mean over nothing: where results are not finite, or err by more than rounding, sound
    kernels differ.
    """
    made = drawing.draw(reference.case, reference.device, drawing.fresh_seed())
    try:
        found = reference.answer(made, OPERATOR)
    except OperatorError:
        return None
    finite = all(_finite(tensor) for one in found.outcome for tensor in (one.oracle, one.framework))
    sound = finite and all(one.analytic <= NOT_ROUNDOFF and one.tail <= HEAVY for one in found.outcome)
    return found if sound and reference.oracle.steady(found.inputs, found.outcome) else None


def _finite(tensor: torch.Tensor) -> bool:
    return bool(dtypes.finite(tensor).all())


@contextmanager
def forgotten() -> Iterator[None]:
    """Let the modules that are loaded for shapes go afterwards."""
    known = set(sys.modules)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name not in known and name.startswith(MODULE_NAME)]:
            del sys.modules[name]


def form_of(case: Case) -> Form:
    """The shapes of inputs and state, without their memory where that is possible."""
    for device in ("meta", "cpu"):
        try:
            with seeded(0), torch.device(device), torch.no_grad():
                inputs = tuple(tuple(one.shape) for one in memory.tensors(case.make_inputs()))
                state = tuple(tuple(one.shape) for one in case.model().state_dict().values())
                return Form(inputs, state)
        except Exception:
            continue
    raise OperatorError("the operator does not run")


def _fewer(wanted: Mapping[str, _Draw]) -> Iterator[Mapping[str, _Draw]]:
    """All changes, then with some sizes that keep their factors (of heads, of groups), then each change alone."""
    yield wanted
    if len(wanted) > 1:
        yield from ({**wanted, name: _coarse} for name in wanted)
        yield from (dict.fromkeys(wanted, _coarse) | {name: draw} for name, draw in wanted.items())
    yield from ({name: draw} for name, draw in wanted.items())
    yield from ({name: _coarse} for name in wanted)


def _tail(own: int, cap: int) -> int:
    """A size up to the own one that no tile divides: a prime, or a neighbour of a tile's multiple."""
    most = min(own, cap)
    if most <= 4:
        return _secret.choice([size for size in (1, 2, 3, 5) if size != own])
    least = max(2, most // 3)
    edges = [size for tile in TILES for many in (1, 2, 3) for size in (tile * many - 1, tile * many + 1)]
    near = [size for size in edges if least <= size < most]
    kinds = [near, _primes(least, most - 1)]
    return _secret.choice(_secret.choice([kind for kind in kinds if kind] or [[most - 1]]))


def _beyond(own: int, cap: int, held: int) -> int:
    """A size that neither a block with room for the own one holds, nor one of ``held`` elements."""
    least = 1 << (own - 1).bit_length()
    block = max(least, held) if max(least, held) < cap else least
    return block + _secret.choice([1, 3, 7, max(1, block // 8) | 1])


def _coarse(own: int, cap: int) -> int:
    """Half of the own size, or half of that, and so on: what divides it often divides these, too."""
    size = own // 2 if own % 2 == 0 else own
    while size > cap and size % 2 == 0:
        size //= 2
    return size


def _few(own: int, _: int) -> int:
    """A small size."""
    return _secret.choice([size for size in (1, 2, 3, 5) if size != own and size <= max(own, 3)])


def _one(*_: int) -> int:
    """One row, or one column."""
    return 1


@lru_cache(maxsize=256)
def _primes(least: int, most: int) -> Sequence[int]:
    """Some primes in a range, from both ends of it."""
    found = [n for n in range(max(2, most - 600), most + 1) if all(n % d for d in range(2, int(n**0.5) + 1))]
    return [n for n in found if n >= least]
