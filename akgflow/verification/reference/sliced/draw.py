"""One set of inputs of a large case: full only while it is asked about, and made again from its recipe."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch

from akgflow.verification.reference.inputs import Draw, Recipe, without_values
from akgflow.verification.reference.sliced.parts import Part, Separation, compared, merged, suspect_parts
from akgflow.verification.reference.tolerance import Comparison, Expected
from akgflow.verification.reference.tracing.runner import Effects
from akgflow.verification.shared import memory

SUSPECT_SECONDS = 2.0
"""For float64 to decide parts in which the candidate and the framework differ; the first ones whatever it takes."""
PIECE_WORDS = 1 << 22
"""Eight-byte words that are added up at once for the digest of an answer on a GPU."""


class FullSize:
    """What takes memory: the inputs, and the framework's own outputs, which are made when they are asked for."""

    def __init__(self, inputs: tuple[Any, ...], make: Callable[[tuple[Any, ...]], list[torch.Tensor]]) -> None:
        self.inputs, self._make = inputs, make

    @cached_property
    def frame(self) -> list[torch.Tensor]:
        """The framework's outputs for the inputs."""
        return self._make(self.inputs)


Decide = Callable[[FullSize, torch.Tensor], Part]
"""What the outputs must be in some parts, by float64."""


class WholeDraw(Draw):
    """Inputs of one distribution that float64 answered at full size, too large for copies of answers."""

    in_place = True

    def remembered(self, outputs: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        return [digest(one) for one in outputs]


class SlicedDraw(Draw):
    """Inputs of one distribution; float64 answers for some parts of them, the framework's for all.

    ``hold`` makes the inputs and the framework's outputs, and lets go of those of other draws; ``decide`` asks float64
    about more parts.
    """

    in_place = True
    __setattr__ = object.__setattr__

    def __init__(
        self, recipe: Recipe, full: FullSize, tree: memory.Tree, how: Separation, hold: Callable[[SlicedDraw], FullSize]
    ) -> None:
        fixed = {
            "distribution": recipe.distribution,
            "way": recipe.way,
            "tree": tree,
            "effects": Effects(),
            "after": (),
        }
        vars(self).update(fixed)
        self.recipe, self.how = recipe, how
        self.full: FullSize | None = full
        self.decided: list[Part] = []
        self.decide: Decide | None = None
        self.at_once = 1
        """Parts that it decides together."""
        self._hold = hold
        self._forms, self._input_forms = [one.to("meta") for one in full.frame], without_values(full.inputs)
        given = [*memory.tensors(full.inputs), *full.frame]
        self._elements = int(sum(one.numel() for one in given))
        whole = zip(memory.tensors(full.inputs), how.inputs, strict=True)
        self.common = int(sum(one.numel() for one, dim in whole if dim is None))
        """Elements of inputs that every part needs."""

    @property
    def inputs(self) -> tuple[Any, ...]:
        return self._hold(self).inputs

    @property
    def layout(self) -> memory.Layout:
        return memory.lay_out(list(self.inputs), memory.guarded)

    @property
    def at_page_ends(self) -> memory.Layout:
        return memory.lay_out(list(self.inputs), memory.at_page_end)

    @property
    def expected(self) -> tuple[Expected, ...]:
        """Of the first part that float64 decided."""
        return self.decided[0].expected

    @property
    def input_forms(self) -> list[Any]:
        return self._input_forms

    @property
    def forms(self) -> list[torch.Tensor]:
        return self._forms

    @property
    def elements(self) -> int:
        return self._elements

    @property
    def framework_error(self) -> float:
        return max(one.framework_error for part in self.decided for one in part.expected)

    @property
    def share(self) -> float:
        """The share of the parts that float64 has decided."""
        return min(1.0, sum(len(part.parts) for part in self.decided) / self.how.number)

    def compare(self, outputs: Sequence[torch.Tensor], tolerance: float) -> list[Comparison]:
        found = [compared(part, outputs, self.how, tolerance) for part in self.decided]
        if not _wrong(found) and self.share < 1.0 and self.decide is not None:
            full, until = self._hold(self), time.monotonic() + SUSPECT_SECONDS
            suspects = suspect_parts(self.decided, outputs, full.frame, self.how, tolerance)
            while len(suspects) and not _wrong(found[-1:]):
                now, suspects = suspects[: self.at_once], suspects[self.at_once :]
                found.append(compared(self.decide(full, now.sort().values), outputs, self.how, tolerance))
                if time.monotonic() > until:
                    break
        return merged(found)

    def remembered(self, outputs: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """A few numbers that differ where two answers do."""
        return [digest(one) for one in outputs]


def _wrong(found: Sequence[list[Comparison]]) -> bool:
    return any(one.wrong for column in found for one in column)


def digest(tensor: torch.Tensor) -> torch.Tensor:
    """On a CPU no two answers have the same one (SHA-256)."""
    flat = tensor.contiguous().flatten().view(torch.uint8)
    if not flat.is_cuda:
        return torch.frombuffer(bytearray(hashlib.sha256(flat.numpy()).digest()), dtype=torch.uint8)
    whole = flat[: flat.numel() // 8 * 8].view(torch.int64)
    sums = [piece.sum() for piece in whole.split(PIECE_WORDS)] if whole.numel() else []
    return torch.stack([*sums, flat[len(whole) * 8 :].sum()])
