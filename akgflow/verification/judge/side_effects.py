"""What a call did to its inputs, parameters and buffers, held against what the operator itself does to them.

Whatever the operator leaves alone must be the same bytes as before. Whatever it changes is one more output.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from akgflow.terms import Status
from akgflow.verification.reference.output_form import Problem
from akgflow.verification.reference.reference import Draw, Reference
from akgflow.verification.reference.tolerance import Expected
from akgflow.verification.shared import memory


class Change(NamedTuple):
    """A tensor that the operator changes: its name in messages, what it is after the call and what it should be."""

    name: str
    got: torch.Tensor
    expected: Expected


def check_untouched(
    reference: Reference, draw: Draw, inputs: memory.Region, base: int, state: memory.Region
) -> Problem | None:
    """The first tensor that the call changed and the operator does not, as a status and one sentence."""
    allowed = draw.effects.inputs
    for i in draw.layout.changed(inputs, base):
        if i not in allowed:
            rest = f"only input {allowed[0]} may change" if allowed else "inputs must stay as they are"
            return Status.REFUSED, f"the call changed its input {i}; {rest}"
    for name in _moved(reference, state):
        if name not in draw.effects.buffers:
            kind = "parameter" if name in reference.parameters else "buffer"
            return Status.REFUSED, f"the call changed the {kind} {name}; it must stay as it is"
    return None


def changes(reference: Reference, draw: Draw, inputs: memory.Region, base: int, state: memory.Region) -> list[Change]:
    """What has become of that which the operator changes; buffers that the call left alone are left out."""
    places = dict(zip(reference.state, reference.state_layout.placed, strict=True))
    moved, after = _moved(reference, state), iter(draw.after)
    found = [
        Change(f"input {i} after the call", memory.fetch(inputs, draw.layout.placed[i], base), next(after))
        for i in draw.effects.inputs
    ]
    for name, expected in zip(draw.effects.buffers, after, strict=True):
        if name in moved:
            found.append(Change(f"buffer {name} after the call", memory.fetch(state, places[name]), expected))
    return found


def buffers_left(reference: Reference, draw: Draw, state: memory.Region) -> str:
    """A warning where the operator moves buffers (running statistics) and the call left them alone; else empty.

    Nearly every kernel for training leaves them to its user: that is worth knowing, and no reason to refuse it.
    """
    moved = _moved(reference, state)
    left = [name for name in draw.effects.buffers if name not in moved]
    return f"the operator updates {', '.join(left)}, the candidate leaves it as it was" if left else ""


def _moved(reference: Reference, state: memory.Region) -> list[str]:
    names = list(reference.state)
    return [names[i] for i in reference.state_layout.changed(state)]
