"""The operator's side of a judgement: its model, secret inputs, the float64 oracle and the bounds. Judge only."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from typing import Any

import torch

from akgflow.config.types import Scalar
from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.distributions import (
    EXTRA,
    EXTREMES,
    LEVELS,
    NORMAL,
    OPERATOR,
    SCALED,
    SHIFTED,
    SIGNED,
    WAYS,
    WITHIN,
    Promise,
    borders,
    may_have_borders,
    promise,
)
from akgflow.verification.reference.error_patterns import ROUNDINGS, alike
from akgflow.verification.reference.index_outputs import RANGE_BOUND, Trace
from akgflow.verification.reference.op_count import measure
from akgflow.verification.reference.operator import Case, OperatorError, make_case, seeded
from akgflow.verification.reference.oracle import QUICK_SECONDS, SLOW_SECONDS, Effects, Oracle, Runner
from akgflow.verification.reference.output_form import same_form
from akgflow.verification.reference.perturbations import BEYOND, FAR, OTHER, TWIN, near_twins, tells
from akgflow.verification.reference.tolerance import Expected, Measure
from akgflow.verification.reference.trivial_answers import easy_answers
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.op_policy import Work
from akgflow.verification.shared.trusted_io import describer

MANY_ELEMENTS, MOST_ELEMENTS = 1 << 26, 1 << 28
"""Inputs and outputs together from which on memory allows only one distribution more, or none."""

MOST_SEEN = 1 << 22
"""Inputs up to so many elements are drawn several times to see what their masks and lengths have in common."""
TWIN_SECONDS = 1.0
"""Oracles that take longer are not asked for near twins."""
MOST_TWINS = 4

_SPECIAL = (torch.isnan, torch.isposinf, torch.isneginf)
_secret = random.SystemRandom()


@dataclass(frozen=True)
class Draw:
    """Inputs of one distribution and what the outputs must be.

    ``way`` is how the distribution was fitted to the operator. ``tree`` describes the result's structure; ``after``
    says what the inputs and buffers must be after the call that ``effects`` names, all others as they were.
    """

    distribution: str
    way: str
    inputs: tuple[Any, ...]
    layout: memory.Layout
    tree: memory.Tree
    expected: tuple[Expected, ...]
    effects: Effects
    after: tuple[Expected, ...]

    @property
    def mutates(self) -> bool:
        """True when the reference itself changes its inputs."""
        return bool(self.effects.inputs)

    def outs(self) -> list[dict[str, Any]]:
        """Places for the output tensors, between guard bytes, in a memory of their own."""
        return out_places([one.framework for one in self.expected], memory.GUARD)

    @cached_property
    def at_page_ends(self) -> memory.Layout:
        """Places for the inputs that make a read past an end a crash; for a CPU."""
        return memory.lay_out(list(self.inputs), memory.at_page_end)

    @property
    def elements(self) -> int:
        """Elements of all inputs and outputs."""
        return int(sum(p.tensor.numel() for p in self.layout.placed) + sum(e.oracle.numel() for e in self.expected))


def out_places(tensors: Sequence[torch.Tensor], guard: int = 0) -> list[dict[str, Any]]:
    """Contiguous places, by shape and dtype, for a sequence of tensors, ``guard`` bytes before and behind each."""
    places, offset = [], guard
    for tensor in tensors:
        places.append({"shape": list(tensor.shape), "dtype": memory.dtype_name(tensor.dtype), "offset": offset})
        offset += -(-tensor.numel() * tensor.element_size() // memory.ALIGN) * memory.ALIGN + 2 * guard
    return places


def places_size(places: Sequence[Mapping[str, Any]], guard: int = 0) -> int:
    """Bytes that `out_places` take."""
    if not places:
        return 0
    last = places[-1]
    return int(last["offset"] + -(-size_of(last) // memory.ALIGN) * memory.ALIGN + guard)


def size_of(place: Mapping[str, Any]) -> int:
    """Bytes of the tensor in a place."""
    return int(memory.dtype_of(place["dtype"]).itemsize * math.prod(place["shape"]))


class Reference:
    """One case of an operator, with parameters drawn for it, on ``device``; raises `OperatorError` where it fails."""

    def __init__(self, text: str, file: str, keys: Mapping[str, Scalar], dtype: str | None, device: str) -> None:
        self.case: Case = make_case(text, file, keys, dtype, drawing.fresh_seed())
        self.file, self.device, self._describe = file, device, describer()
        self.init = memory.lay_out({"args": list(self.case.init_args), "kwargs": dict(self.case.init_kwargs)})
        model = self._construct()
        self.parameters = frozenset(name for name, _ in model.named_parameters())
        self._default = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self._tied = drawing.tied(model.state_dict())
        self._model = model.to(device)
        self._adopt(positive=False)
        self.draws: list[Draw] = []
        self.weak: tuple[str, ...] = ()
        self.promises: list[Promise] = []

    def _adopt(self, positive: bool) -> None:
        """Draw parameters, and set up framework and oracle with them."""
        state = drawing.draw_state(self._default, self.parameters, drawing.fresh_seed(), positive)
        self.state = {name: state[self._tied.get(name, name)].to(self.device) for name in state}
        spacing = memory.at_page_end if self.device == "cpu" else memory.guarded
        self.state_layout = memory.lay_out(dict(self.state), spacing)
        where = f"of operator {self.file} on case {dict(self.case.keys)}"
        self.working = Runner(self._model, self.state, where)
        self.oracle = Oracle(self._model, self.state, where)

    def _construct(self) -> Any:
        try:
            with seeded(drawing.fresh_seed()):
                model = self.case.model()
                return model._apply(lambda t: drawing.cast(t, self.case.dtype, str(t.device)))
        except Exception as error:
            text = f"Model cannot be constructed of operator {self.file} on case {dict(self.case.keys)}"
            raise OperatorError(f"{text}: {type(error).__name__}: {error}") from error

    @property
    def seconds(self) -> float:
        """About what preparing it took."""
        return 10 * len(self.draws) * self.oracle.seconds

    @cached_property
    def work(self) -> Work:
        """What the framework does in one call on this case."""
        made = self.draws[0].inputs if self.draws else self._own()
        copied = memory.map_tensors(made, lambda t: t.clone())
        return measure(lambda: self.working.run(copied))

    def shapes(self) -> memory.Layout:
        """Inputs for a run whose values nobody looks at."""
        return memory.lay_out(list(drawing.draw(self.case, self.device, drawing.fresh_seed())))

    def prepare(self) -> None:
        """The operator's own distribution, the normal one (or its own again), and as many others as time allows."""
        if self.draws:
            return
        first = self.answer(self._own(), OPERATOR)
        if self.parameters and not all(bool(torch.isfinite(one.oracle).all()) for one in first.expected):
            # Perhaps a root or a logarithm is taken of a parameter.
            self._adopt(positive=True)
            first = self.answer(self._own(), OPERATOR)
        self.promises = self._promises(first)
        second = self._varied(NORMAL, first)
        self.draws = [first, second or self.answer(self._own(), OPERATOR)]
        at_borders = [EXTREMES] if any(kept.has_borders for kept in self.promises) else []
        others = _secret.sample(EXTRA, len(EXTRA)) if second is not None else at_borders
        wanted = self._how_many(first)
        for place, distribution in enumerate(others):
            self.weak = easy_answers(self.draws)
            # Where a trivial answer would still pass, every distribution that might refuse it is tried.
            if place < wanted or (self.weak and self.oracle.seconds < SLOW_SECONDS):
                found = self._varied(distribution, first)
                self.draws += [found] if found is not None else []
        self.weak = easy_answers(self.draws)

    def _promises(self, first: Draw) -> list[Promise]:
        """What the first draw has in common with another; with several where masks or lengths are to be understood."""
        given = list(memory.tensors(first.inputs))
        others = [list(memory.tensors(self._own()))]
        found = [promise(one, other) for one, other in zip(given, others[0], strict=True)]
        if sum(one.numel() for one in given) > MOST_SEEN or not any(map(may_have_borders, given)):
            return found
        others += [list(memory.tensors(self._own())) for _ in range(6)]
        seen = zip(*(given, *others), strict=True)
        return [
            borders(draws) if not kept.drawn and may_have_borders(draws[0]) else kept
            for kept, draws in zip(found, seen, strict=True)
        ]

    @cached_property
    def twins(self) -> tuple[Draw, ...]:
        """The first draw again with one secret element changed, so that its answer is wrong now; may be none."""
        first, second = self.draws[:2]
        if self.oracle.seconds > TWIN_SECONDS or first.elements > MOST_ELEMENTS:
            return ()
        admits = [OTHER, OTHER, FAR, FAR] if second.distribution == NORMAL else [OTHER, OTHER]
        admits += [BEYOND, BEYOND] if second.way != WITHIN and second.distribution == NORMAL else []
        tensors = near_twins(first.inputs, self.promises, admits)
        # A key may leave out a whole input: each of them has a twin, a single one has two.
        turns = (tensors * 2)[: max(2, len(tensors))]
        found = (next((t for t in (self._twin(made, first) for made in one) if t is not None), None) for one in turns)
        wanted = MOST_TWINS if self.oracle.instant else 1
        return tuple(islice((twin for twin in found if twin is not None), wanted))

    def _twin(self, made: tuple[Any, ...], first: Draw) -> Draw | None:
        """What the outputs must be for the twin ``made`` of a draw; None where the draw's own would pass as well."""
        try:
            if not tells(first.expected + first.after, self.oracle.with_inputs(made, lambda t: t)):
                return None
            twin = self.answer(made, OPERATOR, first.way)
        except OperatorError:
            return None
        return replace(twin, distribution=TWIN) if self._sound(twin, first, TWIN) else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a verdict on these draws cannot vouch for."""
        undecided = [
            (i, int((one.slack > 0).sum()), one.framework.numel())
            for draw in self.draws[:1]
            for i, one in enumerate(draw.expected)
            if one.slack is not None and bool(one.slack.any())
        ]
        return self.weak + tuple(
            f"{count} of {total} elements of output {i} hang on roundoff, and were compared within what it does to them"
            for i, count, total in undecided
        )

    def rounding_hint(self, draw: Draw, outputs: list[torch.Tensor]) -> str:
        """Words for errors that are those of a narrower input format; empty where they are not."""
        for name, narrow in ROUNDINGS.items():
            moved = self.oracle.with_inputs(draw.inputs, narrow)
            for got, expected, other in zip(outputs, draw.expected, moved, strict=False):
                if expected.bound is None or other.shape != expected.framework.shape:
                    continue
                if alike(*(dtypes.as_float64(one) - expected.oracle for one in (got, other))):
                    return f": these are the errors of inputs rounded to {name}"
        return ""

    def _how_many(self, first: Draw) -> int:
        if self.oracle.seconds > SLOW_SECONDS or first.elements > MOST_ELEMENTS:
            return 0
        return 1 if self.oracle.seconds > QUICK_SECONDS or first.elements > MANY_ELEMENTS else len(EXTRA)

    def _own(self) -> tuple[Any, ...]:
        return drawing.draw(self.case, self.device, drawing.fresh_seed())

    def _varied(self, distribution: str, first: Draw) -> Draw | None:
        """A draw of another distribution, fitted to the operator; None where the operator does not admit it."""
        bordered = distribution == EXTREMES and any(kept.has_borders for kept in self.promises)
        if not bordered and not any(kept.drawn for kept in self.promises):
            return None
        confined = bool(self.oracle.names & RANGE_BOUND) or self.oracle.truncates
        levels = (1.0, 0.0) if bordered else LEVELS.get(distribution, (1.0,))
        # Squeezed into a range, slices of faint or shifted values are all but equal: sums of squares and their squared
        # sum cancel, in sound kernels too.
        ways = (WITHIN,) if confined else WAYS if distribution not in LEVELS else WAYS[:2]
        for level, way in product(levels if ways != (WITHIN,) or distribution not in LEVELS else (), ways):
            try:
                made = self.fresh(distribution, way, level)
                if distribution != NORMAL and not self._computes(made, first):
                    continue
                found = self.answer(made, distribution, way)
            except OperatorError:
                continue
            if self._sound(found, first, distribution):
                return found
        return None

    def _computes(self, made: tuple[Any, ...], first: Draw) -> bool:
        """True when the framework's results are as finite as those of the operator's own inputs."""
        result = self.working.run(memory.map_tensors(made, lambda t: t.clone()))
        pairs = zip(memory.tensors(result), first.expected, strict=False)
        return all(_admitted(tensor, expected.framework) for tensor, expected in pairs)

    def _sound(self, found: Draw, first: Draw, distribution: str) -> bool:
        """True when values are special only where the operator's own are, and the framework copes with the draw.

        What the framework's kernel itself gets wrong by more than rounding says nothing about a candidate.
        """
        for one, other in zip(found.expected, first.expected, strict=True):
            if one.framework.shape != other.framework.shape:
                return False
            if not _admitted(one.oracle, other.oracle) or not _admitted(one.framework, other.framework):
                return False
            if _agree(other) and not _agree(one):
                return False
            if distribution != NORMAL and one.analytic > 1.0:
                return False
        if not same_form(found.tree, first.tree):
            return False
        return distribution == NORMAL or self.oracle.steady(found.inputs, found.expected)

    def fresh(self, distribution: str, way: str = SIGNED, level: float = 1.0) -> tuple[Any, ...]:
        """New secret inputs of a distribution that the case admits."""
        made = self._own()
        if distribution == OPERATOR:
            return made
        # Large inputs meet in products: together they are as large as one alone would be.
        drawn = sum(kept.drawn for kept in self.promises)
        level = level ** (1 / drawn) if distribution == SCALED and drawn > 1 else level
        return drawing.vary(made, self.promises, distribution, way, level, drawing.fresh_seed())

    def answer(self, made: tuple[Any, ...], distribution: str, way: str = SIGNED) -> Draw:
        """What the outputs for given inputs must be."""
        try:
            layout = memory.lay_out(list(made), memory.guarded)
        except TypeError as error:
            raise OperatorError(f"an input of {self.file} cannot be used: {error}") from error
        before = [placed.tensor.clone() for placed in layout.placed]
        copied = memory.map_tensors(made, lambda t: t.clone())
        result = self._counted(copied)
        tree, _ = self._describe(result, memory.storages([copied, *self._model.state_dict().values()]))
        frame = self.working.kept(result)
        if not frame:
            raise OperatorError(f"forward of {self.file} gives no tensor")
        if any(tensor.layout != torch.strided for tensor in frame):
            raise OperatorError(f"forward of {self.file} gives a sparse tensor; let it give a dense one")
        for tensor in (*frame, *memory.tensors(made)):
            if not dtypes.is_known(tensor.dtype):
                raise OperatorError(f"{self.file} uses {tensor.dtype}, whose values cannot be compared")
        self.working.effects = effects = self._effects(before, list(memory.tensors(copied)))
        outcome, count = frame + self.working.changed(copied), len(frame)
        plain = distribution in (OPERATOR, NORMAL)
        shifted = distribution == SHIFTED
        how = Measure(plain or shifted, plain, shifted, rounds_once=(self.oracle.roundings or 0) <= 1)
        found = self.oracle.expected(made, outcome, self.working, how)
        return Draw(distribution, way, made, layout, tree, found[:count], effects, found[count:])

    def _counted(self, copied: Any) -> Any:
        """The framework's result; on the first call it is counted how often it rounds."""
        if self.oracle.roundings is not None:
            return self.working.run(copied)
        trace = Trace()
        result = self.working.run(copied, trace=trace)
        self.oracle.roundings = trace.roundings
        return result

    def _effects(self, before: Sequence[torch.Tensor], given: Sequence[torch.Tensor]) -> Effects:
        """What the forward just run on ``given``, which was ``before``, has changed, or any forward before it."""
        known, state = self.working.effects, self._model.state_dict()
        changes = [
            # A change that leaves the values as they were (a relu of what is positive) shows in the version only.
            i in known.inputs or tensor._version > 0 or not memory.same_bits(was, tensor)
            for i, (was, tensor) in enumerate(zip(before, given, strict=True))
        ]
        moved = [n for n, was in self.state.items() if n in known.buffers or not memory.same_bits(was, state[n])]
        return Effects(tuple(i for i, changed in enumerate(changes) if changed), tuple(moved))


def _agree(one: Expected) -> bool:
    """True when the oracle and the framework are finite at the same places."""
    return bool(torch.equal(torch.isfinite(one.oracle), dtypes.finite(one.framework)))


def _admitted(tensor: torch.Tensor, own: torch.Tensor) -> bool:
    """True when values are special where the operator's own are, or are of kinds that it gives in changing places."""
    if tensor.shape != own.shape:
        return False
    if bool(torch.equal(dtypes.finite(tensor), dtypes.finite(own))):
        return True
    values, others = dtypes.as_float64(tensor), dtypes.as_float64(own)
    return all(bool(kind(others).any()) or not bool(kind(values).any()) for kind in _SPECIAL)
