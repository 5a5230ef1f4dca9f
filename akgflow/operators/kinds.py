"""The kinds of work that an operator's text shows, for the choice of knowledge documents where nobody named one.

Read from names, without running anything, since a plan has no traced graph: what is written in another module, or is
put together from elementary operations alone, is not seen.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from akgflow.operators.python_text import PythonError, definitions, parse_python

MOST = 3
"""Kinds for one operator: a prompt that says everything about everything helps nobody."""
_BY_NAME = {
    "attention": "scaled_dot_product_attention|flex_attention|MultiheadAttention|Transformer\\w+Layer",
    "conv": "Conv(Transpose)?[123]d|conv(_transpose)?[123]d|unfold|Unfold",
    "gemm": "Linear|linear|Bilinear|matmul|mm|bmm|addmm|baddbmm|einsum|tensordot|LSTM|GRU|RNN|LSTMCell|GRUCell",
    "scan": "cumsum|cumprod|cummax|cummin|logcumsumexp",
    "softmax": "(log_)?softmax|(Log)?Softmax2?d?|softmin|Softmin",
    "normalization": "\\w+Norm([123]d)?|(layer|rms|group|batch|instance)_norm|normalize",
    "pool": "(Adaptive)?(Max|Avg)Pool[123]d|(adaptive_)?(max|avg)_pool[123]d",
    "loss": "\\w+Loss|cross_entropy|\\w+_loss|kl_div|nll_loss",
    "indexing": "gather|scatter\\w*|index_\\w+|embedding|Embedding|sort|argsort",
    "reduction": "sum|mean|amax|amin|argmax|argmin|logsumexp|prod|var|std|var_mean|norm|max|min|topk",
}
"""Names of calls by kind, those first that decide how a kernel is built."""
_MATCHING = {kind: re.compile(names) for kind, names in _BY_NAME.items()}


@lru_cache(maxsize=256)
def kinds_in(text: str) -> tuple[str, ...]:
    """Up to `MOST` kinds, the weightiest first; ``elementwise`` where there is none; nothing for no module."""
    try:
        found = definitions(parse_python(text).body).get("Model")
    except PythonError:
        return ()
    if found is None:
        return ()
    seen = Counter(_kinds_of_calls(found))
    if seen["softmax"] and seen["gemm"] > 1:
        seen["attention"] += 1
    if seen["attention"]:
        seen["gemm"] += 1
    return tuple(kind for kind in _BY_NAME if seen[kind])[:MOST] or ("elementwise",)


def _kinds_of_calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            yield "gemm"
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from (kind for kind, pattern in _MATCHING.items() if pattern.fullmatch(name))
