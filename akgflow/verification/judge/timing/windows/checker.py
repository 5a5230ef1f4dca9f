"""Checks what was answered while the clock ran."""

from __future__ import annotations

import random
import time

import torch

from akgflow.terms import Status
from akgflow.verification.judge.evaluation import REUSES
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.timing.windows.questions import NotTimed, Questions
from akgflow.verification.judge.timing.windows.readback import AnswerBuffer
from akgflow.verification.judge.timing.windows.window import TimedWorker
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import compare
from akgflow.verification.shared import dtypes

PICK_SECONDS = 0.6
"""For comparing with the oracle answers that look right."""

_secret = random.SystemRandom()


class Checker:
    """Screens every answer against the baseline's; what differs, and some at random, is compared with the oracle."""

    def __init__(self, reference: Reference, questions: Questions, tolerance: float) -> None:
        self.reference, self.questions, self.tolerance = reference, questions, tolerance
        self._picking, self._share = 0.0, 1.0
        self._room: dict[tuple[int, int], torch.Tensor] = {}
        bounds = [one.bound for _, one in questions.draw.named]
        self.loose = [None if b is None or not b.numel() else 4.0 * tolerance * float(b.max()) for b in bounds]

    def check(self, candidate: TimedWorker, baseline: TimedWorker) -> None:
        """Raise `CandidateFailed` when an answer in the windows of both is wrong.

        Where answers overwrite each other, only the last one can be looked at: when that is right, it is `NotTimed`.
        """
        for first, (n, _) in candidate.buffer.windows.items():
            if candidate.buffer.overwritten.get(first):
                self._confirm(candidate, first, first + n - 1)
                raise NotTimed(REUSES)
            suspects = [first + int(i) for i in self._suspects(candidate, baseline, first)[:3]]
            if self._picking < PICK_SECONDS and _secret.random() < self._share:
                suspects.append(first + _secret.randrange(n))
                # The first windows are picked from for certain, later ones as often as the time still allows.
                self._share = max(0.1, self._share * 0.8)
            for slot in suspects:
                self._confirm(candidate, first, slot)

    def _suspects(self, candidate: TimedWorker, baseline: TimedWorker, first: int) -> list[int]:
        n = candidate.buffer.windows[first][0]
        differs = torch.zeros(n, dtype=torch.bool, device=candidate.buffer.bytes.device)
        pairs = zip(self._answers(candidate.buffer, first), self._answers(baseline.buffer, first), strict=True)
        for output, (loose, (got, base)) in enumerate(zip(self.loose, pairs, strict=True)):
            if got[0].numel():
                apart = ~dtypes.same(got, base) if loose is None else ~(self._furthest(output, got, base) <= loose)
                differs |= apart.reshape(n, -1).any(1)
        found: list[int] = differs.nonzero().flatten().tolist()
        return found

    def _answers(self, buffer: AnswerBuffer, first: int) -> list[torch.Tensor]:
        """Outputs, then changed inputs, of all slots of a window."""
        outputs = [buffer.answers(output, first) for output in range(len(self.questions.outs))]
        return outputs + [buffer.changed(one, first) for one in self.questions.changed]

    def _furthest(self, output: int, got: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
        """For each slot the largest difference between the answers; NaN where one of them holds a NaN."""
        if got.dtype not in dtypes.COMPUTED and not got.is_complex():
            return (dtypes.as_float64(got) - dtypes.as_float64(base)).abs().reshape(len(got), -1).amax(1)
        room = self._room.get((output, len(got)))
        if room is None:
            # Reused: new memory in every round takes longer than computing.
            room = self._room[output, len(got)] = torch.empty(got.shape, dtype=got.dtype, device=got.device)
        apart = torch.sub(got, base, out=room)
        apart = apart.abs() if apart.is_complex() else apart.abs_()
        return apart.reshape(len(got), -1).amax(1)

    def _confirm(self, candidate: TimedWorker, first: int, slot: int) -> None:
        """Compare one answer with the oracle."""
        started = time.monotonic()
        draw = self.questions.draw
        truth = self.reference.answer(self.questions.inputs(slot), draw.distribution, draw.way)
        got = [one[slot - first].contiguous() for one in self._answers(candidate.buffer, first)]
        count = len(draw.forms)
        outputs = truth.compare(got[:count], self.tolerance)
        changed = zip(got[count:], truth.named[count:], strict=True)
        inputs = [compare(one, wanted, count, self.tolerance, name) for one, (name, wanted) in changed]
        for found in (*outputs, *inputs):
            if found.wrong:
                text = f"right when it was checked and wrong while it was timed: {found.detail}"
                raise CandidateFailed(Status.INCORRECT_NUMERICAL, text)
        self._picking += time.monotonic() - started
