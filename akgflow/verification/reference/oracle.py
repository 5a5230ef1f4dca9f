"""The operator in float64: what its outputs should be, how sensitive they are to the inputs, and to how many."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from akgflow.precision import Operands
from akgflow.verification.reference.error_patterns import ROUNDINGS, alike
from akgflow.verification.reference.index_outputs import EXACT, RANGE_BOUND, Pick, Selection, Trace
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.tolerance import Expected, Measure, expect, whole_slack
from akgflow.verification.reference.tracing.length import longest_sum
from akgflow.verification.reference.tracing.narrowing import unit_for
from akgflow.verification.reference.tracing.runner import Runner, State, restore
from akgflow.verification.reference.tracing.spread import Roundoff, Spread
from akgflow.verification.reference.tracing.widening import widening
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.gradients import Wanted

STEP = 2.0**-20
"""Relative perturbation by which sensitivities are measured, small against curvature and large against 2**-53."""
VARIANCES = {"aten::var", "aten::var_mean", "aten::std", "aten::std_mean"}
VARIANCE_PASSES = 4
INSTANT_SECONDS, QUICK_SECONDS = 0.02, 0.1
SLOW_SECONDS = (1.0, 3.0)
"""Forwards are slow that take longer than the second of these, or than the first, where there is little time."""


@dataclass(frozen=True)
class Answer:
    """What one forward gave: its tensors, and what index outputs were selected from."""

    tensors: list[torch.Tensor]
    sources: list[torch.Tensor]

    @property
    def all(self) -> list[torch.Tensor]:
        """Outputs, then sources."""
        return self.tensors + self.sources


class Oracle:
    """A model in float64. Its first answer shows how every later one is measured.

    ``allowed``: what operands of float32 contractions may be rounded to.
    """

    def __init__(self, model: Any, state: State, where: str, allowed: Operands, wanted: Wanted | None = None) -> None:
        exact = copy.deepcopy(model)._apply(dtypes.widened)
        _widen_attributes(exact)
        self.runner = Runner(exact, dtypes.widen(dict(state)), where, wanted=wanted)
        self._state = state
        self.seconds = 0.0
        self.length: int | None = None
        self.names: set[str] = set()
        self.truncates = False
        self.repeatable = False
        self.allowed, self.spread = allowed, Spread(Operands())
        self.slow_seconds = SLOW_SECONDS[1]
        self.thrifty = False
        """Make do with as few forwards as there can be, where each takes seconds."""
        self.roundings: int | None = None
        """How often the framework rounds to a dtype below float32 in one forward; None until it is counted."""

    @property
    def unit(self) -> float:
        """The unit roundoff of operands that may be rounded to less than float32; 0.0 where none may be."""
        return unit_for(self.names, self.spread.allowed)

    @property
    def permission(self) -> str:
        """What candidates may round in this operator, in words; empty where float32 stays float32."""
        return str(self.allowed) if self.unit else ""

    @property
    def slow(self) -> bool:
        """True when few forwards must do."""
        return self.seconds >= self.slow_seconds

    @property
    def instant(self) -> bool:
        """True when forwards cost next to nothing."""
        return self.seconds < INSTANT_SECONDS

    def expected(self, made: Any, frame: list[torch.Tensor], framework: Runner, how: Measure) -> tuple[Expected, ...]:
        """What each tensor of an outcome must be, for inputs ``made`` on which the framework's was ``frame``."""
        self.runner.effects = framework.effects
        wide = dtypes.widen(made)
        started = time.monotonic()
        rounded, trace = self._first(wide, frame)
        if not rounded and frame:
            # Perhaps what the operator makes by itself does not go with float64.
            self.runner.conditions, before = widening, self.runner.conditions
            rounded, trace = self._first(wide, frame)
            self.runner.conditions = widening if rounded else before
        if not rounded and frame:
            if framework.draws:
                framework.require_same(frame, framework.outcome(memory.copied(made)), made)
            # The operator insists on its own dtype: only the framework's result is left to compare with.
            nothing = [torch.zeros_like(dtypes.as_float64(f)) for f in frame]
            length = partial(_longest, made)
            return tuple(expect(f, f, s, how, length=length) for f, s in zip(frame, nothing, strict=True))
        outputs = [trace.unrounded(one) for one in rounded]
        if any(one.is_cuda for one in outputs):
            torch.cuda.synchronize()
        self._took(time.monotonic() - started)
        self.names, self.truncates = self.names | trace.names, self.truncates or trace.truncates
        picks = [None if dtypes.is_real(o) else trace.pick_of(o) for o in outputs]
        selects = any(pick is not None for pick in picks)
        watch = selects or any(one is not other for one, other in zip(outputs, rounded, strict=True))
        base = Answer(outputs, trace.sources if watch else [])
        if any(t.dtype == torch.float32 for t in (*memory.tensors(made), *self._state.values())):
            self.spread.allowed = self.allowed
        self._repeat(wide, base, watch)
        sensitivity, moved = self._sensitivity(base, made, wide, watch)
        spread, exact = self._roundoff(base, wide, frame, watch)
        how = how._replace(exact=exact, unit=self.unit)
        length = partial(self._longest_sum, made, wide, outputs)
        given = zip(outputs, frame, sensitivity, spread, strict=False)
        found = [expect(o, f, s, how, d, length) for o, f, s, d in given]
        roundoff = [*zip(sensitivity, spread, strict=True)][len(frame) :]
        sources = self._sources(made, base, framework, roundoff, trace.given) if selects else []
        for i, pick in enumerate(picks):
            if pick is not None and sources:
                found[i] = _with_selection(found[i], pick, sources[pick.source])
            elif found[i].bound is None:
                whole = None if self.names <= EXACT else moved[i]
                slack = whole_slack(whole, STEP, length()) if whole is not None else None
                found[i] = Expected(outputs[i], frame[i], None, slack=slack)
        return tuple(found)

    def _first(self, wide: Any, frame: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Trace]:
        """An outcome that is shaped like the framework's, and what was traced; none where float64 does not do."""
        copied = self._given(wide)
        trace = Trace(memory.tensors(copied))
        with contextlib.suppress(OperatorError):
            found = self.runner.outcome(copied, trace=trace)
            if [o.shape for o in found] == [f.shape for f in frame]:
                return found, trace
        return [], trace

    def _repeat(self, wide: Any, base: Answer, watch: bool) -> None:
        """The same inputs again: once for each case, and always where a forward draws random numbers.

        What it drew may have no effect on some inputs (a recurrence forgets how it began) and much on others.
        """
        if self.repeatable and not self.runner.draws:
            return
        started = time.monotonic()
        self.runner.require_same(base.all, self._answer(wide, self.runner.state, watch).all, wide)
        self._took(time.monotonic() - started)
        self.repeatable = True

    def _given(self, wide: Any) -> Any:
        """What a forward is given of ``wide``: a copy, where it may change that."""
        return wide if self.thrifty and not self.runner.effects.inputs else memory.copied(wide)

    def _took(self, seconds: float) -> None:
        """Note a forward's time. The quickest one counts: what is tried must not depend on a busy moment."""
        self.seconds = min(self.seconds, seconds) if self.seconds else seconds

    def _answer(self, wide: Any, state: State, watch: bool) -> Answer:
        trace = Trace() if watch else None
        outputs = self.runner.outcome(self._given(wide), state, trace)
        return Answer(outputs, []) if trace is None else Answer([*map(trace.unrounded, outputs)], trace.sources)

    def _sensitivity(
        self, base: Answer, made: Any, wide: Any, watch: bool
    ) -> tuple[list[torch.Tensor], list[torch.Tensor | None]]:
        """Root mean square of the changes that relative perturbations make, and how far they move whole numbers."""
        quick = 8 if self.instant else 4 if self.seconds < QUICK_SECONDS else 3
        if not self.roundings and self.spread.covered:
            # In float32 the spread says more.
            quick = min(quick, 4)
        samples = 1 if self.thrifty or self.slow else quick
        total = [torch.zeros_like(dtypes.as_float64(o)) for o in base.all]
        moved = [None if dtypes.is_real(o) else torch.zeros_like(one) for o, one in zip(base.all, total, strict=True)]
        for _ in range(samples):
            for one, mark, result, start in zip(total, moved, self._moved(wide, watch, STEP), base.all, strict=False):
                if result.shape != start.shape:
                    continue
                if mark is not None:
                    _widen_to(mark, result, start)
                else:
                    apart = dtypes.as_float64(result) - dtypes.as_float64(start)
                    one += (apart / STEP).nan_to_num(0.0, 0.0, 0.0) ** 2
        coarse = max(_coarsest(memory.tensors(made)), 2 * self.unit)
        if coarse > STEP and any(mark is not None for mark in moved):
            for mark, result, start in zip(moved, self._moved(wide, watch, coarse), base.all, strict=False):
                if mark is not None and result.shape == start.shape:
                    _widen_to(mark, result, start)
        return [(one / samples).sqrt() for one in total], moved

    def _roundoff(
        self, base: Answer, wide: Any, frame: Sequence[torch.Tensor], watch: bool
    ) -> tuple[Sequence[Roundoff | None], bool]:
        """The spread of each output and source, and whether nothing is rounded at all.

        None where there is none: in float64, of what random rounding does not cover, and of forwards of seconds.
        """
        bits = [dtypes.format_of(f.dtype).bits for f in frame if dtypes.is_real(f)]
        nothing = [None] * len(base.all)
        if not self.spread.covered or self.thrifty or self.slow or max(bits, default=0) > 32:
            return nothing, False
        samples = (6 if self.seconds < INSTANT_SECONDS / 10 else 4) if self.instant else 2
        narrow = max(bits, default=32) < 32
        found, exact = self.spread.measure(
            lambda: self._answer(wide, self.runner.state, watch).all, base.all, samples, narrow
        )
        return found or nothing, exact

    def _longest_sum(self, made: Any, wide: Any, outputs: list[torch.Tensor]) -> int:
        """L of the bound's formula, counted once for each case.

        A variance may be taken in one pass, from sums of squares that are several times as large as itself.
        """
        if self.length is None:
            counted = not self.slow and not self.thrifty and self.runner.wanted is None
            self.length = self._counted(wide, outputs) if counted else _longest(made)
        return self.length * (VARIANCE_PASSES if self.names & VARIANCES else 1)

    def _counted(self, wide: Any, outputs: list[torch.Tensor]) -> int:
        restore(self.runner.model, self.runner.state)
        with self.runner.conditions():
            found = longest_sum(self.runner.model, wide, self.runner.effects.inputs, outputs)
        return found or _longest(wide)

    def _moved(self, wide: Any, watch: bool, step: float) -> list[torch.Tensor]:
        """Outputs and sources with all inputs and parameters changed by ``step``, relatively, up or down."""
        confined = bool(self.names & RANGE_BOUND)

        def perturb(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.dtype not in (torch.float64, torch.complex128):
                return tensor
            up = torch.randint(0, 2, tensor.shape, device=tensor.device, dtype=torch.int8)
            # In place: such a tensor may be a large part of the memory that there is.
            moved = up.double().mul_(2 * step).add_(1 - step)
            moved = moved.mul_(tensor) if tensor.dtype == torch.float64 else moved * tensor
            return moved.clamp(tensor.min(), tensor.max()) if confined and tensor.numel() else moved

        state = memory.map_tensors(self.runner.state, perturb)
        return self._answer(memory.map_tensors(wide, perturb), state, watch).all

    def steady(self, made: Any, expected: tuple[Expected, ...]) -> bool:
        """True when rounding the inputs to less than float32 moves no output further than half of its bound.

        Where it does, kernels that round what they keep in between differ by more than any first-order bound says.
        Where the framework rounds results alone, and no operands may be rounded, kernels keep nothing rounded.
        """
        coarse = _coarsest(memory.tensors(made)) / 2 if (self.roundings or 0) > 1 else 0.0
        coarse = max(coarse, self.unit)
        if coarse < STEP:
            return True
        moved = self._moved(dtypes.widen(made), False, coarse)
        return all(
            one.bound is None
            or (dtypes.format_of(one.framework.dtype).bits >= 32 and not self.unit)
            or other.shape != one.framework.shape
            or bool(((dtypes.as_float64(other) - one.oracle).abs().nan_to_num(0.0, 0.0, 0.0) <= one.bound / 2).all())
            for one, other in zip(expected, moved, strict=False)
        )

    def with_inputs(self, made: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        """Outputs for floating inputs and parameters changed by ``change`` at their own dtype."""

        def narrow(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
            return change(tensor.to(like.dtype)).double() if tensor.dtype == torch.float64 else tensor

        given = iter([*memory.tensors(made)])
        wide = memory.map_tensors(dtypes.widen(made), lambda t: narrow(t, next(given)))
        state = {name: narrow(tensor, self._state[name]) for name, tensor in self.runner.state.items()}
        return self._answer(wide, state, False).tensors

    def rounding_hint(self, made: Any, expected: Sequence[Expected], outputs: Sequence[torch.Tensor]) -> str:
        """A hint where the errors of outputs are those of a narrower input format; else empty."""
        for name, narrow in ROUNDINGS.items():
            moved = self.with_inputs(made, narrow)
            for got, wanted, other in zip(outputs, expected, moved, strict=False):
                if wanted.bound is None or other.shape != wanted.framework.shape:
                    continue
                if alike(*(dtypes.as_float64(one) - wanted.oracle for one in (got, other))):
                    return f": these are the errors of inputs rounded to {name}"
        return ""

    def _sources(
        self,
        made: Any,
        base: Answer,
        framework: Runner,
        roundoff: Sequence[tuple[torch.Tensor, Roundoff | None]],
        given: list[bool],
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each tensor that was selected from: its values, and how much a sound kernel's may be off."""
        trace = Trace()
        framework.run(memory.copied(made), trace=trace)
        if [s.shape for s in trace.sources] != [s.shape for s in base.sources]:
            return []
        found = []
        for exact, near, (sensitivity, spread), is_input in zip(
            base.sources, trace.sources, roundoff, given, strict=True
        ):
            if is_input or not exact.is_floating_point():
                found.append((exact.double(), torch.zeros(exact.shape, dtype=torch.float64, device=exact.device)))
                continue
            how = Measure(even=False, balanced=False, unit=self.unit)
            expected = expect(exact, near, sensitivity, how, spread, lambda: self.length or 1)
            bound = expected.bound if expected.bound is not None else torch.zeros_like(exact)
            found.append((exact.double(), bound))
        return found


def _with_selection(found: Expected, pick: Pick, source: tuple[torch.Tensor, torch.Tensor]) -> Expected:
    values, allowed = (part.flatten() for part in source)
    if pick.stable and not bool(allowed.any()):
        return Expected(found.oracle, found.framework, None)
    chosen = Selection(values, allowed, pick.base, pick.stride, pick.size, found.oracle, pick.distinct)
    return Expected(found.oracle, found.framework, None, selection=chosen)


def _coarsest(given: Iterable[torch.Tensor]) -> float:
    """The largest roundoff of the dtypes below float64 that torch computes in; 0.0 where there is none of them."""
    return max((torch.finfo(t.dtype).eps for t in given if t.dtype in dtypes.COMPUTED), default=0.0)


def _widen_to(mark: torch.Tensor, result: torch.Tensor, start: torch.Tensor) -> None:
    torch.maximum(mark, (dtypes.as_float64(result) - dtypes.as_float64(start)).abs(), out=mark)


def _longest(made: Any) -> int:
    return max([1, *(max(t.shape, default=1) for t in memory.tensors(made))])


def _widen_attributes(model: torch.nn.Module) -> None:
    """Tensors that modules keep as plain attributes, such as the first state of a recurrence, in float64 as well."""
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, torch.Tensor):
                setattr(module, name, dtypes.widened(value))
