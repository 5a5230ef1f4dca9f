"""Secret seeds, inputs and parameters: what a candidate is asked, drawn for each judgement."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from akgflow.verification.reference.distributions import InputInvariant, redraw
from akgflow.verification.reference.operator import Case, seeded
from akgflow.verification.shared import dtypes
from akgflow.verification.shared.memory import Identity, identity, map_tensors


def fresh_seed() -> int:
    """A seed that only the judge knows."""
    return int.from_bytes(os.urandom(8), "little") >> 1


def cast(value: Any, dtype: torch.dtype | None, device: str) -> Any:
    """Tensors of 16-bit to 64-bit floats to ``dtype`` (None leaves them), all tensors to ``device``, detached."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        computed = tensor.dtype in dtypes.COMPUTED and dtype is not None
        return tensor.detach().to(device=device, dtype=dtype if computed else tensor.dtype)

    return map_tensors(value, change)


def draw(case: Case, device: str, seed: int) -> tuple[Any, ...]:
    """One set of the operator's own inputs at the case's dtype on ``device`` (``cpu`` or ``cuda``)."""
    with seeded(seed), torch.device(device):
        made: tuple[Any, ...] = cast(case.make_inputs(), case.dtype, device)
    return made


def vary(
    made: tuple[Any, ...], invariants: Sequence[InputInvariant], distribution: str, way: str, level: float, seed: int
) -> tuple[Any, ...]:
    """The same inputs, their random tensors drawn from another distribution; ``invariants`` are in tensor order."""
    left = iter(invariants)
    with seeded(seed):
        redrawn: tuple[Any, ...] = map_tensors(made, lambda t: redraw(t, next(left), distribution, way, level))
    return redrawn


def draw_state(
    default: Mapping[str, torch.Tensor], parameters: Collection[str], seed: int, positive: bool
) -> Mapping[str, torch.Tensor]:
    """Values for the parameters and persistent buffers of a model, by name, none of them a default.

    Matrices and convolution kernels are normal with variance 1/fan_in (LeCun initialisation), so that outputs are O(1).
    What has at most one dimension larger than 1 (bias, norm weight, layer scale) is normal with a standard deviation of
    0.5, around the value that the model filled it with, or else around zero. Running variances are uniform in
    [0.5, 1.5]. Buffers that are no running statistics are constants of the model and keep their values. With
    ``positive`` only magnitudes are drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for name, tensor in default.items():
        drawn = _drawn(name, tensor.cpu(), name in parameters, generator)
        drawn = drawn.abs() if positive and name in parameters and drawn.is_floating_point() else drawn
        state[name] = drawn.to(tensor.device) if drawn.dtype == tensor.dtype else dtypes.stored(drawn, tensor)
    return state


def tied(named: Mapping[str, torch.Tensor]) -> Mapping[str, str]:
    """Tied tensors of a model: each later name of a tensor, and its first name."""
    first: dict[Identity, str] = {}
    found = {}
    for name, tensor in named.items():
        earlier = first.setdefault(identity(tensor), name) if tensor.numel() else name
        if earlier != name:
            found[name] = earlier
    return found


def _drawn(name: str, tensor: torch.Tensor, is_parameter: bool, generator: torch.Generator) -> torch.Tensor:
    leaf = name.rpartition(".")[2]
    if leaf == "running_var":
        return torch.rand(tensor.shape, generator=generator) + 0.5
    if not (tensor.is_floating_point() or tensor.is_complex()) or (not is_parameter and leaf != "running_mean"):
        return tensor.clone()
    if not tensor.numel():
        return tensor.clone()
    if tensor.dtype == dtypes.FLOAT4:
        return torch.randint(0, 256, tensor.shape, dtype=torch.uint8, generator=generator).view(tensor.dtype)
    tensor = dtypes.parts(tensor)
    normal = torch.randn(tensor.shape, generator=generator)
    counting = [size for size in tensor.shape if size > 1]
    if len(counting) >= 2:
        return normal / max(1.0, tensor.numel() / counting[0]) ** 0.5
    first = tensor.flatten()[0]
    return (first.float() if bool((tensor == first).all()) else 0.0) + 0.5 * normal
