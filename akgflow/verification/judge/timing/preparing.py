"""What preparing weights takes, on the judge's clock, and what is left of a speedup once that is spread over calls.

What a candidate puts off is counted as well: how much longer some of the next calls take than most of them. The
request by itself, with nothing to do, is measured in between and subtracted. Kernels were built before: the first time
does not count.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from akgflow.operators.preparation import Prepared
from akgflow.verdict import Timing
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import result_failure
from akgflow.verification.judge.second_look.other_weights import question
from akgflow.verification.judge.timing.estimate import Ratio
from akgflow.verification.judge.timing.processes import Start
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.variants import with_other_weights

ROUNDS, FEWEST = 10, 3
"""Changes of the weights, at most and at least."""
NEXT = 8
"""Calls after each in which work that was put off shows."""
SECONDS = 4.0
"""After so many there are no more than the fewest rounds."""


class Cost(NamedTuple):
    """Seconds of one ``prepare()``, the interval that most of several were in, and bytes that it keeps."""

    seconds: float
    low: float
    high: float
    bytes: int


def cost_of(start: Start, reference: Reference) -> Cost:
    """What it takes a process of the candidate's; raises `CandidateFailed` where that fails, or gives wrong answers."""
    trial = start.begin()
    try:
        start.ready(trial)
        rows = sorted(_rounds(trial, reference))
    finally:
        trial.close()
    # Without the one farthest out on each side.
    inner = rows[1:-1] if len(rows) > FEWEST else rows
    seconds, low, high = (max(0.0, one) for one in (statistics.median(rows), inner[0], inner[-1]))
    return Cost(seconds, low, high, max(0, trial.grown))


def _rounds(trial: Trial, reference: Reference) -> Iterator[float]:
    """Seconds of each change of the weights: to others, and back."""
    until = time.monotonic() + SECONDS
    states = with_other_weights(reference), reference
    # Answered before any clock runs.
    asked = [[question(one) for _ in range(2)] for one in states]
    for number in range(ROUNDS):
        if number >= FEWEST and time.monotonic() > until:
            return
        one, draws = states[number % 2], asked[number % 2]
        took = trial.prepare(one) - min(_nothing(trial) for _ in range(3))
        calls = [_call(trial, one, draws[at % 2]) for at in range(NEXT)]
        yield took + sum(calls) - NEXT * statistics.median(calls)


def _nothing(trial: Trial) -> float:
    """Seconds of a request for which nothing is done."""
    started = time.monotonic()
    trial.require_no_stray_reply()
    return time.monotonic() - started


def _call(trial: Trial, reference: Reference, draw: Draw) -> float:
    """Seconds of one call, whose answer must be right."""
    trial.quickest = math.inf
    if wrong := result_failure([trial.check(reference, draw)]):
        raise wrong
    return trial.quickest


def spread(timing: Timing, cost: Cost, calls: int) -> Timing:
    """The timing with a speedup in which ``calls`` calls share what preparing took."""

    def share(seconds: float) -> float:
        return timing.seconds / (timing.seconds + seconds / calls)

    low, high = timing.interval
    ratio = Ratio(timing.speedup * share(cost.seconds), low * share(cost.high), high * share(cost.low))
    gained = timing.baseline_seconds - timing.seconds
    pays = max(1, math.ceil(cost.seconds / gained)) if timing.call == "faster" and gained > 0 else None
    alone = timing.speedup, timing.interval, pays
    prepared = Prepared(cost.seconds, (cost.low, cost.high), cost.bytes, calls, *alone)
    interval = ratio.low, ratio.high
    return replace(timing, speedup=ratio.value, interval=interval, call=ratio.call, prepared=prepared)
