"""The similarity of two operators by their graphs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

from akgflow.features import OperatorFeatures

FLOOR = 0.35
"""Below this similarity an operator's kernel is no example for another."""

# What decides how a kernel is built weighs more than what is fused into it.
_KIND_WEIGHT = {
    "convolution": 5.0,
    "scan": 5.0,
    "sort": 5.0,
    "recurrent": 5.0,
    "contraction": 4.0,
    "softmax": 4.0,
    "norm": 4.0,
    "pool": 4.0,
    "reduction": 3.0,
    "index": 3.0,
    "loss": 3.0,
    "other": 2.0,
    "movement": 0.5,
}
_HEAVY = "mm bmm convolution cumsum cumprod sort topk index gather scatter embedding"
_REDUCING = "sum mean amax amin var_mean var prod argmax argmin linalg_vector_norm"


def structure(one: OperatorFeatures, other: OperatorFeatures) -> float:
    """Similarity from 0 to 1 of kinds of operations, their primitives and reduced axes; 0 where unknown."""
    if one.unknown or other.unknown:
        return 0.0
    parts = [
        (0.45, _overlap(one.kinds, other.kinds, lambda kind: _KIND_WEIGHT.get(kind, 1.0))),
        (0.35, _overlap(one.primitives, other.primitives, _primitive_weight)),
    ]
    if one.reductions or other.reductions:
        exact = _overlap(one.reductions, other.reductions, lambda _: 1.0)
        axes = _overlap(_axes(one.reductions), _axes(other.reductions), lambda _: 1.0)
        parts.append((0.2, 0.5 * exact + 0.5 * axes))
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def same_graph(one: OperatorFeatures, other: OperatorFeatures) -> bool:
    """Whether two operators consist of the same primitives over the same axes, of any size; False where unknown."""
    if one.unknown or other.unknown or not one.primitives:
        return False
    return one.primitives == other.primitives and _reduced(one) == _reduced(other)


def _reduced(one: OperatorFeatures) -> Counter[str]:
    """Reductions by primitive and axes, without how long these are, which their names end with."""
    found: Counter[str] = Counter()
    for name, count in one.reductions.items():
        found[name.rpartition(" ")[0]] += count
    return found


def likeness(one: OperatorFeatures, other: OperatorFeatures) -> float:
    """`structure`, lowered by at most 15 % for other dtypes, another roofline limit, and other sizes."""
    types = len({*one.dtypes} & {*other.dtypes}) / max(1, len({*one.dtypes} | {*other.dtypes}))
    limit = float(one.intensity == other.intensity)
    decades = abs(math.log10(max(1.0, one.bytes)) - math.log10(max(1.0, other.bytes)))
    context = 0.4 * types + 0.3 * limit + 0.3 * max(0.0, 1.0 - decades / 4)
    return structure(one, other) * (0.85 + 0.15 * context)


def _overlap(one: Mapping[str, int], other: Mapping[str, int], weight: Callable[[str], float]) -> float:
    """Weighted Jaccard index of counts, on a logarithmic scale: the second of a kind counts less than the first."""
    names = {*one, *other}
    pairs = [(weight(n), math.log2(1 + one.get(n, 0)), math.log2(1 + other.get(n, 0))) for n in names]
    union = sum(w * max(a, b) for w, a, b in pairs)
    return sum(w * min(a, b) for w, a, b in pairs) / union if union else 0.0


def _primitive_weight(name: str) -> float:
    if name in _HEAVY.split() or "attention" in name or "pool" in name:
        return 4.0
    return 2.0 if name in _REDUCING.split() else 1.0


def _axes(reductions: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in reductions.items():
        axes = name.partition(" ")[2]
        found[axes] = found.get(axes, 0) + count
    return found
