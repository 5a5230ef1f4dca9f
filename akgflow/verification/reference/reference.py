"""One case of an operator as the judge holds it: its model, secret inputs, the float64 oracle and the bounds."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

import torch

from akgflow.config.types import Scalar
from akgflow.precision import Contract
from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.distributions import (
    BOUNDED,
    DECAYS,
    EXTRA,
    EXTREMES,
    MANY_ELEMENTS,
    MOST_ELEMENTS,
    NORMAL,
    OPERATOR,
    ORDERED,
    SCALED,
    SHIFTED,
    SIGNED,
    InputInvariant,
    attempts,
    borders,
    further,
    input_invariant,
    may_have_borders,
    most_others,
)
from akgflow.verification.reference.index_outputs import RANGE_BOUND, Trace
from akgflow.verification.reference.inputs import Draw, Recipe
from akgflow.verification.reference.operator import Case, OperatorError, check_state, make_case, seeded
from akgflow.verification.reference.oracle import QUICK_SECONDS, SLOW_SECONDS, Oracle
from akgflow.verification.reference.output_form import require_an_answer
from akgflow.verification.reference.special.admission import admitted, computes, well_conditioned
from akgflow.verification.reference.special.gradients import ANOTHER, upstream_draws, with_gradients
from akgflow.verification.reference.special.perturbations import (
    FAR,
    OTHER,
    OUT_OF_RANGE,
    PERTURBED,
    distinguishes,
    of_few_terms,
    single_element_perturbations,
)
from akgflow.verification.reference.special.structures import Kind, Structure, kinds_of
from akgflow.verification.reference.tolerance import Measure
from akgflow.verification.reference.tracing.narrowing import conditions
from akgflow.verification.reference.tracing.op_count import measure
from akgflow.verification.reference.tracing.runner import Runner
from akgflow.verification.reference.trivial_answers import loose_bounds, trivial_answers, undecided
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.op_policy import Work
from akgflow.verification.shared.trusted_io import describer

MOST_SEEN = 1 << 22
"""Inputs up to so many elements are drawn several times to see what their masks and lengths have in common."""
PERTURBED_SECONDS = 1.0
"""Oracles that take longer are not asked about perturbed inputs."""
PREPARING_SHARE, PREPARING_SECONDS = 0.5, 10.0
"""Of the seconds that judging may take, and so many at least: after them, no further set of inputs is drawn."""
MOST_FORWARDS = 45
"""In float64, in the seconds that judging may take."""
MOST_PERTURBED = 4
MOST_STRUCTURED = 2
"""Structures that no other distribution is asked with, and that are asked with the operator's own."""
MOST_REPEATED = 1 << 24
"""Elements of inputs and outputs up to which inputs of few terms are added to the others."""
_secret = random.SystemRandom()


class Reference:
    """One case of an operator, with parameters drawn for it, on ``device``; raises `OperatorError` where it fails."""

    large: ClassVar[bool] = False
    """Whether what it holds is too much to wait for the garbage collector."""
    thrifty: bool = False  # whether as few forwards in float64 as there can be must do
    two_calls: bool = False
    """Whether each set of inputs is asked about once, for the time that a call takes."""

    def __init__(
        self,
        text: str,
        file: str,
        keys: Mapping[str, Scalar],
        dtype: str | None,
        device: str,
        contract: Contract = Contract(),  # noqa: B008
        secret: str = "",
    ) -> None:
        self.contract, self.seeds = contract, drawing.Seeds(secret)
        self.allowed = self._until = math.inf
        """Seconds that judging the case may take, and when its time for preparing is over."""
        self.case: Case = make_case(text, file, keys, dtype, self.seeds.of("init"))
        self.file, self.device, self._describe = file, device, describer()
        self.init = memory.lay_out({"args": list(self.case.init_args), "kwargs": dict(self.case.init_kwargs)})
        model = self.constructed()
        self.case = with_gradients(self.case, model, file)
        self.parameters = frozenset(name for name, _ in model.named_parameters())
        self.adopt(model, positive=False)
        self.draws: list[Draw] = []
        self.draw_seconds = 0.0
        """What drawing a set of inputs takes, where that may be long."""
        self.weak, self._left_out = tuple[str, ...](), tuple[str, ...]()
        self.invariants: list[InputInvariant] = []
        self.kinds: list[Kind] = []

    def adopt(self, model: Any, positive: bool) -> None:
        """Work with a model that was constructed for the case, and draw its parameters."""
        self._default = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self._tied = drawing.tied(model.state_dict())
        self._model = model.to(self.device)
        self._draw_state(positive)

    def _draw_state(self, positive: bool) -> None:
        """Draw parameters, and set up what works with them."""
        self.positive = positive
        state = drawing.draw_state(self._default, self.parameters, self.seeds.of("state", positive), positive)
        self.state = {name: state[self._tied.get(name, name)].to(self.device) for name in state}
        spacing = memory.at_page_end if self.device == "cpu" else memory.guarded
        self.state_layout = memory.lay_out(dict(self.state), spacing)
        self.set_up()

    def set_up(self) -> None:
        """Set up framework and oracle with the parameters."""
        where = f"of operator {self.file} on case {dict(self.case.keys)}"
        under, wanted = conditions(self.contract, self.device), self.case.wanted
        self.framework_runner = Runner(self._model, self.state, where, under, wanted)
        self.oracle = Oracle(self._model, self.state, where, self.contract.allowed, wanted)
        self._pace()

    def _pace(self) -> None:
        """Have float64 make do with few forwards, sooner where there is little time for them."""
        least, most = SLOW_SECONDS
        self.oracle.slow_seconds = min(most, max(least, self.allowed / MOST_FORWARDS))
        self.oracle.thrifty = self.oracle.thrifty or self.thrifty

    def constructed(self) -> Any:
        """A model with its own default parameters; raises `OperatorError`."""
        try:
            with seeded(self.seeds.of("model")):
                model = self.case.model()
                check_state(model, f"of Model in {self.file}")
                return model._apply(lambda t: drawing.cast(t, self.case.dtype, str(t.device)))
        except OperatorError:
            raise
        except Exception as error:
            text = f"Model cannot be constructed of operator {self.file} on case {dict(self.case.keys)}"
            raise OperatorError(f"{text}: {type(error).__name__}: {error}") from error

    @property
    def seconds(self) -> float:
        """About how long preparing it took."""
        return 10 * len(self.draws) * self.oracle.seconds

    @cached_property
    def work(self) -> Work:
        """What the framework does in one call on this case."""
        made = self.draws[0].inputs if self.draws else self.operator_inputs()
        copied = memory.copied(made)
        return measure(lambda: self.framework_runner.run(copied))

    def shapes(self) -> memory.Layout:
        """Inputs for a run whose values nobody looks at."""
        return memory.lay_out(list(drawing.draw(self.case, self.device, drawing.fresh_seed())))

    def prepare(self) -> None:
        """The operator's own distribution, the normal one (or its own again), and as many others as time allows."""
        if self.draws:
            return
        self._pace()
        self._until = time.monotonic() + max(PREPARING_SECONDS, PREPARING_SHARE * self.allowed)
        first = self.answer(self.operator_inputs("first"), OPERATOR)
        if self.parameters and not all(bool(torch.isfinite(one.oracle).all()) for one in first.outcome):
            # Perhaps a root or a logarithm is taken of a parameter.
            self._draw_state(positive=True)
            first = self.answer(self.operator_inputs("first"), OPERATOR)
        self.invariants = self.input_invariants(first)
        second = self.try_distribution(NORMAL, first)
        self.draws = [first, second or self.answer(self.operator_inputs("second"), OPERATOR)]
        self.draws += upstream_draws(first, lambda: self.operator_inputs(ANOTHER), self.answer, self.oracle)
        at_borders = [EXTREMES] if any(invariant.has_borders for invariant in self.invariants) else []
        moved = [ORDERED] if any(invariant.movable for invariant in self.invariants) else []
        others = _secret.sample(EXTRA, len(EXTRA)) if second is not None else at_borders + moved
        wanted = self._how_many(first)
        if wanted == len(EXTRA) == len(others):
            more = further(self.oracle.names, self.invariants)
            others, wanted = others + more, wanted + len(more)
        structures = []
        if not (self.oracle.thrifty or self.oracle.slow) and first.elements <= MANY_ELEMENTS:
            structures = admitted(self.kinds, self.operator_inputs, self.framework_runner, first)
        for place, distribution in enumerate(others):
            shifted = any(draw.distribution.startswith(SHIFTED) for draw in self.draws)
            if (not wanted and self.oracle.thrifty) or (distribution in DECAYS and shifted) or self._late():
                break
            self.weak = trivial_answers(self.draws)
            # Where a trivial answer would still pass, every distribution that might refuse it is tried.
            if place < wanted or (self.weak and not self.oracle.slow):
                # What masks and lengths are given at their borders is seen without a structure.
                kept = distribution == EXTREMES and at_borders
                found = self._with_a_structure(distribution, first, [] if kept else structures)
                self.draws += [found] if found is not None else []
        alone = (self.try_distribution(OPERATOR, first, one) for one in structures if not self._late())
        self.draws += islice((one for one in alone if one is not None), MOST_STRUCTURED)
        self.draws += self._of_few_terms(first)
        self.weak = trivial_answers(self.draws)
        if (self._late() or self.oracle.slow) and not self.oracle.thrifty:
            took = f"a forward in float64 takes {self.oracle.seconds:.2g} s here"
            self._left_out = (f"{took}: there are no further sets of inputs than {len(self.draws)}",)

    def _late(self) -> bool:
        return time.monotonic() > self._until

    def _with_a_structure(self, distribution: str, first: Draw, structures: list[Structure]) -> Draw | None:
        """A draw of a distribution, and with the first of the structures that goes with it, which is taken out."""
        for structure in structures[:2]:
            found = self.try_distribution(distribution, first, structure)
            if found is not None:
                structures.remove(structure)
                return found
        return self.try_distribution(distribution, first)

    def _of_few_terms(self, first: Draw) -> Iterator[Draw]:
        """Draws whose outputs are made from few elements, where the operator makes them from many."""
        if self.oracle.thrifty or self.oracle.slow or first.elements > MOST_REPEATED or self._late():
            return
        outputs = max((one.framework.numel() for one in first.expected if one.bound is not None), default=0)
        confined = bool(self.oracle.names & RANGE_BOUND) or self.oracle.truncates
        for name, made in of_few_terms(self.operator_inputs("few"), outputs, self.invariants, confined):
            with suppress(OperatorError):
                found = self.answer(made, name, first.way)
                if well_conditioned(self.oracle, found, first, name):
                    yield found

    def input_invariants(self, first: Draw) -> list[InputInvariant]:
        """What the first draw has in common with another; with several where it holds masks, lengths or indices."""
        draws = [first.inputs, self.operator_inputs("other")]
        given, other = (list(memory.tensors(made)) for made in draws)
        found = [input_invariant(one, another) for one, another in zip(given, other, strict=True)]
        if sum(one.numel() for one in given) > MOST_SEEN or all(invariant.random for invariant in found):
            return found
        draws += [self.operator_inputs("further", i) for i in range(6)]
        seen = zip(*map(memory.tensors, draws), strict=True)
        found = [
            borders(one) if not invariant.random and may_have_borders(one[0]) else invariant
            for invariant, one in zip(found, seen, strict=True)
        ]
        self.kinds = kinds_of(draws, found)
        return found

    @cached_property
    def perturbed(self) -> tuple[Draw, ...]:
        """The first draw with one secret element changed, so that its answer is wrong; may be empty."""
        first, second = self.draws[:2]
        if self.oracle.seconds > PERTURBED_SECONDS or first.elements > MOST_ELEMENTS:
            return ()
        admits = [OTHER, OTHER, FAR, FAR] if second.distribution == NORMAL else [OTHER, OTHER]
        admits += [OUT_OF_RANGE, OUT_OF_RANGE] if second.way != BOUNDED and second.distribution == NORMAL else []
        tensors = single_element_perturbations(first.inputs, self.invariants, admits)
        # A cache's key may leave out a whole input: each input is perturbed in one draw, a single one in two.
        turns = (tensors * 2)[: max(2, len(tensors))]
        draws = (filter(None, (self._perturbed_draw(made, first) for made in one)) for one in turns)
        found = filter(None, (next(one, None) for one in draws))
        return tuple(islice(found, MOST_PERTURBED if self.oracle.instant else 1))

    def _perturbed_draw(self, made: tuple[Any, ...], first: Draw) -> Draw | None:
        """What the outputs must be for the perturbed inputs ``made``; None where the draw's own outputs would pass."""
        try:
            if not distinguishes(first.expected + first.after, self.oracle.with_inputs(made, lambda t: t)):
                return None
            found = self.answer(made, OPERATOR, first.way)
        except OperatorError:
            return None
        return (
            replace(found, distribution=PERTURBED) if well_conditioned(self.oracle, found, first, PERTURBED) else None
        )

    @property
    def process_bytes(self) -> tuple[int, int]:
        """Bytes that a process keeps which runs the case, and takes while it does, beside inputs and outputs."""
        return self.state_layout.size, 0

    @property
    def answer_bytes(self) -> int:
        """Bytes that answering further inputs takes, beyond what is taken already."""
        return 0

    def let_go(self) -> None:
        """Let go of what can be made again, and takes memory."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a verdict on these draws cannot vouch for."""
        return self.weak + loose_bounds(self.draws) + undecided(self.draws[:1]) + self._left_out

    def rounding_hint(self, draw: Draw, outputs: list[torch.Tensor]) -> str:
        """A hint where the errors are those of a narrower input format; else empty."""
        return self.oracle.rounding_hint(draw.inputs, draw.expected, outputs)

    def _how_many(self, first: Draw) -> int:
        quick = self.oracle.seconds <= QUICK_SECONDS
        return 0 if self.oracle.slow else min(most_others(first.elements), len(EXTRA) if quick else 1)

    def operator_inputs(self, *what: object) -> tuple[Any, ...]:
        """Inputs that the operator draws, under a seed of the case's that ``what`` names; under any other without."""
        return drawing.draw(self.case, self.device, self.seeds.of("inputs", *what) if what else drawing.fresh_seed())

    def try_distribution(self, distribution: str, first: Draw, structure: Structure | None = None) -> Draw | None:
        """A draw of another distribution in the first way that the operator admits; None where it admits none."""
        bordered = distribution == EXTREMES and any(invariant.has_borders for invariant in self.invariants)
        moved = distribution == ORDERED and any(invariant.movable for invariant in self.invariants)
        drawn = bordered or moved or any(invariant.random for invariant in self.invariants)
        if distribution != OPERATOR and not drawn:
            return None
        confined = bool(self.oracle.names & RANGE_BOUND) or self.oracle.truncates
        for level, way in attempts(distribution, confined, bordered):
            try:
                what = (distribution, way, level, structure.name if structure is not None else "")
                made = self.make(Recipe(*what[:3], (self.seeds.of("own", *what), self.seeds.of("other", *what))))
                if structure is not None:
                    with seeded(self.seeds.of("structure", *what)):
                        made = structure.of(made, self.kinds)
                if distribution != NORMAL and not computes(self.framework_runner, made, first):
                    continue
                found = self.answer(made, distribution, way)
            except OperatorError:
                continue
            if well_conditioned(self.oracle, found, first, distribution):
                return found if structure is None else replace(found, distribution=structure.called(distribution))
        return None

    def fresh(self, distribution: str, way: str = SIGNED, level: float = 1.0) -> tuple[Any, ...]:
        """New secret inputs of a distribution that the case admits."""
        return self.make(self.recipe(distribution, way, level))

    @staticmethod
    def recipe(distribution: str, way: str = SIGNED, level: float = 1.0) -> Recipe:
        """A recipe for new secret inputs."""
        return Recipe(distribution, way, level, (drawing.fresh_seed(), drawing.fresh_seed()))

    def make(self, recipe: Recipe, base: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
        """The inputs that a recipe stands for; ``base`` is what the operator draws for it, where that is there."""
        made = drawing.draw(self.case, self.device, recipe.seeds[0]) if base is None else base
        if recipe.distribution == OPERATOR:
            return made
        # Large inputs are multiplied: their product is as large as one of them alone would be.
        count, level = sum(invariant.random for invariant in self.invariants), recipe.level
        level = level ** (1 / count) if recipe.distribution == SCALED and count > 1 else level
        return drawing.vary(made, self.invariants, recipe.distribution, recipe.way, level, recipe.seeds[1])

    def answer(self, made: tuple[Any, ...], distribution: str, way: str = SIGNED) -> Draw:
        """What the outputs for given inputs must be."""
        try:
            layout = memory.lay_out(list(made), memory.guarded)
        except TypeError as error:
            raise OperatorError(f"an input of {self.file} cannot be used: {error}") from error
        before = [placed.tensor.clone() for placed in layout.placed]
        copied, runner = memory.copied(made), self.framework_runner
        result = self._counted(copied)
        tree, _ = self._describe(result, memory.storages([copied, *self._model.state_dict().values()]))
        frame = runner.own_tensors(result)
        runner.effects = effects = runner.found_effects(before, list(memory.tensors(copied)))
        require_an_answer(tree, frame, effects, f"forward of {self.file}")
        if any(tensor.layout != torch.strided for tensor in frame):
            raise OperatorError(f"forward of {self.file} gives a sparse tensor; let it give a dense one")
        for tensor in (*frame, *memory.tensors(made)):
            if not dtypes.is_known(tensor.dtype):
                raise OperatorError(f"{self.file} uses {tensor.dtype}, whose values cannot be compared")
        outcome, count = frame + runner.changed(copied), len(frame)
        plain, shifted = distribution in (OPERATOR, NORMAL), distribution == SHIFTED
        how = Measure(plain or shifted, plain, shifted, rounds_once=(self.oracle.roundings or 0) <= 1)
        found = self.oracle.expected(made, outcome, runner, how)
        of = self.case.wanted, self.case.overwrites
        return Draw(distribution, way, made, layout, tree, found[:count], effects, found[count:], *of)

    def _counted(self, copied: Any) -> Any:
        """The framework's result; the first call also counts how often it rounds."""
        if self.oracle.roundings is not None:
            return self.framework_runner.run(copied)
        trace = Trace()
        result = self.framework_runner.run(copied, trace=trace)
        self.oracle.roundings = trace.roundings
        return result
