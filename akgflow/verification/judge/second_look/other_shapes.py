"""A candidate that was right on the stated shapes is asked for others, in a process of its own: right, or a refusal.

Silently wrong, a crash and a write or read out of bounds are failures. A kernel that raises on a shape that nobody
announced is specialised, which is no fault; on one that was guaranteed, it is. So is one that is wrong where only a
number without a name was changed: its author gave no sign that it may. What takes too long, and what the stand-in
for a device cannot do, says nothing about a kernel.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from akgflow.base.text import named_values
from akgflow.config.types import Scalar
from akgflow.operators.shapes.dimensions import dimensions
from akgflow.operators.shapes.written import is_unnamed
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest, OtherShapes
from akgflow.verification.judge.answers.regions import SHIFT_BYTES
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed, Disturbed, Measured, Reported
from akgflow.verification.judge.second_look.layouts import in_other_layouts
from akgflow.verification.judge.second_look.shapes import MOST_ELEMENTS, Drawer, Sizes, forgotten, question
from akgflow.verification.reference.distributions import OPERATOR
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.operator import Case, OperatorError
from akgflow.verification.reference.reference import Reference

SHAPES, LEAST_SHAPES = 5, 2
"""Shapes that a candidate is asked for, where they are quick, and where they are not."""
LEAST_SECONDS, SHARE = 1.0, 0.25
"""After so long, and so much of the time that the verdict took before, no further shape is drawn."""
LIMIT_SECONDS = 10.0
"""For all builds and all calls on other shapes."""
ORACLE_SECONDS = 0.3
"""Float64 makes do with few forwards where one takes longer: steps of a recurrence are traced one by one."""
LENIENCE = 4.0
"""Times as wrong as on a stated shape: a tolerance is fitted to those, and what is looked for here is not rounding."""
FEW_ELEMENTS = 1 << 14
"""Elements of a shape that an interpreter can do, however few the stated one has."""
NO_FAULT = (Status.TIMEOUT, Status.NOT_RUN, Status.OUT_OF_MEMORY)
NO_NAMES = "get_inputs has no size that can be told: make its sizes globals or keywords"
_FAULT = re.compile(r"\bKernelFault: |illegal memory access|illegal address|misaligned address|launch failure")
"""In what a process reports: a kernel that went wrong, and did not refuse."""
_REFUSED = re.compile(r"[Aa]ssert|tl\.assume|__trap|terminate called after throwing|not possible|than a block can have")
"""In the words of a kernel, or of a process, that ended itself, or that was never launched."""

_secret = random.SystemRandom()
Cases = Sequence[Mapping[str, Scalar]]


class Refusal(NamedTuple):
    """A shape for which a candidate was not made: on which it raised, and what it said, or on which it was wrong."""

    sizes: Sizes
    words: str
    verb: str = "refuses"


class _Stop(Exception):
    """No further shape can be tried; the text says why."""


@dataclass
class Asking:
    """The questions of one judgement.

    ``start`` starts a process of the candidate; ``seconds`` are what the judgement took before. ``large`` says that
    the stated cases are too large for float64 at full size.
    """

    request: JudgeRequest
    cases: Cases
    evidence: Evidence
    start: Callable[[], Trial]
    seconds: float
    large: bool = False
    right: list[Sizes] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    contiguous: str = ""
    """What happened with inputs of another layout, where the candidate takes contiguous ones only."""
    trial: Trial | None = None
    stopped: bool = False
    """Whether its process cannot be asked any more."""
    wrong: list[Measured] = field(default_factory=list)
    """The result that ends the judgement, where there is one."""

    def found(self) -> OtherShapes | None:
        """What was tried; None where only the stated shapes are asked for. Raises `CandidateFailed`."""
        request = self.request
        if request.shapes.fixed and not request.layouts:
            return None
        keys = _secret.choice(self.cases)
        own = {} if request.shapes.fixed else self._own(keys)
        why = "" if request.shapes.fixed else NO_NAMES
        if not own and not request.layouts:
            return OtherShapes(untried=why)
        with forgotten():
            try:
                why = self._all_of(keys, own) if own else why
                with suppress(_Stop):
                    self._ask_layouts(keys)
            finally:
                if self.trial is not None:
                    self.trial.close()
        refused = tuple(one.sizes for one in self.refused)
        return OtherShapes(tuple(self.right), refused, self._specialised(own), why, self.contiguous)

    def _own(self, keys: Mapping[str, Scalar]) -> Sizes:
        """The sizes that are varied, with their values in a case."""
        ranges = self.request.shapes.sizes
        own = {}
        for one in dimensions(self.request.operator, frozenset(ranges)):
            given = keys.get(one.name, one.value)
            size = ranges[one.name].least if given is None and one.name in ranges else given
            if type(size) is int and size > 0 and (one.name in ranges or not ranges):
                own[one.name] = size
        named = {name: size for name, size in own.items() if name in ranges or not is_unnamed(name)}
        return named or own

    def _started(self) -> Trial:
        """The process of the candidate that is asked."""
        if self.trial is None:
            try:
                self.trial = self.start()
            except Disturbed:
                raise
            except CandidateFailed as failure:
                # It was started before, and was right.
                raise _Stop(failure.message) from None
            self.trial.shorten_limits(LIMIT_SECONDS)
        return self.trial

    def _all_of(self, keys: Mapping[str, Scalar], own: Sizes) -> str:
        """Ask for shape after shape; why there were no more, where there were none that the candidate answered."""
        request, executed = self.request, self.evidence is Evidence.EXECUTED
        about = request.operator, request.operator_file, request.dtype, keys, own, request.shapes.sizes
        drawer = Drawer(*about, MOST_ELEMENTS if executed else FEW_ELEMENTS, many=executed)
        until = time.monotonic() + max(LEAST_SECONDS, SHARE * self.seconds)
        try:
            for sizes in drawer.shapes(lambda: bool(self.refused)):
                trial = self._started()
                self._ask(trial, drawer.keys_of(sizes), sizes)
                asked = len(self.right) + len(self.refused)
                if asked >= SHAPES or (asked >= LEAST_SHAPES and time.monotonic() > until):
                    break
        except _Stop as stop:
            self.stopped = True
            return "" if self.right or self.refused else str(stop)
        return "" if self.right or self.refused else "the operator runs on no other shape that was tried"

    def _ask(self, trial: Trial, keys: Mapping[str, Scalar], sizes: Sizes) -> None:
        """One shape: its inputs, and the same ones where each ends at a protected page."""
        asked = self._question(trial, keys)
        if asked is None:
            return
        reference, draw = asked
        try:
            trial.build(reference)
            for base in (0, SHIFT_BYTES):
                self._check(trial, reference, draw, base, self._named(sizes))
        except OperatorError:
            # It runs on some of this shape's inputs only: what others are right is not known.
            return
        except CandidateFailed as failure:
            self._failed(failure, sizes)
        else:
            self.right.append(sizes)

    def _question(self, trial: Trial, keys: Mapping[str, Scalar]) -> tuple[Reference, Draw] | None:
        """A case and inputs for it; None where the operator does not run, or asking would be unfair."""
        request = self.request
        try:
            about = request.operator, request.operator_file, keys, request.dtype, trial.device
            reference = Reference(*about, request.contract)
            reference.case = self._lenient(reference.case)
            reference.oracle.slow_seconds = ORACLE_SECONDS
            draw = question(reference)
        except OperatorError:
            return None
        return (reference, draw) if draw is not None else None

    def _check(self, trial: Trial, reference: Reference, draw: Draw, base: int, named: str) -> None:
        """One call; raises `CandidateFailed`."""
        found = trial.check(reference, draw, base)
        if found.result.status is not Status.PASSED:
            self.wrong.append(found)
            raise CandidateFailed(found.result.status, f"wrong on {named}: {found.result.detail}")

    def _ask_layouts(self, keys: Mapping[str, Scalar]) -> None:
        """The inputs of a shape on which the candidate was right, laid out in other ways."""
        if self.stopped or ((self.refused or self.large) and not self.right):
            return
        trial = self._started()
        asked = self._question(trial, {**keys, **(self.right[0] if self.right else {})})
        if asked is None:
            return
        reference, draw = asked
        found = list(in_other_layouts(draw.inputs))
        for name, made in found if self.request.layouts else found and [_secret.choice(found)]:
            try:
                other = reference.answer(made, OPERATOR)
                trial.build(reference)
                self._check(trial, reference, other, 0, f"inputs that are {name}")
            except OperatorError:
                continue
            except CandidateFailed as failure:
                self._failed_on_layout(failure, name)
                return

    def _failed_on_layout(self, failure: CandidateFailed, name: str) -> None:
        """Note what the candidate takes, or raise where it must take all."""
        if isinstance(failure, Disturbed) or failure.status in NO_FAULT:
            self.wrong.clear()
            if isinstance(failure, Disturbed):
                raise failure
            return
        if self.request.layouts:
            raise failure
        said = f"wrong on {name} ones" if self.wrong else f"it refuses {name} ones: {_brief(failure.message)}"
        self.contiguous = said
        self.wrong.clear()

    def _lenient(self, case: Case) -> Case:
        if self.request.shapes.given:
            return case
        return replace(case, tolerance=LENIENCE * (case.tolerance or self.request.tolerance))

    def _failed(self, failure: CandidateFailed, sizes: Sizes) -> None:
        """Note a refusal, or raise: `CandidateFailed` for what is the candidate's fault, `_Stop` for what is not."""
        if isinstance(failure, Disturbed):
            raise failure
        if failure.status in NO_FAULT:
            raise _Stop(f"{named_values(sizes)}: {failure.message}") from None
        if all(map(is_unnamed, sizes)) and not self.request.shapes.given:
            found = self.wrong[-1].result.detail if self.wrong else failure.message
            self._note(Refusal(sizes, found, "is wrong on" if self.wrong else "fails on"), failure)
            return
        if self.wrong:
            raise failure
        by_itself = _REFUSED.search(f"{failure.message}\n{failure.log}")
        # What it touched takes the place of the signal in the judge's own words about a crash.
        crashed = not isinstance(failure, Reported) and "crashed" in failure.message
        faulty = crashed or (failure.status is Status.RUNTIME_ERROR and _FAULT.search(failure.message))
        if failure.status is Status.REFUSED or (faulty and not by_itself):
            raise CandidateFailed(failure.status, f"on {self._named(sizes)}: {failure.message}", failure.log) from None
        if self.request.shapes.given:
            raise CandidateFailed(
                failure.status, f"refuses {self._named(sizes)}: {failure.message}", failure.log
            ) from None
        self._note(Refusal(sizes, failure.message), failure)

    def _note(self, refusal: Refusal, failure: CandidateFailed) -> None:
        """Note a shape that is not served; raises `_Stop` where that ended the process."""
        self.refused.append(refusal)
        # A result that is wrong is compared by the judge: the process goes on.
        if not (self.wrong or isinstance(failure, Reported)):
            raise _Stop(failure.message) from None
        self.wrong.clear()

    def _named(self, sizes: Sizes) -> str:
        what = "a shape that was guaranteed" if self.request.shapes.given else "a shape that was not announced"
        return f"{what} ({named_values(sizes)})"

    def _specialised(self, own: Sizes) -> str:
        """What a candidate that refused shapes is specialised to, and its words; empty for one that refused none."""
        if not self.refused:
            return ""
        served = {name: [size, *(one[name] for one in self.right if name in one)] for name, size in own.items()}
        alone = [one for one in self.refused if len(one.sizes) == 1]
        shown = (alone or self.refused)[0]
        asked = {name: [one.sizes[name] for one in alone or [shown] if name in one.sizes] for name in own}
        larger = [name for name, sizes in asked.items() if sizes and max(sizes) > max(served[name])]
        smaller = [name for name, sizes in asked.items() if sizes and min(sizes) < min(served[name])]
        to = ", ".join(f"{name}={own[name]}" for name in larger or smaller or shown.sizes)
        return f"{to} (it {shown.verb} {named_values(shown.sizes)}: {_brief(shown.words)})"


def _brief(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 160 else line[:159] + "…"
