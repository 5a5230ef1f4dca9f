"""Times every case of a judgement, within seconds that they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from akgflow.config.types import Scalar
from akgflow.operators.arguments import split
from akgflow.operators.shapes.sizes import sizes
from akgflow.verdict import JudgeRequest, Timing, Untimed
from akgflow.verification.judge.resources.roofline import with_roofline
from akgflow.verification.judge.timing.preparing import cost_of, spread
from akgflow.verification.judge.timing.processes import CANDIDATE, COMPILE_SECONDS, EAGER, Starts
from akgflow.verification.judge.timing.session import BUDGET_SECONDS, timed
from akgflow.verification.judge.timing.sizes import Pace
from akgflow.verification.judge.timing.windows.questions import NotTimed
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tracing.spending import spending

SEVERAL = 2.0
"""Times the seconds of one case that several may take, all together: of windows, and of `torch.compile`."""


class Called(NamedTuple):
    """A case as it went before: seconds of the quickest call, and of constructing the model."""

    reference: Reference
    quickest: float
    constructing: float

    @property
    def keys(self) -> Mapping[str, Scalar]:
        """The case."""
        return self.reference.case.keys

    @property
    def elements(self) -> int:
        """Of a call's inputs."""
        return self.reference.draws[0].elements


@dataclass
class TimedCases:
    """The timings of one candidate, the largest case first: where time is short, that is the one to have.

    ``left`` says how many seconds there are still. ``starts`` makes the processes of a case.
    """

    request: JudgeRequest
    starts: Callable[[Reference], Starts]
    module: str
    hardware: str
    left: Callable[[], float]
    timing: list[Timing] = field(default_factory=list)
    untimed: list[Untimed] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)

    def run(self, cases: Sequence[Called]) -> None:
        """Time all; raises `CandidateFailed` where the candidate fails on the way."""
        several = SEVERAL if len(cases) > 1 else 1.0
        device = cases[0].reference.device
        windows = several * BUDGET_SECONDS[device]
        order = sorted(range(len(cases)), key=lambda at: cases[at].elements, reverse=True)
        found: dict[int, Sequence[Timing] | str] = {}
        for done, at in enumerate(order):
            if done and self.left() <= 0:
                found[at] = f"the {self.request.limits.judge_seconds:.0f} s of a judgement (limits: judge) were used up"
                continue
            starts = self.starts(cases[at].reference)
            starts.compile_seconds = several * COMPILE_SECONDS / len(cases)
            found[at], took = self._one(cases[at], starts, windows / (len(order) - done))
            windows = max(0.0, windows - took)
        for at in range(len(cases)):
            ended = found[at]
            if isinstance(ended, str):
                self.untimed.append(Untimed(cases[at].keys, ended))
            else:
                self.timing += ended

    def _one(self, case: Called, starts: Starts, windows: float) -> tuple[Sequence[Timing] | str, float]:
        """The timings of a case, or why there are none; and the seconds of its windows."""
        pace = Pace(case.quickest, case.constructing, case.reference.draw_seconds, self.left(), windows)
        started = time.monotonic()
        try:
            found = timed(starts, self.module, self.hardware, self.request.limits.judgement_bytes, pace)
        except NotTimed as error:
            return str(error), min(windows, time.monotonic() - started)
        self.warnings.update(dict.fromkeys(found.warnings))
        timings = [replace(one, sizes=_sizes(case.reference)) for one in found.timings]
        timings = _with_spending(case.reference, self._with_preparing(case.reference, starts, timings))
        facts = self.request.target.facts
        return with_roofline(case.reference, facts, timings, found.calls), found.seconds

    def _with_preparing(self, reference: Reference, starts: Starts, timings: list[Timing]) -> list[Timing]:
        """The timings against baselines with what preparing takes, where that is asked for; rivals prepare as well."""
        asked = reference.case.prepare
        if asked is None:
            return timings
        cost = cost_of(starts.candidate(self.module)[CANDIDATE], reference)
        return [one if one.baseline in starts.rivals else spread(one, cost, asked.calls) for one in timings]


def _with_spending(reference: Reference, timings: list[Timing]) -> list[Timing]:
    """The timings, with where eager's time goes."""
    if reference.large or not any(one.baseline == EAGER for one in timings):
        return timings
    found = spending(reference.framework_runner, reference.draws[0].inputs, reference.device)
    return [replace(one, spending=found) if one.baseline == EAGER else one for one in timings]


def _sizes(reference: Reference) -> tuple[int, ...]:
    """Of the constructor's arguments, the state by name, and a call's arguments."""
    case, inputs = reference.case, reference.draws[0].inputs
    # Behind the arguments are the gradients of the outputs.
    args, keywords = split(inputs if case.wanted is None else inputs[:-1])
    state = [reference.state[name] for name in sorted(reference.state)]
    return tuple(sizes([case.init_args, case.init_kwargs, state, args, keywords]))
