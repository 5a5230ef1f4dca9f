"""A second set of inputs in the memory of the first: where forwards take seconds, only secret parts of it are new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from akgflow.verification.reference.sliced.draw import FullSize, SlicedDraw
from akgflow.verification.reference.sliced.parts import Separation, cut
from akgflow.verification.shared import dtypes, memory


def patchable(how: Separation, full: FullSize) -> bool:
    """True where parts of the inputs and outputs can be put in the place of others."""
    dims = [*how.inputs, *how.outputs]
    found = [one for one, dim in zip([*memory.tensors(full.inputs), *full.frame], dims, strict=True) if dim is not None]
    apart = len({one.untyped_storage().data_ptr() for one in found}) == len(found)
    return apart and all(one.is_contiguous() and one.dtype in dtypes.COMPUTED for one in found)


class Patch:
    """Other values of some ``parts`` of the ``first`` set of inputs, and of the framework's outputs.

    A tensor that every part needs is in both sets.
    """

    def __init__(self, first: SlicedDraw, parts: torch.Tensor, inputs: Any, outputs: Sequence[torch.Tensor]) -> None:
        self.first, self.how, self.parts = first, first.how, parts
        self._held = [*memory.tensors(inputs), *outputs]
        self._there = False

    @property
    def share(self) -> float:
        """Of the parts, how many it changes."""
        return len(self.parts) / self.how.number

    def put(self, full: FullSize, wanted: bool) -> FullSize:
        """The full size with these values in their place if they are ``wanted``, else with those of the first set."""
        if wanted is not self._there:
            places = [*zip(memory.tensors(full.inputs), self.how.inputs, strict=True)]
            places += zip(full.frame, self.how.outputs, strict=True)
            self._held = [self._exchanged(*place, other) for place, other in zip(places, self._held, strict=True)]
            self._there = wanted
        return full

    def _exchanged(self, tensor: torch.Tensor, dim: int | None, other: torch.Tensor) -> torch.Tensor:
        if dim is None:
            return other
        before = cut(tensor, dim, self.parts)
        tensor.index_copy_(dim, self.parts.to(tensor.device), other)
        return before
