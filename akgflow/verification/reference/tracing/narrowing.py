"""Operands of contractions, rounded to what a precision contract allows.

`Narrowing` makes the framework's own kernels round them where it has no setting that does; random rounding
(`akgflow.verification.reference.tracing.rounding`) puts the same errors into its forwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from akgflow.precision import Contract, Operands, Precision
from akgflow.verification.reference.tracing.op_count import Tracer
from akgflow.verification.shared import dtypes, op_classes

_ATTENTION = "_scaled_dot_product"
PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot"}) | {
    f"{_ATTENTION}_{kind}_attention" for kind in ("flash", "efficient", "cudnn")
}
PRODUCTS |= {f"{_ATTENTION}_flash_attention_for_cpu"}
CONVOLUTIONS = frozenset({"convolution", "_convolution", "convolution_overrideable"})
_TF32_BITS = 13
"""Bits of float32 that TF32 has not."""
UNITS = {"tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Unit roundoffs."""


def format_for(base: str, allowed: Operands) -> str | None:
    """The format to which operands of an operator, by the base of its name, may be rounded."""
    if base in CONVOLUTIONS:
        return allowed.convolution
    return allowed.product if base in PRODUCTS else None


def unit_for(names: Iterable[str], allowed: Operands) -> float:
    """The largest unit roundoff that operands may have in a graph of these operators; 0.0 where none is rounded."""
    forms = (format_for(op_classes.base(name), allowed) for name in names) if allowed else ()
    return max((UNITS[form] for form in forms if form is not None), default=0.0)


def operands_of(base: str, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The places of a contraction's operands among its arguments."""
    tensors = [place for place, one in enumerate(args) if isinstance(one, torch.Tensor)]
    if base in CONVOLUTIONS:
        return tuple(tensors[:2])
    return tuple(tensors[:3]) if base.startswith(_ATTENTION) else tuple(tensors[-2:])


def with_operands(base: str, args: tuple[Any, ...], change: Callable[[torch.Tensor], torch.Tensor]) -> tuple[Any, ...]:
    """The arguments with each operand changed; a tensor that is both operands is changed once."""
    places, made = operands_of(base, args), dict[int, torch.Tensor]()
    for place in places:
        if id(args[place]) not in made:
            made[id(args[place])] = change(args[place])
    return tuple(made[id(one)] if place in places else one for place, one in enumerate(args))


def nearest(values: torch.Tensor, form: str) -> torch.Tensor:
    """Real ``values`` rounded to the nearest number of a format, in their own dtype."""
    if form == "tf32":
        bits = values.float().contiguous().view(torch.int32)
        bits = bits + ((1 << (_TF32_BITS - 1)) - 1) + ((bits >> _TF32_BITS) & 1)
        return _kept(bits, values)
    return values.to(torch.bfloat16 if form == "bf16" else torch.float16).to(values.dtype)


def toward_zero(values: torch.Tensor, form: str) -> torch.Tensor:
    """The same, cut: tensor cores ignore the bits of a float32 operand that TF32 has not."""
    if form == "tf32":
        return _kept(values.float().contiguous().view(torch.int32), values)
    found = values.to(torch.bfloat16 if form == "bf16" else torch.float16)
    below = (found.view(torch.int16) - 1).view(found.dtype).to(values.dtype)
    wide = found.to(values.dtype)
    return torch.where(wide.abs() > values.abs(), below, wide)


def _kept(bits: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """TF32 numbers from the bits of float32 ones; what is special stays as it was in ``values``."""
    cut = (bits & -(1 << _TF32_BITS)).view(torch.float32).to(values.dtype)
    return torch.where(torch.isfinite(values), cut, values).reshape(values.shape)


class Narrowing(Tracer):
    """Has float32 contractions multiply operands that are rounded to the nearest number."""

    def __init__(self, allowed: Operands) -> None:
        super().__init__()
        self.allowed = allowed

    def dispatched(self, func: Any, args: Any, kwargs: Any) -> Any:
        base = op_classes.base(func._schema.name)
        form = format_for(base, self.allowed)
        if form is not None and args[operands_of(base, args)[0]].dtype == torch.float32:
            # What else traces this call counts the contraction, not how it is imitated.
            with torch._C._DisableTorchDispatch():
                args = with_operands(base, args, lambda one: nearest(one, form))
        return func(*args, **kwargs)


def conditions(contract: Contract, device: str) -> Callable[[], AbstractContextManager[Any]]:
    """What forwards of the framework's own kernels are run under, on a device."""
    precision, allowed = contract
    # PyTorch has a setting for TF32 on a GPU, whose own kernels show what it errs, and none for anything else.
    imitated = device != "cuda" or precision in (Precision.BF16, Precision.FP16)

    def entered() -> AbstractContextManager[Any]:
        dtypes.use_tf32(*precision.tf32)
        return Narrowing(allowed) if imitated and allowed else nullcontext()

    return entered
