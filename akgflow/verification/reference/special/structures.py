"""Structures of indices, offsets and masks: what they may be, and what random ones hardly ever are.

Several draws of the operator's own inputs show what a tensor of whole numbers or truths is. Only values that were seen
are used, and only what varied is changed: sorted ones stay sorted, and rows without repetition stay without.
Where two tensors depend on each other (ids and how often each occurs), neither is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from itertools import permutations
from typing import Any, NamedTuple

import torch

from akgflow.verification.reference.distributions import OPERATOR, InputInvariant, varying
from akgflow.verification.shared import dtypes
from akgflow.verification.shared.memory import map_tensors, tensors

REPEATED, SORTED, EMPTY, MASKED = "repeated indices", "sorted indices", "empty groups", "masked rows"
"""What the structures are called."""
_INDICES = (torch.int16, torch.int32, torch.int64)
_LEAST = 3
"""Elements from which on a tensor has a structure."""


class Role(Enum):
    """What a tensor is."""

    INDEX = auto()
    """Whole numbers that are independent of each other: places, classes, experts, lengths."""
    ROWS = auto()
    """The same, but no row names one twice."""
    IDS = auto()
    """Sorted, and most are equal to their neighbours: the group of each element."""
    OFFSETS = auto()
    """Sorted, and some are equal to their neighbours: where each group begins or ends."""
    MASK = auto()
    """Truths, minus infinity or zero, one or zero."""
    OTHER = auto()


class Kind(NamedTuple):
    """A tensor's role, and for whole numbers all values that were seen, sorted."""

    role: Role
    values: torch.Tensor = torch.empty(0)
    varies: torch.Tensor = torch.empty(0)
    """Marks the elements of a mask that vary; others are as in ``mask``."""
    mask: torch.Tensor = torch.empty(0)


class Structure(NamedTuple):
    """A change that all tensors of a role are given."""

    name: str
    role: Role
    change: Callable[[torch.Tensor, Kind], torch.Tensor]

    def called(self, distribution: str) -> str:
        """What inputs of a distribution with this structure are called in messages."""
        return self.name if distribution == OPERATOR else f"{distribution}, {self.name}"

    def of(self, made: Any, kinds: Sequence[Kind]) -> Any:
        """The inputs ``made`` with this structure; ``kinds`` are in tensor order."""
        left = iter(kinds)

        def changed(tensor: torch.Tensor) -> torch.Tensor:
            kind = next(left)
            return self.change(tensor, kind) if kind.role is self.role else tensor

        return map_tensors(made, changed)


def structures_for(kinds: Sequence[Kind]) -> list[Structure]:
    """The structures that inputs of these kinds may have."""
    roles = {kind.role for kind in kinds}
    return [one for one in _ALL if one.role in roles]


def kinds_of(draws: Sequence[Any], invariants: Sequence[InputInvariant]) -> list[Kind]:
    """What each tensor of several draws of the same inputs is, in tensor order."""
    seen = [list(tensors(made)) for made in draws]
    columns = [torch.stack(one) if _alike(one) else None for one in zip(*seen, strict=True)]
    # A number beside the tensors that varies with them says how long or how many: nothing shows of what.
    tied = any(_numbers(made) != _numbers(draws[0]) for made in draws)
    found = [
        Kind(Role.OTHER) if column is None else _kind(column, invariant, tied)
        for column, invariant in zip(columns, invariants, strict=True)
    ]
    for one, other in permutations(range(len(found)), 2):
        mine, theirs = columns[one], columns[other]
        whole = found[one].role not in (Role.OTHER, Role.MASK)
        if whole and mine is not None and theirs is not None and _depends(theirs, mine):
            found[one] = found[other] = Kind(Role.OTHER)
    return found


def _alike(column: Sequence[torch.Tensor]) -> bool:
    return all(one.shape == column[0].shape for one in column) and column[0].numel() >= _LEAST


def _numbers(made: Any) -> list[Any]:
    """All plain numbers of a value, in order."""
    if isinstance(made, dict):
        return [one for item in made.values() for one in _numbers(item)]
    if isinstance(made, (list, tuple)):
        return [one for item in made for one in _numbers(item)]
    return [made] if isinstance(made, (int, float)) else []


def _kind(seen: torch.Tensor, invariant: InputInvariant, tied: bool) -> Kind:
    """The kind of a tensor, all draws of which are stacked in ``seen``."""
    if invariant.random or bool((seen == seen[0]).all()):
        return Kind(Role.OTHER)
    if _is_mask(seen):
        marked = _marked(seen)
        masks = varying(marked)
        return (
            Kind(Role.OTHER) if masks is None or _in_blocks(marked) else Kind(Role.MASK, varies=masks, mask=marked[0])
        )
    if tied or seen.dtype not in _INDICES:
        return Kind(Role.OTHER)
    flat, values = seen.flatten(1), seen.unique()
    steps, sorted_ = flat.diff(dim=1), flat.sort(1).values
    if bool((steps >= 0).all()):
        equal = float((steps == 0).float().mean())
        role = Role.OTHER if not equal or seen.dim() > 2 else Role.IDS if equal > 0.5 else Role.OFFSETS
        return Kind(role, values)
    apart = bool((sorted_.diff(dim=1) > 0).all())
    partition = len(seen) > 1 and bool((flat.sum(1) == flat[0].sum()).all())
    if apart or partition or bool((steps <= 0).all()) or int(values[-1]) <= 0:
        return Kind(Role.OTHER)
    if seen.dim() > 2 and seen.shape[-1] > 1 and bool((seen.sort(-1).values.diff(dim=-1) > 0).all()):
        return Kind(Role.ROWS, values)
    return Kind(Role.INDEX, values[values >= 0])


def _is_mask(seen: torch.Tensor) -> bool:
    if seen.dtype == torch.bool:
        return bool(seen.shape[-1] > 1)
    if seen.shape[-1] < 2 or (not seen.is_floating_point() and seen.dim() < 3):
        return False
    if seen.dtype in dtypes.COMPUTED and bool(torch.isneginf(seen).any()):
        return bool(((seen == 0) | torch.isneginf(seen)).all())
    known = seen.dtype in dtypes.COMPUTED or seen.dtype in _INDICES
    return bool(known) and bool(((seen == 0) | (seen == 1)).all())


def _marked(tensor: torch.Tensor) -> torch.Tensor:
    """The elements of a mask that are true, one, or minus infinity."""
    return tensor if _is_bool(tensor) else (tensor == 1) | torch.isneginf(tensor)


def _in_blocks(hidden: torch.Tensor) -> bool:
    """True when neighbours in a mask are mostly equal, rows or columns, and rows are no paddings."""
    steps = hidden.int().diff(dim=-1)
    rows = hidden.flatten(1, -2) if hidden.dim() > 2 else hidden[:, None]
    padded = bool(((steps >= 0).all(-1) | (steps <= 0).all(-1)).all())
    alike = (rows[:, 1:] == rows[:, :-1]).all(-1).float().mean() if rows.shape[1] > 1 else torch.zeros(())
    return not padded and bool((steps == 0).float().mean() > 0.9 or (rows.shape[-1] >= 8 and alike > 0.3))


def _depends(other: torch.Tensor, seen: torch.Tensor) -> bool:
    """True when a tensor says in each draw how often, or in which order, or which of, the whole numbers ``seen``."""
    pairs = zip(other[:3], seen[:3], strict=True)
    if all(_follows(theirs, mine.flatten().to(torch.int64)) for theirs, mine in pairs):
        return True
    alike = other.shape == seen.shape and not other.is_floating_point()
    return bool(alike) and _bounded(other, seen)


def _bounded(other: torch.Tensor, seen: torch.Tensor) -> bool:
    """Where each range begins, and where it ends."""
    return not _is_bool(other) and bool((other >= seen).all() or (other <= seen).all())


def _is_bool(tensor: torch.Tensor) -> bool:
    return bool(tensor.dtype == torch.bool)


def _follows(other: torch.Tensor, mine: torch.Tensor) -> bool:
    count = mine.numel()
    if not other.is_floating_point() and not _is_bool(other) and int(mine.min()) >= 0:
        flat = other.flatten().to(torch.int64)
        counts = torch.bincount(mine, minlength=flat.numel())
        before = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        for wanted in (counts, before, before[1:], before[:-1]):
            if torch.equal(flat, wanted[: flat.numel()]):
                return True
        if flat.numel() == count and torch.equal(flat.sort().values, torch.arange(count, device=flat.device)):
            return bool((mine[flat].diff() >= 0).all())
    if other.numel() <= count or other.numel() % count or other.is_complex():
        return False
    rows = other.reshape(count, -1)
    marked = rows != 0
    return bool(torch.equal(marked.sum(1), mine) or torch.equal(marked.int().argmax(1), mine))


# What the structures make of a tensor.


def _picked(values: torch.Tensor) -> torch.Tensor:
    """The first value, the last, or any."""
    places = torch.tensor([0, len(values) - 1, int(torch.randint(len(values), ()))])
    return values[places[torch.randint(3, ())]]


def _one_value(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:
    return torch.empty_like(tensor).copy_(_picked(kind.values).expand(tensor.shape))


def _ascending(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:  # noqa: ARG001
    return torch.empty_like(tensor).copy_(tensor.flatten().sort().values.view(tensor.shape))


def _few_descending(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Half of the values never occur, the first and the last among them, where there are so many."""
    values = kind.values[1:-1] if len(kind.values) > _LEAST else kind.values[:1]
    kept = values[torch.randperm(len(values), device=values.device)[: (len(values) + 1) // 2]]
    drawn = kept[torch.randint(len(kept), (tensor.numel(),), device=kept.device)]
    return torch.empty_like(tensor).copy_(drawn.sort(descending=True).values.view(tensor.shape))


def _one_row(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:  # noqa: ARG001
    rows = tensor.reshape(-1, tensor.shape[-1])
    return torch.empty_like(tensor).copy_(rows[int(torch.randint(len(rows), ()))].expand(tensor.shape))


def _two_groups(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:  # noqa: ARG001
    """The first and the last group have all elements."""
    found = tensor.clone()
    found[: len(found) // 2], found[len(found) // 2 :] = tensor[0], tensor[-1]
    return found


def _few_groups(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:  # noqa: ARG001
    """Groups as large as the largest one, the others empty: the first and the last, as far as elements allow."""
    flat = tensor.flatten()
    gaps = flat.diff()
    total, most = int(gaps.sum()), max(1, int(gaps.max()))
    sizes = [most] * (total // most) + ([total % most] if total % most else [])
    empty = len(gaps) - len(sizes)
    sizes = [0] * ((empty + 1) // 2) + sizes + [0] * (empty // 2)
    ends = torch.tensor([0, *sizes], device=flat.device, dtype=flat.dtype).cumsum(0) + flat[0]
    return torch.empty_like(tensor).copy_(ends.view(tensor.shape))


def _rows_of_a_mask(tensor: torch.Tensor, kind: Kind, *, whole: bool) -> torch.Tensor:
    """Rows of one element only, at either end; with ``whole`` others of all elements or none. Some stay."""
    width, one = tensor.shape[-1], -torch.inf if bool(torch.isneginf(tensor).any()) else 1
    rows = _marked(tensor).clone().reshape(-1, width)
    varies, seen = (part.reshape(rows.shape) for part in (kind.varies, kind.mask))
    # Rows that begin or end with what they hold are paddings: they stay so.
    steps = rows.int().diff(dim=1)
    rising, falling = bool((steps >= 0).all()), bool((steps <= 0).all())
    place = torch.arange(width, device=rows.device)
    first, last = place == 0, place == width - 1
    patterns = [one for one, fits in ((last, rising), (first, falling)) if fits] or [last, first]
    patterns += [~one for one in ((first,) if rising else (last,) if falling else (last, first))]
    patterns += [torch.ones_like(last), torch.zeros_like(last)] if whole else []
    order, start = torch.randperm(len(rows))[: max(1, 3 * len(rows) // 4)].tolist(), int(torch.randint(8, ()))
    for number, row in enumerate(order, start):
        # What did not vary may do so rarely.
        rows[row] = torch.where(varies[row], patterns[number % len(patterns)], seen[row])
    rows = rows.view(tensor.shape)
    values = rows if _is_bool(tensor) else torch.where(rows, one, 0).to(tensor.dtype)
    return torch.empty_like(tensor).copy_(values)


def _masks(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:
    return _rows_of_a_mask(tensor, kind, whole=True)


def _masks_of_one(tensor: torch.Tensor, kind: Kind) -> torch.Tensor:
    return _rows_of_a_mask(tensor, kind, whole=False)


_ALL = (
    Structure(REPEATED, Role.INDEX, _one_value),
    Structure(REPEATED, Role.ROWS, _one_row),
    Structure(EMPTY, Role.OFFSETS, _few_groups),
    Structure(EMPTY, Role.IDS, _two_groups),
    Structure(MASKED, Role.MASK, _masks),
    Structure(MASKED, Role.MASK, _masks_of_one),
    Structure(EMPTY, Role.INDEX, _few_descending),
    Structure(SORTED, Role.INDEX, _ascending),
)
