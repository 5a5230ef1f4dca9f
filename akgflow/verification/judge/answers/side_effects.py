"""Side effects of a call on inputs, parameters and buffers, compared with those of the operator.

What the operator leaves alone must be the same bytes as before. What it changes is one more output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from akgflow.terms import Status
from akgflow.verification.reference.inputs import Draw, size_of
from akgflow.verification.reference.output_form import Problem
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import Expected
from akgflow.verification.sandbox import POISON
from akgflow.verification.shared import memory
from akgflow.verification.shared.allocation_guards import PAD, WORD


class Placement(NamedTuple):
    """Where the inputs of a call are: ``layout`` in ``region``, ``base`` bytes further on."""

    layout: memory.Layout
    region: memory.Region
    base: int


class Change(NamedTuple):
    """A tensor that the operator changes: its name in messages, what it is after the call and what it should be."""

    name: str
    got: torch.Tensor
    expected: Expected


def check_untouched(reference: Reference, draw: Draw, inputs: Placement, state: memory.Region) -> Problem | None:
    """The first tensor that the call changed and the operator does not, as a status and one sentence."""
    stray = inputs.layout.stray(inputs.region, inputs.base)
    if stray is not None:
        return Status.REFUSED, f"the call wrote {stray.says(draw.input_name(stray.number))}"
    stray = reference.state_layout.stray(state)
    if stray is not None:
        return Status.REFUSED, f"the call wrote {stray.says(state_name(reference, stray.number))}"
    allowed = sorted({*draw.effects.inputs, *draw.overwrites})
    for i in inputs.layout.changed(inputs.region, inputs.base):
        if i not in allowed:
            those = f"input{'s' if len(allowed) > 1 else ''} {', '.join(map(str, allowed))}"
            rest = f"only {those} may change" if allowed else "inputs must stay as they are"
            more = "" if draw.wanted is None else ", unless the task lets them be overwritten (backward: overwrites)"
            return Status.REFUSED, f"the call changed its {draw.input_name(i)}; {rest}{more}"
    for name in _moved(reference, state):
        if name not in draw.effects.buffers:
            named = state_name(reference, list(reference.state).index(name))
            return Status.REFUSED, f"the call changed {named}; it must stay as it is"
    return None


def check_state(reference: Reference, state: memory.Region, who: str) -> Problem | None:
    """The first parameter or buffer that ``who`` changed, where nothing of them may change."""
    stray = reference.state_layout.stray(state)
    if stray is not None:
        return Status.REFUSED, f"{who} wrote {stray.says(state_name(reference, stray.number))}"
    moved = reference.state_layout.changed(state)
    if moved:
        return Status.REFUSED, f"{who} changed {state_name(reference, moved[0])}; it must stay as it is"
    return None


def state_name(reference: Reference, number: int) -> str:
    """A parameter or buffer in words, by its number in the model's state."""
    name = list(reference.state)[number]
    return f"the {'parameter' if name in reference.parameters else 'buffer'} {name}"


def check_margins(places: Sequence[Mapping[str, Any]], held: torch.Tensor) -> Problem | None:
    """The first output beside whose memory something was written; ``held`` is what was handed over, margins included.

    Where the memory was not torch's, no margins were handed over, and `POISON` is still there.
    """
    for i, place in enumerate(places):
        end = place["offset"] + size_of(place)
        filled, copied = held[end : end + PAD - WORD], held[end + PAD - WORD : end + PAD]
        changed = (filled != POISON).nonzero()
        if changed.numel():
            stray = memory.Stray(i, int(changed[-1]) + 1, True)
            return Status.REFUSED, f"the call wrote {stray.says(f'output {i}')}"
        word, copy = (held_word(one) for one in (held[place["offset"] - WORD : place["offset"]], copied))
        # The lowest bits of malloc's word say something about its neighbours.
        if word >> 3 != copy >> 3:
            return Status.REFUSED, f"the call wrote before the start of output {i}"
    return None


def held_word(held: torch.Tensor) -> int:
    """Eight bytes as a number."""
    return int.from_bytes(bytes(held.tolist()), "little")


def crash(reference: Reference, inputs: Placement | None, state: memory.Region | None) -> Problem | None:
    """What a crashed call touched beside a tensor, as far as that is known."""
    placed: list[tuple[memory.Layout, memory.Region, Callable[[int], str]]] = []
    if inputs is not None:
        placed.append((inputs.layout, inputs.region, lambda number: f"input {number}"))
    if state is not None:
        placed.append((reference.state_layout, state, partial(state_name, reference)))
    words = [(*part, part[1].bytes[:24].view(torch.int64).tolist()) for part in placed if part[0].holes]
    address, code = next(((at, code) for *_, (_, at, code) in words if at), (0, 0))
    for layout, _, name, (begin, _, _) in words:
        stray = layout.hole_at(address - begin) if address and begin else None
        if stray is not None:
            did, status = ("wrote", Status.REFUSED) if code & 2 else ("read", Status.RUNTIME_ERROR)
            return status, f"the call {did} {stray.says(name(stray.number))}, and crashed"
    return None


def changes(reference: Reference, draw: Draw, inputs: Placement, state: memory.Region) -> list[Change]:
    """What has become of that which the operator changes; running statistics that the call left alone are left out."""
    places = dict(zip(reference.state, reference.state_layout.placed, strict=True))
    moved, after = _moved(reference, state), iter(draw.after)
    found = [
        Change(
            f"input {i} after the call", memory.fetch(inputs.region, inputs.layout.placed[i], inputs.base), next(after)
        )
        for i in draw.effects.inputs
    ]
    for name, expected in zip(draw.effects.buffers, after, strict=True):
        if name in moved or not _is_statistic(name):
            found.append(Change(f"buffer {name} after the call", memory.fetch(state, places[name]), expected))
    return found


def buffers_left(reference: Reference, draw: Draw, state: memory.Region) -> str:
    """A warning where the operator moves running statistics and the call left them alone; else empty.

    Nearly every kernel for training leaves them to its user: that is worth knowing, and no reason to refuse it.
    """
    moved = _moved(reference, state)
    left = [name for name in draw.effects.buffers if name not in moved and _is_statistic(name)]
    return f"the operator updates {', '.join(left)}, the candidate leaves it as it was" if left else ""


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers of torch's batch and instance norms."""


def _is_statistic(name: str) -> bool:
    return name.rpartition(".")[2] in _STATISTICS


def _moved(reference: Reference, state: memory.Region) -> list[str]:
    names = list(reference.state)
    return [names[i] for i in reference.state_layout.changed(state)]
