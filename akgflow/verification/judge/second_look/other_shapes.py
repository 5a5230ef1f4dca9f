"""A candidate that was right on the stated shapes is asked for others, in a process of its own: right, or a refusal.

Silently wrong, a crash and a write or read out of bounds are failures. A kernel that raises on a shape that nobody
announced is specialised, which is no fault; on one that was guaranteed, it is. What takes too long, and what the
stand-in for a device cannot do, says nothing about a kernel.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from akgflow.config.types import Scalar
from akgflow.operators.dimensions import dimensions
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest, OtherShapes
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed, Disturbed, Measured, Reported
from akgflow.verification.judge.regions import SHIFT_BYTES
from akgflow.verification.judge.second_look.shapes import MOST_ELEMENTS, Drawer, Sizes, forgotten, question
from akgflow.verification.reference.operator import Case, OperatorError
from akgflow.verification.reference.reference import Reference

SHAPES = 5
"""Shapes that a candidate is asked for, where they are quick."""
LEAST_SECONDS, SHARE = 1.0, 0.25
"""After so long, and so much of the time that the verdict took before, no further shape is drawn."""
LIMIT_SECONDS = 10.0
"""For all builds and all calls on other shapes."""
LENIENCE = 4.0
"""Times as wrong as on a stated shape: a tolerance is fitted to those, and what is looked for here is not rounding."""
FEW_ELEMENTS = 1 << 14
"""Elements of a shape that an interpreter can do, however few the stated one has."""
_FAULT = re.compile(r"\bKernelFault: |illegal memory access|illegal address|misaligned address|launch failure")
"""In what a process reports: a kernel that went wrong, and did not refuse."""
_REFUSED = re.compile(r"[Aa]ssert|tl\.assume|__trap|terminate called after throwing|not possible|than a block can have")
"""In the words of a kernel, or of a process, that ended itself, or that was never launched."""

_secret = random.SystemRandom()
Cases = Sequence[Mapping[str, Scalar]]


class Refusal(NamedTuple):
    """A shape on which a candidate raised, and what it said."""

    sizes: Sizes
    words: str


class _Stop(Exception):
    """No further shape can be tried; the text says why."""


@dataclass
class Asking:
    """The questions of one judgement.

    ``start`` starts a process of the candidate; ``seconds`` are what the judgement took before.
    """

    request: JudgeRequest
    cases: Cases
    evidence: Evidence
    start: Callable[[], Trial]
    seconds: float
    right: list[Sizes] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    wrong: list[Measured] = field(default_factory=list)
    """The result that ends the judgement, where there is one."""

    def found(self) -> OtherShapes | None:
        """What was tried; None where only the stated shapes are asked for. Raises `CandidateFailed`."""
        request = self.request
        if request.shapes.fixed:
            return None
        keys = _secret.choice(self.cases)
        named = dimensions(request.operator, frozenset(request.shapes.sizes))
        own = {one.name: value for one in named if (value := _size(keys.get(one.name, one.value))) is not None}
        if request.shapes.given:
            own = {name: size for name, size in own.items() if name in request.shapes.sizes}
        if not own:
            return OtherShapes(untried="get_inputs reads no size that has a name: make its sizes globals or keywords")
        with forgotten():
            why = self._all_of(keys, own)
        return OtherShapes(tuple(self.right), tuple(one.sizes for one in self.refused), self._specialised(own), why)

    def _all_of(self, keys: Mapping[str, Scalar], own: Sizes) -> str:
        """Ask for shape after shape; why there were no more, where there were none that the candidate answered."""
        request = self.request
        try:
            drawer = Drawer(
                request.operator,
                request.operator_file,
                request.dtype,
                keys,
                own,
                request.shapes.sizes,
                MOST_ELEMENTS if self.evidence is Evidence.EXECUTED else FEW_ELEMENTS,
                many=self.evidence is Evidence.EXECUTED,
            )
        except OperatorError as error:
            return str(error)
        trial: Trial | None = None
        until = math.inf
        try:
            for sizes in drawer.shapes(lambda: bool(self.refused)):
                if trial is None:
                    trial = self.start()
                    trial.shorten_limits(LIMIT_SECONDS)
                    until = time.monotonic() + max(LEAST_SECONDS, SHARE * self.seconds)
                self._ask(trial, drawer.keys_of(sizes), sizes)
                asked = len(self.right) + len(self.refused)
                if asked >= SHAPES or time.monotonic() > until:
                    break
        except _Stop as stop:
            return "" if self.right or self.refused else str(stop)
        finally:
            if trial is not None:
                trial.close()
        return "" if self.right or self.refused else "the operator runs on no other shape that was tried"

    def _ask(self, trial: Trial, keys: Mapping[str, Scalar], sizes: Sizes) -> None:
        """One shape: its inputs, and the same ones where each ends at a protected page."""
        request = self.request
        try:
            reference = Reference(request.operator, request.operator_file, keys, request.dtype, trial.device)
            reference.case = self._lenient(reference.case)
            draw = question(reference)
        except OperatorError:
            return
        if draw is None:
            return
        try:
            trial.build(reference)
            for base in (0, SHIFT_BYTES):
                found = trial.check(reference, draw, base)
                if found.result.status is not Status.PASSED:
                    self.wrong.append(found)
                    raise CandidateFailed(found.result.status, f"wrong on {self._named(sizes)}: {found.result.detail}")
        except CandidateFailed as failure:
            self._failed(failure, sizes)
        else:
            self.right.append(sizes)

    def _lenient(self, case: Case) -> Case:
        if self.request.shapes.given:
            return case
        return replace(case, tolerance=LENIENCE * (case.tolerance or self.request.tolerance))

    def _failed(self, failure: CandidateFailed, sizes: Sizes) -> None:
        """Note a refusal, or raise: `CandidateFailed` for what is the candidate's fault, `_Stop` for what is not."""
        if isinstance(failure, Disturbed) or self.wrong:
            raise failure
        if failure.status in (Status.TIMEOUT, Status.NOT_RUN, Status.OUT_OF_MEMORY):
            raise _Stop(f"{_shown(sizes)}: {failure.message}") from None
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
        self.refused.append(Refusal(sizes, failure.message))
        if not isinstance(failure, Reported):
            raise _Stop(failure.message) from None

    def _named(self, sizes: Sizes) -> str:
        what = "a shape that was guaranteed" if self.request.shapes.given else "a shape that was not announced"
        return f"{what} ({_shown(sizes)})"

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
        return f"{to} (it refuses {_shown(shown.sizes)}: {_brief(shown.words)})"


def _size(value: Scalar | None) -> int | None:
    return value if type(value) is int and value > 0 else None


def _shown(sizes: Sizes) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def _brief(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 160 else line[:159] + "…"
