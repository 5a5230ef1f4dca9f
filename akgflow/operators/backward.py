"""What is asked of gradients, where an operator is judged forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

UPSTREAM = "upstream"
"""In the place of an input's name: the upstream gradients."""


class Backward(NamedTuple):
    """That gradients are judged, and what a call may leave with other values than it found."""

    overwrites: tuple[str, ...] = ()
    """Names of parameters of ``forward``, or `UPSTREAM`: nobody reads these tensors after the call."""

    @classmethod
    def of(cls, value: bool | Mapping[str, Any] | None) -> Backward | None:
        """``true``, ``{overwrites: [logits]}``; None for ``false`` and for nothing."""
        if isinstance(value, Mapping):
            return cls(tuple(value.get("overwrites", ())))
        return cls() if value else None

    @property
    def words(self) -> str:
        """For who reads the operator: that gradients are judged, and of what."""
        return f"Its gradients are judged, too: of its floating inputs and parameters.{self._may()}"

    @property
    def advice(self) -> str:
        """For who writes a kernel: how gradients are asked for, and how to give them."""
        return f"{_ADVICE}{self._may()}"

    def _may(self) -> str:
        names = ["the upstream gradients" if one == UPSTREAM else one for one in self.overwrites]
        return f" The call may overwrite {' and '.join(names)}." if names else ""


_ADVICE = """\
The gradients of all floating inputs and parameters are judged like outputs, for random upstream gradients, which may be
expanded (strides of 0): call `.contiguous()` on them. Give them in one of two ways. Either `forward` calls a
`torch.autograd.Function` of yours, whose `backward` launches kernels: what it needs is kept by
`ctx.save_for_backward`, never on the module, since other calls of `forward` come before it. Or `ModelNew` defines
`backward(self, grads, inputs, outputs)`, which is called with tuples (the upstream gradient of each output tensor, None
where there is none; the arguments of `forward`; the tensors that it gave) and returns a dict of gradients by the names
of the inputs of `Model.forward` and of the parameters; `forward` then runs without autograd. PyTorch's own autograd
through its operators counts as PyTorch's work. Each gradient has the shape and type of its input or parameter."""
