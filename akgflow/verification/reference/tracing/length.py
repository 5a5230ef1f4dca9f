"""How many elements of one tensor have a part in one output element, counted from its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from akgflow.operators.arguments import invoke
from akgflow.verification.shared import memory


def longest_sum(model: Any, wide: Any, changes: Sequence[int], outcome: Sequence[torch.Tensor]) -> int | None:
    """The most of them, for two elements of each tensor of an ``outcome``; None where there is no gradient.

    ``wide``: the inputs, in float64; ``changes``: the numbers of those that a forward changes.
    """
    leaves = memory.map_tensors(wide, lambda t: t.clone().requires_grad_(t.dtype == torch.float64))
    wanted = [t for t in memory.tensors(leaves) if t.requires_grad]
    parameters = [p.requires_grad_(True) for p in model.parameters() if p.dtype == torch.float64]
    longest = 1
    try:
        with torch.enable_grad():
            given = memory.map_tensors(leaves, lambda t: t * 1 if t.requires_grad else t)
            results = [*memory.tensors(invoke(model, given))]
            inputs = [*memory.tensors(given)]
            results += [inputs[i] for i in changes]
        for result, base in zip(results, outcome, strict=False):
            if result.grad_fn is None or not result.is_floating_point() or not result.numel():
                continue
            for at in {int(base.abs().nan_to_num(0.0).argmax()), result.numel() // 2}:
                grads = torch.autograd.grad(
                    result.flatten()[at], wanted + parameters, allow_unused=True, retain_graph=True
                )
                longest = max([longest, *(int(g.count_nonzero()) for g in grads if g is not None)])
    except Exception:
        return None
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)
    return longest
