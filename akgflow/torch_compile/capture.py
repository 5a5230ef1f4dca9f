"""The source that Inductor generates for one case, without compiling it.

The operator is exported, so that its parameters become inputs by name, and what Inductor would hand to the framework's
own kernels is taken apart first where that is possible. Its loops are asked for in plain scalar C++.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
import torch._inductor.config as inductor
from torch._decomp import decomposition_table
from torch._inductor.compile_fx import compile_fx_inner
from torch._inductor.decomposition import select_decomp_table
from torch._inductor.graph import GraphLowering
from torch.export.graph_signature import InputKind, OutputKind

from akgflow.operators.arguments import split
from akgflow.verification.reference.operator import Case

_aten = torch.ops.aten
_SETTINGS = {
    "cpp.simdlen": 1,
    "cpp.dynamic_threads": True,
    "cpp_wrapper": False,
    "fx_graph_cache": False,
    "freezing": False,
    "fallback_random": True,
    "max_autotune": False,
    "size_asserts": True,
}
_DTYPES = (torch.float32, torch.float64, torch.int64, torch.int32, torch.bool)


class Obstacle(Exception):
    """Why no candidate can be made of what was generated; names the operator that stands in the way."""


class _Captured(Exception):
    """Ends the compilation where the code is there."""


@dataclass(frozen=True)
class Program:
    """What was generated for one case.

    ``code`` is Inductor's module. ``arguments`` names, for each argument of its ``call``, where it comes from:
    ``state NAME`` (a parameter or buffer), ``input N`` (a tensor of ``forward``), or ``constant N`` of ``constants``.
    ``tree`` is the result's structure, with the numbers of outputs in the place of tensors.
    """

    code: str
    arguments: tuple[str, ...]
    constants: tuple[torch.Tensor, ...]
    tree: Any
    inputs: tuple[Any, ...]


def capture(case: Case) -> Program:
    """The program of a case; raises `Obstacle`."""
    model = case.model()
    model = model if case.dtype is None else model.to(case.dtype)
    inputs = tuple(_cast(one, case.dtype) for one in case.make_inputs())
    if split(inputs)[1]:
        raise Obstacle("forward takes keywords, and only positional arguments can be passed on")
    for tensor in (*inputs, *model.state_dict().values()):
        _require_plain(tensor)
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        exported = torch.export.export(model, inputs, strict=False).run_decompositions(_table())
        return _program(exported, inputs)


def _require_plain(value: Any) -> None:
    if isinstance(value, torch.Tensor):
        if value.dtype not in _DTYPES:
            raise Obstacle(f"{value.dtype} is not generated for yet: only float32 and float64")
    elif not isinstance(value, int | float | bool | None):
        raise Obstacle(f"forward takes a {type(value).__name__}, and only tensors and numbers can be passed on")


def _cast(value: Any, dtype: torch.dtype | None) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return (value.to(dtype) if value.is_floating_point() and dtype is not None else value).contiguous()


def _program(exported: Any, inputs: tuple[Any, ...]) -> Program:
    arguments, constants = _arguments(exported)
    for output in exported.graph_signature.output_specs:
        if output.kind is not OutputKind.USER_OUTPUT:
            raise Obstacle(f"forward changes {output.target or 'an input'}, and only new tensors can be generated")
    nodes = [node for node in exported.graph_module.graph.nodes if node.op == "placeholder"]
    taken = []

    def stop(lowering: GraphLowering) -> None:
        found = lowering.codegen()[0]
        taken.append(getattr(found, "value", found))
        raise _Captured

    with inductor.patch(_SETTINGS), mock.patch.object(GraphLowering, "compile_to_module", stop):
        try:
            compile_fx_inner(exported.graph_module, [node.meta["val"] for node in nodes])
        except Exception:
            if not taken:
                raise
    spec = exported.call_spec.out_spec
    tree = torch.utils._pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    return Program(taken[0], arguments, constants, tree, inputs)


def _arguments(exported: Any) -> tuple[tuple[str, ...], tuple[torch.Tensor, ...]]:
    names: list[str] = []
    constants: list[torch.Tensor] = []
    user = 0
    for spec in exported.graph_signature.input_specs:
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            names.append(f"state {spec.target}")
        elif spec.kind is InputKind.CONSTANT_TENSOR:
            names.append(f"constant {len(constants)}")
            constants.append(exported.constants[spec.target])
        elif spec.kind is InputKind.USER_INPUT:
            names.append(f"input {user}")
            user += 1
        else:
            raise Obstacle(f"the graph takes {spec.kind.name.lower()} {spec.target!r}, which cannot be passed on")
    return tuple(names), tuple(constants)


def _table() -> dict[Any, Any]:
    attention = _aten._scaled_dot_product_flash_attention_for_cpu.default
    return {
        **select_decomp_table(),
        attention: decomposition_table[attention],
        _aten.convolution.default: _convolution,
    }


def _convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],  # noqa: ARG001
    groups: int,
) -> torch.Tensor:
    """A convolution as a matrix product: every position of the kernel is one strided slice of the padded input."""
    if transposed:
        raise Obstacle("aten.convolution with transposed=True has no loops of its own here")
    batch, channels, *_ = x.shape
    kernel = weight.shape[2:]
    x = torch.nn.functional.pad(x, [side for one in reversed(padding) for side in (one, one)])
    sizes = [(x.shape[2 + i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(len(kernel))]
    slices = []
    for place in itertools.product(*map(range, kernel)):
        part = x
        for i, at in enumerate(place):
            start = at * dilation[i]
            part = part[(slice(None),) * (2 + i) + (slice(start, start + (sizes[i] - 1) * stride[i] + 1, stride[i]),)]
        slices.append(part)
    columns = torch.stack(slices, 2).reshape(batch * groups, channels // groups * len(slices), -1)
    rows = weight.reshape(groups, weight.shape[0] // groups, -1).repeat(batch, 1, 1)
    out = torch.bmm(rows, columns).reshape(batch, weight.shape[0], *sizes)
    return out if bias is None else out + bias.reshape(-1, *[1] * len(kernel))
