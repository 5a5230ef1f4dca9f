"""Finding races of an interpreted kernel: its threads run in forward and in reverse order, and must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")


def both_orders(
    name: str, args: Sequence[Any], once: Callable[[bool, Sequence[Any]], Result], tolerant: bool
) -> Result:
    """Call forwards on the tensors and in reverse on copies of them; raises RuntimeError where the results differ.

    ``once(reverse, args)`` makes one call; its result may hold tensors in lists and tuples.
    """
    copies = _copies(args)
    result = once(False, args)
    other = once(True, copies)
    import torch

    # Without torch's function modes the comparison itself calls the operators, as `trusted` says.
    with torch._C.DisableTorchFunction():
        for place, (one, two) in enumerate(zip(args, copies, strict=True), start=1):
            if isinstance(one, torch.Tensor):
                compare(name, f"argument {place}", one, two, tolerant)
        for place, (one, two) in enumerate(zip(_tensors(result), _tensors(other), strict=True), start=1):
            compare(name, f"result {place}", one, two, tolerant)
    return result


def _tensors(result: Any) -> Iterator[Any]:
    if isinstance(result, list | tuple):
        for one in result:
            yield from _tensors(one)
    elif hasattr(result, "data_ptr"):
        yield result


def _copies(args: Sequence[Any]) -> list[Any]:
    """Copies of the tensors among ``args``, storage by storage, so that views stay views of one memory."""
    import torch

    storages: dict[int, Any] = {}

    def copy(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        storage = value.untyped_storage()
        mine = storages.setdefault(storage.data_ptr(), storage.clone())
        return torch.empty(0, dtype=value.dtype).set_(mine, value.storage_offset(), value.shape, value.stride())

    return [copy(value) for value in args]


def compare(name: str, what: str, one: Any, other: Any, tolerant: bool) -> None:
    """Raise where forward and reverse order gave different values; atomics on floats may differ by rounding."""
    import torch

    one, other = one.detach(), other.detach()
    same = (one == other) | ((one != one) & (other != other))
    if tolerant and one.is_floating_point():
        scale = one.double().nan_to_num(0.0, 0.0, 0.0).abs().max() if one.numel() else torch.zeros(())
        same |= (one.double() - other.double()).abs() <= 1e-4 * scale
    if bool(same.all()):
        return
    wrong = (~same).nonzero()
    at = tuple(int(i) for i in wrong[0])
    raise RuntimeError(
        f"{name}: threads race. Run in forward and in reverse order they leave different values in {len(wrong)} of "
        f"{one.numel()} elements of {what}, first at {list(at)}: {one[at].item():g}, {other[at].item():g}; "
        "a __syncthreads or __syncwarp is missing, or two threads write one element"
    )
