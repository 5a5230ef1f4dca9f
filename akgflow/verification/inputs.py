"""Secret seeds, inputs and parameters: what a candidate is asked, drawn anew for each judgement."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from akgflow.verification import memory
from akgflow.verification.operator import Case, seeded

OPERATOR = "operator"
"""The operator's own ``get_inputs`` under a fresh seed."""
NORMAL = "normal"
"""Its floating inputs drawn again from the standard normal distribution."""


def fresh_seed() -> int:
    """A seed that only the judge knows."""
    return int.from_bytes(os.urandom(8), "little") >> 1


def map_tensors(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """``value`` with every tensor in its lists, tuples and dicts replaced by ``change(tensor)``."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(item, change) for item in value)
    if isinstance(value, dict):
        return {key: map_tensors(item, change) for key, item in value.items()}
    return value


def cast(value: Any, dtype: torch.dtype | None, device: str) -> Any:
    """Floating tensors to ``dtype`` (None leaves them), all tensors to ``device``, detached."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        floating = tensor.is_floating_point() and dtype is not None
        return tensor.detach().to(device=device, dtype=dtype if floating else tensor.dtype)

    return map_tensors(value, change)


def draw(case: Case, distribution: str, device: str, seed: int) -> tuple[Any, ...]:
    """One set of inputs at the case's dtype on ``device`` (``cpu`` or ``cuda``)."""
    with seeded(seed), torch.device(device):
        made = cast(case.make_inputs(), case.dtype, device)
        inputs: tuple[Any, ...] = map_tensors(made, redraw) if distribution == NORMAL else made
    return inputs


def can_redraw(inputs: tuple[Any, ...]) -> bool:
    """True when the normal distribution would change something."""
    return any(is_free(tensor) for tensor in memory.tensors(inputs))


def redraw(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the same layout from the standard normal; masks, indices and constants stay as they are."""
    if not is_free(tensor):
        return tensor
    fresh = torch.empty_like(tensor, memory_format=torch.preserve_format)
    return fresh.copy_(torch.randn(tensor.shape, device=tensor.device, dtype=torch.float32))


def is_free(tensor: torch.Tensor) -> bool:
    """True for floating tensors that look drawn rather than chosen: finite, and of more than two values."""
    if not tensor.is_floating_point() or tensor.numel() < 3:
        return False
    sample = tensor.flatten()[:4096].float()
    return bool(torch.isfinite(sample).all()) and sample.unique().numel() > 2


def draw_state(model: torch.nn.Module, seed: int) -> Mapping[str, torch.Tensor]:
    """Values for the parameters and persistent buffers of ``model``, by name, none of them a default.

    Matrices and convolution kernels are normal with variance 1/fan_in, so that outputs are O(1). Vectors that the
    model filled with ones (norm weights) are normal around one, other vectors normal; running variances are
    uniform in [0.5, 1.5]. Buffers that are no running statistics are constants of the model and keep their values.
    """
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        drawn = _drawn(name, tensor.detach().cpu(), name in dict(model.named_parameters()), generator)
        state[name] = drawn.to(device=tensor.device, dtype=tensor.dtype)
    return state


def _drawn(name: str, tensor: torch.Tensor, is_parameter: bool, generator: torch.Generator) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor.clone()
    leaf = name.rpartition(".")[2]
    if leaf == "running_var":
        return torch.rand(tensor.shape, generator=generator) + 0.5
    if not is_parameter and leaf != "running_mean":
        return tensor.clone()
    normal = torch.randn(tensor.shape, generator=generator)
    if tensor.dim() >= 2 and tensor.numel():
        fan_in = tensor.numel() / max(1, tensor.shape[0])
        return normal / max(1.0, fan_in) ** 0.5
    centre = 1.0 if tensor.numel() and bool((tensor == 1).all()) else 0.0
    return centre + 0.5 * normal
