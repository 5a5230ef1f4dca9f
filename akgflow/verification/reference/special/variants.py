"""The same case of an operator, asked otherwise: without its gradients, or with other weights."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from akgflow.verification.reference.inputs import Seeds
from akgflow.verification.reference.reference import Reference
from akgflow.verification.shared import memory

OTHER_WEIGHTS = "own, with other weights"
"""What inputs are called that are asked about after weights have changed."""


def forward_alone(reference: Reference) -> Reference:
    """The same case without its gradients; what they are computed from is kept all the same."""
    found, wanted = copy(reference), reference.case.wanted
    assert wanted is not None, "asked for only where gradients are"
    found.case = replace(reference.case, wanted=replace(wanted, forward_alone=True))
    vars(found).pop("work", None)
    found.set_up()
    found.draws = [found.answer(one.inputs, one.distribution, one.way) for one in reference.draws[:2]]
    return found


def with_other_weights(reference: Reference) -> Reference:
    """The case with parameters, and buffers that its model draws, from other seeds, as after an optimiser's step.

    It has no inputs yet.
    """
    found = copy(reference)
    for known in ("work", "perturbed"):
        vars(found).pop(known, None)
    found.seeds, found.draws = Seeds(), []
    found.adopt(found.constructed(), positive=reference.positive)
    return found


def weights_differ(reference: Reference, other: Reference) -> bool:
    """Whether any tensor of the two states differs."""
    return not all(memory.same_bits(one, other.state[name]) for name, one in reference.state.items())
