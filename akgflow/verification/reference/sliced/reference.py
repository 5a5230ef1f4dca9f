"""The reference of a case that is too large for float64 at full size."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from akgflow.config.types import Scalar
from akgflow.precision import Contract
from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.distributions import (
    BOUNDED,
    NORMAL,
    OPERATOR,
    WAYS,
    InputInvariant,
    input_invariant,
)
from akgflow.verification.reference.index_outputs import RANGE_BOUND, Trace
from akgflow.verification.reference.inputs import Draw, Recipe
from akgflow.verification.reference.operator import OperatorError, TooLarge
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced.draw import FullSize, SlicedDraw, WholeDraw
from akgflow.verification.reference.sliced.parts import Part, Portions, Separation, chosen, parts_within, separation
from akgflow.verification.reference.sliced.patch import Patch, patchable
from akgflow.verification.reference.tolerance import Measure
from akgflow.verification.reference.tracing.runner import Effects
from akgflow.verification.reference.trivial_answers import loose_bounds, trivial_answers
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.op_policy import Work

SECONDS = {"cpu": 4.0, "cuda": 2.0}
"""Of float64 work for one set of inputs."""
ANSWER_SHARE = 0.25
"""Of those seconds, for inputs that are asked about once more, while something is timed."""
FIRST_ELEMENTS = 1 << 14
"""Elements of inputs and outputs of the first parts that float64 decides: what they take shows how many more it may."""
THRIFTY_SECONDS = 0.5
"""Float64 makes do with fewer forwards where one of the first parts takes longer."""
COMMON_SHARE = 16
COMMON_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 27}
"""Elements that every part needs: one in `COMMON_SHARE` of them at least are in the first parts, and with more than
`COMMON_ELEMENTS` float64 makes do with fewer forwards."""
PROCESS_BYTES = 128 << 20
"""What each process takes that is forked with the framework loaded."""
LEAST_BYTES = 256 << 20
"""The least room for float64 work on parts, and all of it while a timing has the memory."""
COPIES = 24
"""Float64 tensors of the size of a part's inputs and outputs that deciding it takes at once."""
SETS_SECONDS = 9.0
"""Judging a case with two sets of inputs takes so many times what drawing one takes, with the framework's answer."""
CALLS_SECONDS = 6.0
"""The same where the second set is the first with some new parts, and the candidate is asked three times."""
NEW_SHARE = 4
"""Where it would take too long, one part in so many of the second set is new: samples of it show that."""
KEPT_SETS = 4
"""Sets of inputs whose decided parts are kept at most, with as much left for deciding more."""


class Slicing(NamedTuple):
    """What is there for a large case."""

    bytes: int
    """The room for float64."""
    kept: int
    """How many sets of inputs there is room for."""
    candidate: int
    """Bytes that a candidate's process takes by itself."""
    answer_bytes: int
    """A set of inputs, and what it takes to answer it in float64 at full size."""
    no_whole: Callable[[], str] | None
    """Why float64 does not fit at full size, which an operator needs that is not separable; None: it fits."""
    seconds: float
    """About how long one such forward takes."""
    work: Work | None
    """What the framework does in a call; None where that is not known."""


class SlicedReference(Reference):
    """A case whose float64 answers are those of parts of it, where the operator is separable."""

    large = True

    def __init__(
        self,
        text: str,
        file: str,
        keys: Mapping[str, Scalar],
        dtype: str | None,
        device: str,
        slicing: Slicing,
        contract: Contract = Contract(),  # noqa: B008
    ) -> None:
        super().__init__(text, file, keys, dtype, device, contract)
        self.slicing = slicing
        self.how: Separation | None = None
        self.set_seconds = 0.0
        """What drawing a set of inputs takes, with the framework's answer."""
        self.patch: Patch | None = None
        """The second set of inputs, where that is the first but for some parts."""
        self.tree: memory.Tree = {}

    @property
    def answer_bytes(self) -> int:
        outputs = sum(one.numel() * one.element_size() for one in self.draws[0].forms)
        return self.slicing.answer_bytes if self.how is None else LEAST_BYTES + outputs

    @property
    def process_bytes(self) -> tuple[int, int]:
        return self.state_layout.size + PROCESS_BYTES, self.slicing.candidate

    @property
    def seconds(self) -> float:
        """It is not kept: it holds what takes memory."""
        return 0.0

    @property
    def work(self) -> Work:
        return self.slicing.work or super().work

    @property
    def perturbed(self) -> tuple[Draw, ...]:
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.how is None:
            return super().warnings
        share = min(draw.share for draw in self.draws if isinstance(draw, SlicedDraw))
        loose = loose_bounds(self.draws) + self._saved()
        if share >= 1.0:
            return self.weak + loose
        why = f"float64 decided {share:.2g} of a set of inputs, in secret parts; the rest was compared with the"
        return (*self.weak, *loose, f"{why} framework's own kernel, and went to float64 where the two differ")

    def _saved(self) -> tuple[str, ...]:
        """What was left out for its cost, in one sentence."""
        if self.patch is None:
            return ()
        why = f"drawing inputs and the framework's answer take {self.set_seconds:.2g} s here, too long for two sets"
        what = f"the second set of inputs is the first with {NORMAL} values in {self.patch.share:.2g} of it"
        return (f"{why}: {what}{', and neither was asked about twice' if self.two_calls else ''}",)

    def rounding_hint(self, draw: Draw, outputs: list[torch.Tensor]) -> str:
        return "" if self.how is not None else super().rounding_hint(draw, outputs)

    def prepare(self) -> None:
        if self.draws:
            return
        recipe, started = self.recipe(OPERATOR), time.monotonic()
        made = self.make(recipe)
        self.draw_seconds = time.monotonic() - started
        try:
            full = FullSize(made, self._frame)
            _ = full.frame
            self.set_seconds = time.monotonic() - started
            self.how = separation(self.framework_runner, made, full.frame)
            if self.how is None and self.framework_runner.draws:
                # That may be why no part is as in the whole; its size has nothing to do with it.
                self.framework_runner.require_same(full.frame, self._frame(made), made)
        except _Changes:
            self.how = None
        if self.how is None:
            del made, full
            self._prepare_whole()
            return
        first = self._decided(recipe, full)
        if self.parameters and not all(bool(torch.isfinite(one.oracle).all()) for one in first.expected):
            self._draw_state(positive=True)
            first = self._decided(recipe, FullSize(made, self._frame))
        self.draws = [first]
        other = self.recipe(OPERATOR)
        base = [self.make(other)]
        self.invariants = _invariants(first.inputs, base[0])
        del made, full
        second = self._in_parts(first) or self._second(first, other, base) or self._from_recipe(other, base)
        self.draws.append(second)
        self.weak = trivial_answers([self._sample(one) for one in self.draws])

    def _prepare_whole(self) -> None:
        """Float64 at full size after all, as little of it as there can be."""
        if self.slicing.no_whole is not None:
            raise TooLarge(
                f"{self.file} on case {dict(self.case.keys)} cannot be cut into parts that are computed by themselves: "
                f"{self.slicing.no_whole()}"
            )
        self.oracle.thrifty = True
        super().prepare()

    def _how_many(self, first: Draw) -> int:  # noqa: ARG002
        return 0

    def answer(self, made: tuple[Any, ...], distribution: str, way: str = "") -> Draw:
        if self.how is None:
            return self._whole_answer(made, distribution, way)
        return self._decided(Recipe(distribution, way, 1.0, (0, 0)), FullSize(made, self._frame), ANSWER_SHARE)

    def _whole_answer(self, made: tuple[Any, ...], distribution: str, way: str) -> Draw:
        try:
            frame = self._frame(made)
        except _Changes:
            return super().answer(made, distribution, way)
        layout = memory.lay_out(list(made), memory.guarded)
        self._count_roundings(made, frame)
        how = Measure(True, True, rounds_once=(self.oracle.roundings or 0) <= 1)
        found = self.oracle.expected(made, frame, self.framework_runner, how)
        return WholeDraw(distribution, way, made, layout, self.tree, found, Effects(), ())

    def _count_roundings(self, made: tuple[Any, ...], frame: list[torch.Tensor]) -> None:
        """How often the framework rounds below float32: not at all, where nothing is below it."""
        if self.oracle.roundings is None:
            trace = Trace()
            narrow = [t for t in (*memory.tensors(made), *frame, *self.state.values()) if dtypes.is_real(t)]
            if any(t.element_size() < 4 for t in narrow):
                self.framework_runner.run(made, trace=trace)
            self.oracle.roundings = trace.roundings

    def _frame(self, made: tuple[Any, ...]) -> list[torch.Tensor]:
        """The framework's own outputs; notes the structure of its result."""
        given = list(memory.tensors(made))
        versions = [one._version for one in given]
        result = self.framework_runner.run(made)
        state = self._model.state_dict()
        self.tree, _ = self._describe(result, memory.storages([made, *state.values()]))
        frame = self.framework_runner.own_tensors(result)
        moved = any(not memory.same_bits(was, state[name]) for name, was in self.state.items())
        if moved or any(one._version != was for one, was in zip(given, versions, strict=True)):
            raise _Changes(f"forward of {self.file} changes its inputs or buffers on some inputs")
        if not frame or any(one.layout != torch.strided or not dtypes.is_known(one.dtype) for one in (*frame, *given)):
            raise OperatorError(f"forward of {self.file} gives no dense tensor whose values can be compared")
        return frame

    def input_invariants(self, first: Draw) -> list[InputInvariant]:
        """What the first draw has in common with another."""
        return _invariants(first.inputs, self.make(self.recipe(OPERATOR)))

    def _in_parts(self, first: SlicedDraw) -> SlicedDraw | None:
        """The first set of inputs with normal values in secret parts, where another set would take too long.

        None where it would not, or where parts of the inputs cannot be drawn by themselves.
        """
        assert self.how is not None, "only what is separable has parts"
        known = {int(part) for one in first.decided for part in one.parts}
        left = torch.tensor([part for part in range(self.how.number) if part not in known])
        cut = [(one, dim is not None) for one, dim in zip(self.invariants, self.how.inputs, strict=True)]
        alone = all(one.plain if in_parts else not one.random for one, in_parts in cut)
        if SETS_SECONDS * self.set_seconds <= self.allowed or not len(left) or not alone:
            return None
        full = self._hold(first)
        if not patchable(self.how, full):
            return None
        parts = left[chosen(len(left), max(len(known), self.how.number // NEW_SHARE))]
        ways = (self._patched(first, full, parts, self.recipe(NORMAL, way)) for way in self._ways())
        return next((one for one in ways if one is not None), None)

    def _patched(self, first: SlicedDraw, full: FullSize, parts: torch.Tensor, recipe: Recipe) -> SlicedDraw | None:
        """The first set with other values in some parts; None where the operator does not admit them."""
        assert self.how is not None, "only what is separable has parts"
        own = self.how.of_inputs(full.inputs, parts)
        try:
            made = drawing.vary(own, self.invariants, NORMAL, recipe.way, 1.0, recipe.seeds[1])
            patch = Patch(first, parts, made, self._frame(made))
        except OperatorError:
            return None
        # The structure of the whole result, and not of a few parts.
        self.tree = first.tree
        draw = self._empty(recipe, patch.put(full, True))
        some = parts[chosen(len(parts), sum(len(one.parts) for one in first.decided))]
        with contextlib.suppress(OperatorError):
            draw.decided = [self._part(recipe, full, few) for few in some.split(first.at_once)]
            if self._alike_special(draw, first):
                draw.decided += first.decided
                draw.full, draw.at_once, self.patch = None, first.at_once, patch
                self.two_calls = CALLS_SECONDS * self.set_seconds > self.allowed
                return draw
        patch.put(full, False)
        return None

    def _ways(self) -> Sequence[str]:
        return (BOUNDED,) if self.oracle.names & RANGE_BOUND or self.oracle.truncates else WAYS

    def _second(self, first: SlicedDraw, other: Recipe, base: list[Any]) -> SlicedDraw | None:
        """Normal inputs, in the first way that the operator admits; ``base`` holds what ``other`` stands for."""
        if not any(invariant.random for invariant in self.invariants):
            return None
        for way in self._ways():
            seeds = (other.seeds[0], drawing.fresh_seed())
            try:
                found = self._from_recipe(Recipe(NORMAL, way, 1.0, seeds), base)
            except OperatorError:
                continue
            if self._alike_special(found, first):
                return found
        return None

    def _alike_special(self, found: SlicedDraw, first: SlicedDraw) -> bool:
        """True where outputs are special only in kinds that the operator's own are."""
        kinds = (torch.isnan, torch.isposinf, torch.isneginf)
        pairs = zip(found.expected, first.expected, strict=True)
        return all(
            bool(kind(b.oracle).any()) or not bool(kind(a.oracle).any())
            for a, b in pairs
            if dtypes.is_real(a.framework)
            for kind in kinds
        )

    def _from_recipe(self, recipe: Recipe, base: list[Any]) -> SlicedDraw:
        """A draw from a recipe; ``base``, what the operator draws for it, is used up."""
        self._make_room()
        made = self.make(recipe, base.pop() if base else None)
        return self._decided(recipe, FullSize(made, self._frame))

    def _decided(self, recipe: Recipe, full: FullSize, share: float = 1.0) -> SlicedDraw:
        """A draw, with as many parts decided by float64 as its seconds and its room allow."""
        assert self.how is not None, "only what is separable is decided in parts"
        _ = full.frame
        draw = self._empty(recipe, full)
        each = max(1, draw.elements // self.how.number)
        # What every part needs is widened and perturbed each time: the more, the more parts go together.
        common = draw.common + sum(one.numel() for one in self.state.values())
        first = max(1, min(self.how.number, math.ceil(max(FIRST_ELEMENTS, common // COMMON_SHARE) / each)))
        seconds = self.slicing.seconds / self.how.number
        first = max(1, min(first, int(THRIFTY_SECONDS / max(seconds, 1e-12))))
        if seconds * first > THRIFTY_SECONDS / 4 or common > COMMON_ELEMENTS[self.device]:
            self.oracle.thrifty = True
        # What is decided is kept: inputs and outputs, and for an output the oracle's value and the bound.
        at_once, most = (self.slicing.bytes // (8 * each * copies) for copies in (COPIES, 3 * KEPT_SETS))
        how_many = Portions(self.how.number, first, max(first, at_once), most)
        draw.at_once = how_many.first
        allowed = share * SECONDS[self.device]
        draw.decided = parts_within(allowed, how_many, lambda parts: self._part(recipe, full, parts))
        return draw

    def _empty(self, recipe: Recipe, full: FullSize) -> SlicedDraw:
        """A draw of which float64 has decided nothing."""
        assert self.how is not None, "only what is separable is decided in parts"
        draw = SlicedDraw(recipe, full, self.tree, self.how, self._hold)
        draw.decide = lambda now, parts: self._part(recipe, now, parts)
        return draw

    def _part(self, recipe: Recipe, full: FullSize, parts: torch.Tensor) -> Part:
        assert self.how is not None, "only what is separable is decided in parts"
        made, frame = self.how.of_inputs(full.inputs, parts), self.how.of_outputs(full.frame, parts)
        self._count_roundings(made, frame)
        plain = recipe.distribution in (OPERATOR, NORMAL)
        how = Measure(plain, plain, rounds_once=(self.oracle.roundings or 0) <= 1)
        return Part(parts, made, self.oracle.expected(made, frame, self.framework_runner, how))

    def _sample(self, draw: Draw) -> Any:
        """A draw of the first part that was decided."""
        return draw.decided[0] if isinstance(draw, SlicedDraw) else draw

    def _hold(self, draw: SlicedDraw) -> FullSize:
        """The draw's inputs and outputs, made again where they are no longer there; no other draw's are kept."""
        if self.patch is not None and draw is self.draws[1]:
            return self.patch.put(self._hold(self.patch.first), True)
        if self.patch is not None and draw is self.patch.first and draw.full is not None:
            return self.patch.put(draw.full, False)
        if draw.full is None:
            self._make_room()
            draw.full = FullSize(self.make(draw.recipe), self._frame)
        return draw.full

    def _make_room(self) -> None:
        """Let go of one draw where another would be one too many."""
        full = [one for one in self.draws if isinstance(one, SlicedDraw) and one.full is not None]
        for one in full[: max(0, len(full) + 1 - self.slicing.kept)]:
            one.full = None

    def let_go(self) -> None:
        self.slicing = self.slicing._replace(bytes=LEAST_BYTES, kept=1)
        if self.patch is not None and self.patch.first.full is not None:
            self.patch.put(self.patch.first.full, False)
        for one in self.draws:
            if isinstance(one, SlicedDraw):
                one.full, one.decided = None, one.decided[:1]


def _invariants(made: tuple[Any, ...], other: tuple[Any, ...]) -> list[InputInvariant]:
    """What two sets of inputs have in common."""
    return [input_invariant(a, b) for a, b in zip(memory.tensors(made), memory.tensors(other), strict=True)]


class _Changes(OperatorError):
    """A forward changes what it is given: parts of that are no inputs of parts of the outputs."""
