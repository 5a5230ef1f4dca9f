"""What an operator does, from one call on tensors without memory. Judge only.

The call runs on fake tensors: shapes and dtypes without values, so that the largest case costs no more than the
smallest. What needs values (a loop that ends when they say so) is called once on real ones where they are few.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.operators.arguments import split
from akgflow.verification.reference.operator import Case, OperatorError, cases_of, make_case
from akgflow.verification.reference.tracing.op_count import Tracer, flops_of
from akgflow.verification.shared import memory

MOST_REAL = 1 << 22
"""Elements of inputs and parameters up to which an operator is called on real tensors."""

_KINDS: Mapping[str, str] = {
    kind: name
    for name, kinds in (
        ("contraction", "mm bmm addmm baddbmm addbmm addmv mv dot linear _scaled_mm _int_mm"),
        ("convolution", "convolution _convolution convolution_overrideable mkldnn_convolution"),
        ("softmax", "_softmax _log_softmax logsumexp _safe_softmax"),
        ("norm", "native_layer_norm native_group_norm native_batch_norm _native_batch_norm_legit _fused_rms_norm"),
        ("norm", "_native_batch_norm_legit_no_training _native_batch_norm_legit_functional batch_norm_update_stats"),
        ("reduction", "sum mean amax amin max min prod var std var_mean std_mean argmax argmin any all norm aminmax"),
        ("reduction", "linalg_vector_norm nansum median count_nonzero"),
        ("pool", "max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d"),
        ("pool", "adaptive_avg_pool1d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d"),
        ("scan", "cumsum cumprod cummax cummin logcumsumexp _cummax_helper _cummin_helper"),
        ("sort", "sort topk kthvalue msort unique2 _unique2"),
        ("index", "index gather scatter scatter_add scatter_reduce index_select index_put index_add embedding take"),
        ("index", "_embedding_bag masked_select grid_sampler_2d upsample_bilinear2d upsample_nearest2d"),
        ("loss", "nll_loss_forward nll_loss2d_forward mse_loss smooth_l1_loss huber_loss binary_cross_entropy"),
        ("movement", "cat stack copy clone _to_copy constant_pad_nd repeat flip roll pixel_shuffle _unsafe_view"),
        ("movement", "reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d"),
        ("recurrent", "lstm gru rnn_tanh rnn_relu _thnn_fused_lstm_cell _thnn_fused_gru_cell"),
    )
    for kind in kinds.split()
}
_REDUCING = ("reduction", "softmax", "scan", "norm")
_CREATING = (
    "empty empty_like empty_strided zeros zeros_like ones ones_like full full_like arange scalar_tensor new_empty "
    "new_zeros new_full fill zero lift_fresh detach alias rand randn uniform normal bernoulli _local_scalar_dense"
)
_COMPOSITE = (
    "_softmax _log_softmax logsumexp native_layer_norm native_group_norm native_batch_norm _fused_rms_norm "
    "_native_batch_norm_legit _native_batch_norm_legit_no_training _native_batch_norm_legit_functional "
    "addmm addmv baddbmm addcmul addcdiv var_mean std_mean gelu silu mish hardswish hardsigmoid hardtanh elu "
    "leaky_relu softplus mse_loss smooth_l1_loss huber_loss binary_cross_entropy nll_loss_forward"
)
"""What is worth taking apart; contractions stay whole."""


def features_of(request: FeatureRequest) -> OperatorFeatures:
    """The features of an operator; whatever goes wrong is said in ``unknown``."""
    try:
        cases = cases_of(request.operator, request.operator_file, request.cases)
        traced = [_fake(make_case(request.operator, request.operator_file, keys, request.dtype, 0)) for keys in cases]
    except Exception as fake:
        try:
            first, *_ = cases_of(request.operator, request.operator_file, request.cases)
            return _real(make_case(request.operator, request.operator_file, first, request.dtype, 0))
        except Exception as real:
            why = str(real) if isinstance(real, OperatorError) else f"{type(fake).__name__}: {fake}"
            return OperatorFeatures(unknown=why.partition("\n")[0][:300])
    return max(traced, key=lambda found: (found.bytes, found.flops))


def _fake(case: Case) -> OperatorFeatures:
    with FakeTensorMode(allow_non_fake_inputs=True):
        return _traced(case, case.make_inputs())


def _real(case: Case) -> OperatorFeatures:
    with FakeTensorMode(allow_non_fake_inputs=True):
        few = sum(t.numel() for t in memory.tensors(list(case.make_inputs())))
        few += sum(t.numel() for t in case.model().state_dict().values())
    if few > MOST_REAL:
        raise OperatorError(f"it needs values to be traced, and its {few:,} elements are too many")
    return _traced(case, case.make_inputs())


def _traced(case: Case, inputs: tuple[Any, ...]) -> OperatorFeatures:
    model = case.model()
    # Fake parameters cannot be cast in their place.
    cast_state = {name: _cast(tensor, case.dtype) for name, tensor in model.state_dict().items()}
    cast = memory.map_tensors(tuple(inputs), lambda t: _cast(t, case.dtype))
    with torch.no_grad(), _Recorder() as seen:
        result = torch.func.functional_call(model, cast_state, *split(cast))
    given, made = list(memory.tensors(cast)), list(memory.tensors(result))
    state = list(cast_state.values())
    return OperatorFeatures(
        kinds=dict(seen.kinds),
        ops=dict(seen.ops),
        primitives=dict(seen.primitives),
        reductions=dict(seen.reductions),
        inputs=tuple(tuple(map(int, t.shape)) for t in given),
        outputs=tuple(tuple(map(int, t.shape)) for t in made),
        dtypes=tuple(sorted({memory.dtype_name(t.dtype) for t in (*given, *state)})),
        flops=seen.flops,
        bytes=float(sum(t.numel() * t.element_size() for t in (*given, *state, *made))),
    )


def _cast(value: Any, dtype: torch.dtype | None) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(dtype) if floating and dtype is not None else value


class _Recorder(Tracer):
    """Counts what is dispatched, and once more what that consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds, self.ops, self.primitives = Counter[str](), Counter[str](), Counter[str]()
        self.reductions = Counter[str]()
        self.flops, self._inside = 0.0, 0

    def dispatched(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = func.overloadpacket.__name__
        name = name.removesuffix("_") if not name.endswith("__") else name
        if func.is_view or name in _CREATING.split() or func.namespace == "prim":
            return func(*args, **kwargs)
        kind = _KINDS.get(name, "pointwise" if torch.Tag.pointwise in func.tags else "other")
        if not self._inside:
            self.ops[name] += 1
            self.kinds[kind] += 1
        taken_apart = _parts().get(func)
        if taken_apart is not None:
            with self._within():
                result = taken_apart(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        self.primitives[name] += 1
        if kind in _REDUCING:
            self.reductions[_reduction(name, args, kwargs)] += 1
        self.flops += flops_of(func, args, kwargs, result) or 0.0
        return result

    @contextlib.contextmanager
    def _within(self) -> Iterator[None]:
        self._inside += 1
        try:
            with self:
                yield
        finally:
            self._inside -= 1


@cache
def _parts() -> Mapping[Any, Any]:
    """How composite operators consist of smaller ones."""
    from torch._decomp import decomposition_table

    aten = torch.ops.aten
    overloads = (getattr(getattr(aten, name, None), "default", None) for name in _COMPOSITE.split())
    return {one: decomposition_table[one] for one in overloads if one in decomposition_table}


def _reduction(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    shape = next((tuple(map(int, a.shape)) for a in args if isinstance(a, torch.Tensor)), ())
    given = kwargs.get("dim", args[1] if len(args) > 1 and not isinstance(args[1], torch.Tensor) else None)
    dims = [given] if isinstance(given, int) and not isinstance(given, bool) else given
    rank = len(shape)
    chosen = {d % rank for d in dims} if isinstance(dims, list | tuple) and dims and rank else set(range(rank))
    axes = "all" if len(chosen) == rank else "last" if chosen == {rank - 1} else "first" if chosen == {0} else "inner"
    length = math.prod(shape[d] for d in chosen)
    return f"{name} {axes} {'short' if length <= 128 else 'medium' if length <= 8192 else 'long'}"
