"""What stands for a launched TileLang kernel where nothing runs: it checks its arguments and gives empty outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class NotLaunched:
    """Takes the place of an execution adapter. Tensors live on ``meta``: there is a form, and no values."""

    def __init__(self, params: Sequence[Any], out_idx: Any, source: str) -> None:
        given = [out_idx] if isinstance(out_idx, int) else list(out_idx or [])
        self.params, self.source = list(params), source
        self.results = [int(i) % len(self.params) for i in given]

    def get_kernel_source(self, kernel_only: bool = True) -> str:  # noqa: ARG002
        return self.source

    def func(self, *args: Any) -> Any:
        """The outputs named by ``out_idx``: one tensor, a list of several, or None where all are arguments."""
        wanted = [i for i in range(len(self.params)) if i not in self.results]
        if len(args) != len(wanted):
            raise ValueError(f"the kernel takes {len(wanted)} arguments and got {len(args)}")
        sizes: dict[Any, int] = {}
        for place, value in zip(wanted, args, strict=True):
            _match(self.params[place], value, place, sizes)
        outputs = [_empty(self.params[i], sizes) for i in self.results]
        return outputs[0] if len(outputs) == 1 else outputs or None


def _match(param: Any, value: Any, place: int, sizes: dict[Any, int]) -> None:
    """Hold an argument against its declaration, as a launch would; symbolic sizes take their value."""
    if not isinstance(value, torch.Tensor):
        if param.shape:
            raise TypeError(f"argument {place} must be a tensor and is {value!r}")
        return
    # Under a session's function mode this is the plain shape of a meta tensor.
    shape = tuple(value.shape)
    if len(shape) != len(param.shape):
        raise ValueError(f"argument {place} must have {len(param.shape)} dimensions and has shape {list(shape)}")
    if value.dtype != param.torch_dtype():
        raise TypeError(f"argument {place} must be {param.torch_dtype()} and is {value.dtype}")
    for dim, (want, have) in enumerate(zip(param.shape, shape, strict=True)):
        size = _size(want, sizes)
        if size is None:
            sizes[want] = have
        elif size != have:
            raise ValueError(f"argument {place} must have {size} elements in dimension {dim} and has {have}")


def _size(want: Any, sizes: dict[Any, int]) -> int | None:
    """A declared size as a number; None for a variable that no argument has given a value yet."""
    if isinstance(want, int):
        return want
    from tilelang import tvm

    if isinstance(want, tvm.tirx.Var):
        return next((value for var, value in sizes.items() if var.same_as(want)), None)
    known = {var: tvm.tirx.IntImm(var.dtype, value) for var, value in sizes.items()}
    value = tvm.arith.Analyzer().simplify(tvm.tirx.stmt_functor.substitute(want, known))
    return int(value) if isinstance(value, tvm.tirx.IntImm) else None


def _empty(param: Any, sizes: dict[Any, int]) -> torch.Tensor:
    shape = [_size(want, sizes) for want in param.shape]
    if None in shape:
        raise ValueError(f"the size of an output is not known from the arguments: {param.shape}")
    return torch.empty([size for size in shape if size is not None], dtype=param.torch_dtype(), device="meta")
