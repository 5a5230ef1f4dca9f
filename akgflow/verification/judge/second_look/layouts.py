"""The same inputs in other layouts: what is walked as if it were contiguous gives something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch

from akgflow.verification.shared import dtypes, memory

_GAP = 3
"""Elements between the rows of a slice, and before the first."""


def _transposed(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.mT.contiguous().mT if tensor.dim() >= 2 else tensor


def _sliced(tensor: torch.Tensor) -> torch.Tensor:
    """The middle of a larger tensor."""
    *rows, columns = tensor.shape
    larger = tensor.new_zeros((*rows, columns + 2 * _GAP))
    return larger[..., _GAP : columns + _GAP].copy_(tensor)


def _expanded(tensor: torch.Tensor) -> torch.Tensor:
    """The first of the outermost dimension in the place of all: they have one memory, and a stride of 0."""
    return tensor[:1].expand_as(tensor) if tensor.dim() >= 2 and tensor.shape[0] > 1 else tensor


def _channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


LAYOUTS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = MappingProxyType(
    {"transposed": _transposed, "sliced": _sliced, "expanded": _expanded, "channels last": _channels_last}
)


def in_other_layouts(made: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``made`` with the tensors that are contiguous in each layout that differs, by its name."""
    for name, lay in LAYOUTS.items():
        changed: tuple[Any, ...] = memory.map_tensors(made, partial(_laid, lay))
        pairs = zip(memory.tensors(changed), memory.tensors(made), strict=True)
        if any(one.stride() != other.stride() for one, other in pairs):
            yield name, changed


def _laid(lay: Callable[[torch.Tensor], torch.Tensor], tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.is_contiguous() and tensor.dim() > 0 and tensor.numel() > 1 and tensor.dtype in dtypes.COMPUTED
    return lay(tensor) if plain else tensor
