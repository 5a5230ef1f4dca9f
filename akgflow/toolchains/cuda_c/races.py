"""Finding races of an interpreted kernel: its threads run in forward and in reverse order, and must agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from akgflow.toolchains.cuda_c.faults import Failure, failure

Named = Sequence[tuple[str, Any]]


def agree(name: str, arguments: tuple[Named, Named], results: tuple[Any, Any], tolerant: bool) -> None:
    """Raise RuntimeError where a call in forward and in reverse order left other values in its arguments or results."""
    import torch

    # Without torch's function modes the comparison itself calls the operators, as `trusted` says.
    with torch._C.DisableTorchFunction():
        for (what, one), (_, two) in zip(*arguments, strict=True):
            compare(name, what, one, two, tolerant)
        for place, (one, two) in enumerate(zip(*map(_tensors, results), strict=True), start=1):
            compare(name, f"result {place}", one, two, tolerant)


def _tensors(result: Any) -> Iterator[Any]:
    if isinstance(result, list | tuple):
        for one in result:
            yield from _tensors(one)
    elif hasattr(result, "data_ptr"):
        yield result


def compare(name: str, what: str, one: Any, other: Any, tolerant: bool) -> None:
    """Raise where forward and reverse order gave different values; atomics on floats may differ by rounding."""
    import torch

    one, other = one.detach(), other.detach()
    if one.shape != other.shape:
        raise failure(
            Failure.KERNEL, f"{name}: threads race: {what} has shape {list(one.shape)} or {list(other.shape)}"
        )
    same = (one == other) | ((one != one) & (other != other))
    if tolerant and one.is_floating_point():
        scale = one.double().nan_to_num(0.0, 0.0, 0.0).abs().max() if one.numel() else torch.zeros(())
        same |= (one.double() - other.double()).abs() <= 1e-4 * scale
    if bool(same.all()):
        return
    wrong = (~same).nonzero()
    at = tuple(int(i) for i in wrong[0])
    raise failure(
        Failure.KERNEL,
        f"{name}: threads race. Run in forward and in reverse order they leave different values in {len(wrong)} of "
        f"{one.numel()} elements of {what}, first at {list(at)}: {one[at].item():g}, {other[at].item():g}; "
        "a __syncthreads or __syncwarp is missing, two threads write one element, or a variable of the "
        "kernel's own keeps a value from one call to the next",
    )
