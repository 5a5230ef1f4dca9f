"""A failure of values shown again: the same candidate, the smallest shape and the fewest calls that still fail.

The candidate runs as in a judgement, in the same sandbox. What the judge looks for, in this order: a single call on
inputs of the operator's own or of the distribution that failed; then all inputs of a judgement, those of the verdict's
seed first; then many calls of one model, since some candidates are wrong only after others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch

from akgflow.config.types import Scalar
from akgflow.operators.shapes.dimensions import dimensions, pinned, written_in
from akgflow.operators.shapes.numbers import numbers_in, with_numbers
from akgflow.operators.shapes.smaller import OutOfTime, Sizes, Smallest
from akgflow.operators.shapes.written import Number
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.second_look.evidence import Drawn, TooMuch, failing
from akgflow.verification.judge.second_look.layouts import in_other_layouts
from akgflow.verification.judge.second_look.shapes import forgotten, form_of
from akgflow.verification.reference.distributions import CLUSTERED, DECAYS, EXTRA, NORMAL, OPERATOR, InputInvariant
from akgflow.verification.reference.inputs import Draw, Seeds
from akgflow.verification.reference.operator import OperatorError, make_case
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.admission import HEAVY, NOT_ROUNDOFF
from akgflow.verification.shared import dtypes

DRAWS, DRAWS_OF_FEW, FEW_ELEMENTS = 4, 12, 64
"""Sets of inputs of a shape on which a candidate is asked before it counts as right there: chance shows a fault in few
elements seldom."""
MANY_CALLS = 150
"""Calls of one model on two sets of inputs in turn."""
SHARE = 0.6
"""Of the time that is left, for each way but the last."""
MOST_ELEMENTS = 1 << 24
"""Of inputs and state together: larger shapes are left out."""
ORACLE_SECONDS = 0.3
"""Float64 makes do with few forwards where one takes longer."""
REDRAWN = (NORMAL, *EXTRA, CLUSTERED, *DECAYS)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer: the last of ``calls``, which are numbers in ``asked``."""

    reference: Reference
    text: str
    asked: Sequence[Drawn]
    calls: Sequence[int]
    result: CaseResult


class _DependsOnOthers(Exception):
    """The candidate was wrong on what it answers rightly in a fresh process."""


class Reproduction:
    """The search of one request. ``start`` starts a process of the candidate and imports it."""

    def __init__(self, asked: ReproduceRequest, evidence: Evidence, start: Callable[[], Trial]) -> None:
        self.asked, self.request, self.evidence = asked, asked.request, evidence
        on_gpu = evidence is Evidence.EXECUTED and not asked.request.target.on_host
        self.device = "cuda" if on_gpu else "cpu"
        self._start = start
        self._until = time.monotonic() + asked.seconds
        self.numbers: dict[str, list[Number]] = {}
        """Places of equal numbers, which stay equal: a shape that is only broadcast is another question."""
        inner = {name: one for name, one in asked.case.items() if name in written_in(asked.request.operator)}
        self.operator = pinned(asked.request.operator, inner)
        """The operator's text with the numbers that the case sets."""
        self.keys = {name: one for name, one in asked.case.items() if name not in inner}
        self.own: dict[str, int] = {}
        self._trial: Trial | None = None
        self.wrong: dict[tuple[int, ...], Wrong] = {}
        said = asked.distribution.partition(", ")[0]
        self._likely = said if said in REDRAWN else ""

    def found(self) -> Reproduced:
        """The smallest that fails. Raises `CandidateFailed` where the candidate cannot be started."""
        with forgotten():
            self._look_for_sizes()
            try:
                return self._searched()
            except TooMuch as error:
                return Reproduced(None, reason=str(error))
            finally:
                self._end()

    def _searched(self) -> Reproduced:
        tried, end = 0, time.monotonic() + self.asked.seconds
        ways = [self._single, self._judged, self._in_turn]
        while ways:
            way = ways.pop(0)
            now = time.monotonic()
            self._until = now + (end - now) * (SHARE if ways else 1.0)
            search, sizes = Smallest(self.own, partial(self._fails, way)), None
            try:
                sizes = search.found()
            except _DependsOnOthers:
                # What is wrong only after other calls is looked for among such.
                ways.reverse()
            tried += search.tried
            if sizes is not None:
                return self._made(sizes, tried, search.complete)
        late = " in the time that there was" if time.monotonic() > end else ""
        return Reproduced(None, tried, reason=f"it was right on all of {tried} shapes that were tried{late}")

    def _made(self, sizes: Sizes, tried: int, complete: bool) -> Reproduced:
        wrong = self.wrong[tuple(sizes.values())]
        made = failing(wrong.reference, wrong.text, wrong.asked, wrong.calls, wrong.result, self.evidence)
        return Reproduced(made, tried, complete)

    def _look_for_sizes(self) -> None:
        """What can be smaller: sizes with names, and numbers that the functions write out and shapes follow."""
        request = self.request
        # These change in the text, too: there, no number is taken for another that it happens to equal on the way.
        self.numbers |= {name: list(places) for name, places in written_in(self.operator).items()}
        for one in dimensions(self.operator, frozenset(request.shapes.sizes)):
            size = self.keys.get(one.name, one.value)
            if type(size) is int and size > 1:
                self.own[one.name] = size
        form = form_of(make_case(self.operator, request.operator_file, self.keys, request.dtype, 0))
        for value, places in _equal(numbers_in(self.operator)).items():
            try:
                text = with_numbers(self.operator, dict.fromkeys(places, value - 1))
                other = form_of(make_case(text, request.operator_file, self.keys, request.dtype, 0))
            except OperatorError:
                # Alone it cannot change: with another number it may.
                other = None
            if other != form:
                self.numbers[f"the number {value}"] = places
                self.own[f"the number {value}"] = value

    def _text(self, sizes: Sizes) -> str:
        changed = {name: size for name, size in sizes.items() if name in self.numbers and size != self.own[name]}
        places = {place: size for name, size in changed.items() for place in self.numbers[name]}
        return with_numbers(self.operator, places)

    def _reference(self, sizes: Sizes, secret: str = "") -> tuple[Reference, str]:
        """The case with these sizes, and the operator's text. Raises `OperatorError`."""
        if time.monotonic() > self._until:
            raise OutOfTime
        text = self._text(sizes)
        named = {name: size for name, size in sizes.items() if name not in self.numbers and size != self.own[name]}
        keys: Mapping[str, Scalar] = {**self.keys, **named}
        about = (text, self.request.operator_file, keys, self.request.dtype)
        if form_of(make_case(*about, 0)).elements > MOST_ELEMENTS:
            raise OperatorError("the shape is too large to look at it again")
        reference = Reference(*about, self.device, self.request.contract, secret)
        reference.oracle.slow_seconds = ORACLE_SECONDS
        return reference, text

    def _fails(self, ways: Callable[[Sizes], Wrong | None], sizes: Sizes) -> bool:
        try:
            wrong = ways(sizes)
        except (OperatorError, CandidateFailed):
            # It refuses the shape, crashes on it or takes too long: that is another failure.
            self._end()
            return False
        if wrong is not None:
            self.wrong[tuple(sizes.values())] = wrong
        return wrong is not None

    def _single(self, sizes: Sizes) -> Wrong | None:
        """One call on inputs that are quickly drawn, seen again in a fresh process."""
        reference, text = self._reference(sizes)
        return self._alone(reference, text, self._drawn(reference), sizes)

    def _judged(self, sizes: Sizes) -> Wrong | None:
        """The same with all inputs of a judgement."""
        reference, text = self._reference(sizes, self.asked.seed if sizes == self.own else "")
        reference.prepare()
        draws = [*reference.draws, *reference.perturbed]
        draws.sort(key=lambda one: one.distribution != self.asked.distribution)
        return self._alone(reference, text, (Drawn(draw, None) for draw in draws), sizes)

    def _alone(self, reference: Reference, text: str, drawn: Iterator[Drawn], sizes: Sizes) -> Wrong | None:
        trial = self._started()
        trial.build(reference)
        before: list[Drawn] = []
        for one in drawn:
            if self._answer(trial, reference, one) is not None:
                if not self._fair(reference, one.draw, sizes):
                    return None
                return self._from_fresh(reference, text, before, one)
            before.append(one)
        return None

    def _from_fresh(self, reference: Reference, text: str, before: Sequence[Drawn], last: Drawn) -> Wrong:
        """A wrong answer with as few calls before it as show it in a fresh process. Raises `_DependsOnOthers`."""
        tries = [[last], *([one, last] for one in (*before[:1], *before[1:][-1:])), [*before, last]]
        for asked in tries:
            self._end()
            trial = self._started()
            trial.build(reference)
            results = [self._answer(trial, reference, one) for one in asked]
            if results[-1] is not None:
                return Wrong(reference, text, asked, range(len(asked)), results[-1])
        raise _DependsOnOthers

    def _in_turn(self, sizes: Sizes) -> Wrong | None:
        """Two sets of inputs in turn, in a process of their own, until an answer is wrong."""
        reference, text = self._reference(sizes)
        drawn = list(self._own_draws(reference, 2))
        if not all(self._fair(reference, one.draw, sizes) for one in drawn):
            return None
        self._end()
        trial = self._started()
        trial.build(reference)
        for call in range(MANY_CALLS):
            if time.monotonic() > self._until:
                raise OutOfTime
            one = drawn[call % len(drawn)]
            result = self._answer(trial, reference, one)
            if result is not None:
                self._end()
                return Wrong(reference, text, drawn, [n % len(drawn) for n in range(call + 1)], result)
        self._end()
        return None

    def _answer(self, trial: Trial, reference: Reference, one: Drawn) -> CaseResult | None:
        """The result where the values are wrong; raises `CandidateFailed` where something else is."""
        found = trial.check(reference, one.draw).result
        if found.status is Status.PASSED:
            return None
        if found.status is not Status.INCORRECT_NUMERICAL:
            raise CandidateFailed(found.status, found.detail)
        return found

    def _drawn(self, reference: Reference) -> Iterator[Drawn]:
        """The operator's own inputs, and those of the distribution that failed: first what failed before."""
        first = next(self._own_draws(reference, 1))
        draws = DRAWS_OF_FEW if first.draw.elements <= FEW_ELEMENTS else DRAWS
        yield first
        yield from self._own_draws(reference, draws - 1)
        if self.request.layouts:
            for _, made in in_other_layouts(first.draw.inputs):
                yield Drawn(reference.answer(made, OPERATOR), None)
        if self._likely:
            reference.invariants = self._invariants(reference, first.draw)
            for _ in range(draws):
                reference.seeds = Seeds()
                found = reference.try_distribution(self._likely, first.draw)
                if found is None:
                    return
                yield Drawn(found, None)

    def _invariants(self, reference: Reference, first: Draw) -> list[InputInvariant]:
        """Those of the case's own shape, as far as they say something of others: few elements show little."""
        own, _ = self._stated
        if len(own) != len(first.layout.placed):
            return reference.input_invariants(first)
        return [
            InputInvariant(False, lengths=one.lengths) if one.zeros is not None or one.masks is not None else one
            for one in own
        ]

    @cached_property
    def _stated(self) -> tuple[list[InputInvariant], set[tuple[int, int]]]:
        """The input invariants of the case's own shape, and the special values of its outputs; nothing where it fails.

        That may be because it is too large.
        """
        try:
            own, _ = self._reference(self.own)
            first = own.answer(own.operator_inputs(), OPERATOR)
            return own.input_invariants(first), _specials(first)
        except OperatorError:
            return [], set()

    def _own_draws(self, reference: Reference, count: int) -> Iterator[Drawn]:
        for _ in range(count):
            recipe = reference.recipe(OPERATOR)
            yield Drawn(reference.answer(reference.make(recipe), OPERATOR), recipe.seeds[0])

    def _fair(self, reference: Reference, draw: Draw, sizes: Sizes) -> bool:
        """Whether sound kernels agree on these inputs: a variance of one element, or an infinity, says nothing."""
        if sizes == self.own:
            return True
        sound = all(one.analytic <= NOT_ROUNDOFF and one.tail <= HEAVY for one in draw.outcome)
        return sound and _specials(draw) <= self._stated[1] and reference.oracle.steady(draw.inputs, draw.outcome)

    def _started(self) -> Trial:
        if self._trial is None:
            self._trial = self._start()
        self._trial.run_left = self._trial.build_left = max(self._until - time.monotonic(), 5.0)
        return self._trial

    def _end(self) -> None:
        if self._trial is not None:
            self._trial.close()
            self._trial = None


def _specials(draw: Draw) -> set[tuple[int, int]]:
    """The kinds of values that are not finite, each with the number of its output."""
    kinds = (torch.isnan, torch.isposinf, torch.isneginf)
    return {
        (number, place)
        for number, one in enumerate(draw.outcome)
        for place, kind in enumerate(kinds)
        if any(bool(kind(dtypes.as_float64(values)).any()) for values in (one.oracle, one.framework))
    }


def _equal(numbers: Sequence[Number]) -> Mapping[int, list[Number]]:
    """The places of each value."""
    found: dict[int, list[Number]] = {}
    for one in numbers:
        found.setdefault(one.value, []).append(one)
    return found
