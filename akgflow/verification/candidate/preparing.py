"""Has a model prepare for its weights, in the candidate's process."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from akgflow.verification.candidate.failed_calls import Invalid

PREPARE = "prepare"
"""The method of `ModelNew` that is called."""


def prepare(model: Any, names: Collection[str]) -> None:
    """Call the model's ``prepare()``, where it defines one. Raises `Invalid` where it moves a tensor of these names.

    New weights come in the memory of the old ones, as an optimiser and ``load_state_dict`` leave them.
    """
    method = getattr(model, PREPARE, None)
    if method is None:
        return
    if not callable(method):
        raise Invalid(f"{PREPARE} of ModelNew is a {type(method).__name__}, and is called without arguments")
    before = _places(model, names)
    with torch.no_grad():
        method()
    after = _places(model, names)
    moved = sorted(name for name, place in before.items() if after.get(name) != place)
    if moved:
        raise Invalid(
            f"{PREPARE}() put something in the place of {', '.join(moved)}: parameters stay where they are, since new "
            "weights come in the same memory; what is made of them belongs in attributes of other names"
        )


def _places(model: Any, names: Collection[str]) -> dict[str, tuple[int, torch.Size]]:
    """Address and shape of what is there of a model's state, by name."""
    state = model.state_dict(keep_vars=True)
    there = {name: state[name] for name in names if name in state}
    return {name: (0 if one.is_meta else one.data_ptr(), one.shape) for name, one in there.items()}
