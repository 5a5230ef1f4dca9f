"""Which of the framework's operators do an operator's work, and which only hold, move and draw data."""

from __future__ import annotations

import re
from functools import cache

_PLACES = """
    as_strided empty empty_strided set resize view _reshape_alias view_as_real view_as_complex unfold is_set_to
    _local_scalar_dense equal _efficientzerotensor from_file _assert_async _functional_assert_async _make_dep_token
    _nested_compute_contiguous_strides_offsets nonzero nonzero_static record_stream _pin_memory is_pinned
"""
"""Memory, views of it, and looking at single values."""
_VALUES = """
    fill zero arange range linspace logspace eye tril_indices triu_indices uniform normal random randperm bernoulli
    exponential geometric cauchy log_normal multinomial poisson binomial
"""
"""Values that come from no tensor: constants, ramps and random numbers."""
_MOVES = """
    cat _stack narrow_copy index_select index _index_put_impl gather flip roll where masked_fill masked_select
    masked_scatter index_fill index_copy scatter take put repeat_interleave tril triu pixel_shuffle pixel_unshuffle
    channel_shuffle native_channel_shuffle reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
    replication_pad2d replication_pad3d
    _foreach_copy _foreach_zero _foreach_clone complex constant_pad_nd clone copy _to_copy repeat embedding stack
"""
"""Elements carried from place to place as they are, or to another dtype. Free, unless the operator is just that."""
_MULTIPLY = re.compile(
    r"_?(add|baddb?|b|s)?mm|_?(scaled|int|grouped|foreach)_mm\w*|addbmm|baddbmm|sspaddmm|_addmm_activation|add?mv|mv"
    r"|v?dot|addr|_weight_int\w*_mm\w*|_dyn_quant_matmul\w*|\w*conv(olution)?(_?\w*(\dd|tbc))?\w*|\w*(lstm|gru|rnn)\w*"
    r"|\w*attention\w*|_transformer\w*|_transform_bias\w*|_cdist\w*|_pdist\w*|_?linalg_\w+|\w*(cholesky|solve)\w*"
    r"|geqrf|ormqr|lu_unpack|_?fft_\w+|_embedding_bag\w*|\w*(mkldnn|fbgemm|nnpack|cudnn|miopen|quantize)\w*"
    r"|_to_sparse\w*|_nested_\w+|_mm_plus_mm|_compute_linear_combination|\w*int4pack\w*|_dyn_quant\w*"
    r"|_empty_\w*affine\w*|_make_per_\w+"
)
"""Contractions, and what leads to other libraries and layouts."""
_NOT_MULTIPLY = re.compile(r"linalg_(vector_norm|cross|_powsum)|conj_physical|_conj_physical|convolution_overrideable")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FOREIGN = _words(
    "mkl mkldnn mkldnn_prepacked onednn prepacked quantized _quantized quantization sparse static_runtime xnnpack"
)
"""Namespaces of operators that compute in other libraries."""
_ALIKE = {
    **dict.fromkeys(_words("clamp clamp_min clamp_max threshold hardtanh maximum fmax leaky_relu"), "relu"),
    **dict.fromkeys(_words("sub rsub"), "add"),
    **dict.fromkeys(_words("div reciprocal addcmul addcdiv"), "mul"),
    **dict.fromkeys(_words("mean nansum"), "sum"),
    **dict.fromkeys(_words("var std std_mean"), "var_mean"),
    **dict.fromkeys(_words("max aminmax"), "amax"),
    **dict.fromkeys(_words("min minimum"), "amin"),
}
"""Operators that can stand for each other."""
_REDUCE = _words("sum prod amax amin argmax argmin var_mean norm linalg_vector_norm logsumexp cumsum any all")

_ADDING = _words("_index_put_impl put")
"""Moves that add up where they are told to accumulate."""
_LOOK_UP = _words("index index_select gather take embedding")
"""Moves that compute where each index picks one element: a table holds any function of a few bits."""

FREE = _words(_PLACES) | _words(_VALUES)
MOVES = _words(_MOVES)
OTHER_KEYS = ("SparseCPU", "SparseCsrCPU", "QuantizedCPU", "MkldnnCPU", "NestedTensorCPU")
"""Other kinds of CPU tensors: their kernels are of no use to a DSL."""
OTHER_CUDA_KEYS = ("SparseCUDA", "SparseCsrCUDA", "QuantizedCUDA", "NestedTensorCUDA")


@cache
def base(name: str) -> str:
    """``aten::add_.Tensor`` → ``add``; other namespaces stay: ``mkldnn::_linear_pointwise``."""
    bare = name.partition(".")[0].removeprefix("aten::")
    return bare if bare.endswith("__") else bare.rstrip("_")


def group(name: str) -> str:
    """The name under which operators that can stand for each other are counted together."""
    return _ALIKE.get(base(name), base(name))


def is_reduction(name: str) -> bool:
    """True when the operator gives fewer elements than it takes."""
    return group(name) in _REDUCE


def is_multiplication(name: str) -> bool:
    """True for operators that a DSL's candidate never needs, however small: contractions, calls of other libraries."""
    if "::" in name and not name.startswith("aten::"):
        return name.partition("::")[0] in _FOREIGN
    found = base(name)
    return bool(_MULTIPLY.fullmatch(found)) and not _NOT_MULTIPLY.fullmatch(found)


def adds_if_told(name: str) -> bool:
    """True for moves that compute when their argument ``accumulate`` is true."""
    return base(name) in _ADDING


def looks_up(name: str) -> bool:
    """True for moves that compute when there are as many indices as results."""
    return base(name) in _LOOK_UP


def is_counted(name: str) -> bool:
    """True for operators that compute, some of them only by their arguments, and may for a small share of the work."""
    if "::" in name and not name.startswith("aten::"):
        return False
    if "reduce" in name.partition(".")[2]:
        # scatter.reduce and the like add and multiply.
        return True
    if adds_if_told(name) or looks_up(name):
        return True
    return base(name) not in FREE | MOVES and not is_multiplication(name)
