"""What is asked while the clock runs: fresh inputs for every slot, in memory that only the judge has."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple

import torch

from akgflow.verification.reference.distributions import NORMAL, SIGNED
from akgflow.verification.reference.inputs import Draw, out_places, places_size
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced import digest
from akgflow.verification.shared import dtypes, memory

DRAW_SECONDS = 0.15
"""Seconds that drawing the questions of one pairing may take."""

_secret = random.SystemRandom()


class NotTimed(Exception):
    """No time can be given; the text says why."""


class ChangedInput(NamedTuple):
    """An input that is an answer, too: what a call leaves in its place is kept among the answers."""

    number: int
    placed: memory.Placed
    """In a slot of questions."""
    at: int
    """In a slot of answers, in bytes."""
    size: int
    """In bytes, with the gaps between its strides."""


class Questions:
    """Inputs for ``count`` slots of ``pitch`` bytes each; `out_pitch` bytes hold a slot's answers.

    Where all that differs from draw to draw is floating and has no invariant, one new draw is rotated and scaled for
    each slot by secret amounts; else each slot gets its own draw. No two slots ask the same.
    """

    def __init__(self, reference: Reference) -> None:
        """No slots yet, and nothing drawn: `look`, then `resized`."""
        self.reference, self.count = reference, 0
        self.draw: Draw = reference.draws[1]
        self.layout = memory.lay_out(self.draw.input_forms)
        self.pitch = max(self.layout.size, memory.ALIGN)
        self.outs = out_places(self.draw.forms)
        self.changed, size = self._changed(places_size(self.outs))
        self.out_pitch = max(size, memory.ALIGN)
        self.master = torch.empty(0, dtype=torch.uint8, device=reference.device)
        self._base: memory.Layout | None = None

    def look(self) -> None:
        """Draw, and look at what may be done with draws; raises `NotTimed`."""
        known = memory.lay_out(list(self.draw.inputs))
        digests = [digest(memory.row(one)) for one in known.placed]
        # Two large sets of inputs are one too many.
        del known
        self.reference.let_go()
        started = time.monotonic()
        self._turns = self._turned(digests)
        own = DRAW_SECONDS / max(time.monotonic() - started, 1e-9)
        self.most = math.inf if self._turns else max(8, int(own))

    def _changed(self, at: int) -> tuple[list[ChangedInput], int]:
        """The inputs that a call changes, placed from ``at`` on among the answers; and where they end."""
        found = []
        for number in self.draw.effects.inputs:
            placed = self.layout.placed[number]
            size = memory.span(placed.tensor) * placed.tensor.element_size()
            found.append(ChangedInput(number, placed, at, size))
            at += -(-size // memory.ALIGN) * memory.ALIGN
        return found, at

    def _turned(self, known: Sequence[torch.Tensor]) -> list[bool]:
        """For each input whether it is rotated and scaled from slot to slot; empty where each slot needs its own draw.

        ``known`` are digests of another draw. Raises `NotTimed` when the inputs are the same in every draw.
        """
        pairs = zip(known, self._drawn().placed, strict=True)
        varies = [not memory.same_bits(was, digest(memory.row(one))) for was, one in pairs]
        if not any(varies):
            raise NotTimed("the operator's inputs are the same in every draw, so that answers could be kept")
        plain = [invariant.plain for invariant in self.reference.invariants]
        normal = self.draw.distribution == NORMAL and self.draw.way == SIGNED
        return plain if normal and all(p for p, v in zip(plain, varies, strict=True) if v) else []

    def resized(self, count: int) -> Questions:
        """The same with so many slots."""
        found = copy(self)
        found.count, found._base = count, None
        found.master = torch.zeros(count * self.pitch, dtype=torch.uint8, device=self.reference.device)
        return found

    def _drawn(self) -> memory.Layout:
        found = memory.lay_out(list(self.reference.fresh(self.draw.distribution, self.draw.way)))
        if found.tree != self.layout.tree:
            raise NotTimed("the operator's inputs change their shapes from draw to draw")
        return found

    def refresh(self, n: int, drawn: bool = False) -> None:
        """New values for the first ``n`` slots; with ``drawn`` the last draw, rotated and scaled by other amounts.

        Drawing large inputs takes longer than calling what is timed.
        """
        if not self._turns:
            for slot in range(n):
                for one in self._drawn().placed:
                    self._row(slot, one).copy_(memory.row(one))
            return
        if self._base is None or not drawn:
            self._base = None
            self._base = self._drawn()
        rows = [(one, memory.row(one), turns) for one, turns in zip(self._base.placed, self._turns, strict=True)]
        for slot in range(n):
            for one, row, turns in rows:
                target = self._row(slot, one)
                if turns:
                    at, factor = _secret.randrange(target.numel()), _secret.uniform(0.75, 1.25)
                    dtypes.scale_into(target[: len(row) - at], row[at:], factor)
                    dtypes.scale_into(target[len(row) - at :], row[:at], factor)
                else:
                    target.copy_(row)

    def _row(self, slot: int, one: memory.Placed) -> torch.Tensor:
        return memory.flat(memory.Region(self.master, {}), one, slot * self.pitch)

    def bytes(self, first: int, n: int) -> torch.Tensor:
        """The slots from ``first`` on as bytes."""
        return self.master[first * self.pitch : (first + n) * self.pitch]

    def inputs(self, slot: int) -> Any:
        """The inputs of a slot, as the operator takes them."""
        region = memory.Region(self.master, {})
        return tuple(memory.rebuild(self.layout.tree, region, slot * self.pitch))
