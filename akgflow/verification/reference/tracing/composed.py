"""Operations of the framework that are made of others, taken apart so that errors can be put between the parts.

Their backward operators are among them. Each takes the arguments of the ATen operator by their names and gives what it
gives. torch's own decompositions would do, but they import its compiler, which takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Arguments = Mapping[str, Any]


def _softmax(of: Arguments) -> Tensor:
    weights = torch.exp(of["self"] - of["self"].amax(of["dim"], keepdim=True))
    return weights / weights.sum(of["dim"], keepdim=True)


def _safe_softmax(of: Arguments) -> Tensor:
    hidden = torch.isneginf(of["self"]).all(of["dim"], keepdim=True)
    return torch.where(hidden, 0.0, _softmax(of))


def _log_softmax(of: Arguments) -> Tensor:
    shifted = of["self"] - of["self"].amax(of["dim"], keepdim=True)
    return shifted - torch.exp(shifted).sum(of["dim"], keepdim=True).log()


def _logsumexp(of: Arguments) -> Tensor:
    given, dims = of["self"], of["dim"]
    most = given.amax(dims, keepdim=True)
    most = torch.where(torch.isinf(most), 0.0, most)
    total = torch.exp(given - most).sum(dims, keepdim=True).log() + most
    return total if of["keepdim"] else total.squeeze(dims)


def _scaled(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    values = values if weight is None else values * weight
    return values if bias is None else values + bias


def _layer_norm(of: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    given = of["input"]
    dims = list(range(given.dim() - len(of["normalized_shape"]), given.dim()))
    square, mean = torch.var_mean(given, dims, correction=0, keepdim=True)
    root = torch.rsqrt(square + of["eps"])
    return _scaled((given - mean) * root, of["weight"], of["bias"]), mean, root


def _rms_norm(of: Arguments) -> tuple[Tensor, Tensor]:
    given, eps = of["input"], of["eps"]
    dims = list(range(given.dim() - len(of["normalized_shape"]), given.dim()))
    square = (given * given).mean(dims, keepdim=True)
    root = torch.rsqrt(square + (torch.finfo(given.dtype).eps if eps is None else eps))
    return _scaled(given * root, of["weight"], None), root


def _group_norm(of: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    given, groups = of["input"], of["group"]
    rows = given.reshape(of["N"], groups, -1)
    square, mean = torch.var_mean(rows, [2], correction=0, keepdim=True)
    root = torch.rsqrt(square + of["eps"])
    values = ((rows - mean) * root).reshape(given.shape)
    shape = [1, of["C"], *[1] * (given.dim() - 2)]
    parts = (None if one is None else one.reshape(shape) for one in (of["weight"], of["bias"]))
    return _scaled(values, *parts), mean.squeeze(2), root.squeeze(2)


def _batch_norm(of: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    given: Tensor = of["input"]
    means, squares = of.get("running_mean"), of.get("running_var")
    shape, eps = [1, -1, *[1] * (given.dim() - 2)], of["eps"]
    if not of.get("training", False):
        mean, root = of["running_mean"], torch.rsqrt(of["running_var"] + eps)
        kept = given.new_empty(0), given.new_empty(0)
    else:
        dims = [d for d in range(given.dim()) if d != 1]
        square, mean = torch.var_mean(given, dims, correction=0)
        root, step = torch.rsqrt(square + eps), of["momentum"]
        kept = mean, root
        if means is not None and squares is not None:
            count = given.numel() / given.shape[1]
            means.copy_(means * (1 - step) + step * mean)
            squares.copy_(squares * (1 - step) + step * square * (count / (count - 1)))
    values = (given - mean.reshape(shape)) * root.reshape(shape)
    parts = (None if one is None else one.reshape(shape) for one in (of["weight"], of["bias"]))
    return (_scaled(values, *parts), *kept)


def _attention(of: Arguments) -> tuple[Tensor, Tensor]:
    query, key, value, mask = of["query"], of["key"], of["value"], of["attn_mask"]
    # Several heads of queries may share one of keys and values.
    shared = query.shape[-3] // key.shape[-3]
    key, value = (one if shared == 1 else one.repeat_interleave(shared, -3) for one in (key, value))
    scale = of["scale"] if of["scale"] is not None else 1 / math.sqrt(query.shape[-1])
    scores = torch.matmul(query * scale, key.mT)
    if of["is_causal"]:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    scores = scores if mask is None else scores + mask
    weights = _safe_softmax({"self": scores, "dim": -1})
    return torch.matmul(weights, value), torch.logsumexp(scores, -1)


def _reduced(values: Tensor, reduction: int) -> Tensor:
    return (values, values.mean(), values.sum())[reduction] if reduction != 0 else values


def _negative_log_likelihood(of: Arguments) -> tuple[Tensor, Tensor]:
    given, target, weight = of["self"], of["target"], of["weight"]
    dim = 1 if given.dim() > 1 else 0
    counts = target != of["ignore_index"]
    place = torch.where(counts, target, 0)
    weights = counts.to(given.dtype) if weight is None else torch.where(counts, weight[place], 0.0)
    picked = given.gather(dim, place.unsqueeze(dim)).squeeze(dim)
    losses = torch.where(counts, -picked * weights if weight is not None else -picked, 0.0)
    total = weights.sum()
    if of["reduction"] == 0:
        return losses, total
    return losses.sum() / total if of["reduction"] == 1 else losses.sum(), total


def _huber(of: Arguments) -> Tensor:
    apart, delta = (of["self"] - of["target"]).abs(), of["delta"]
    return _reduced(torch.where(apart < delta, 0.5 * apart * apart, delta * (apart - 0.5 * delta)), of["reduction"])


def _smooth_l1(of: Arguments) -> Tensor:
    apart, beta = (of["self"] - of["target"]).abs(), of["beta"]
    near = 0.5 * apart * apart / beta if beta else apart
    return _reduced(torch.where(apart < beta, near, apart - 0.5 * beta), of["reduction"])


def _squares(of: Arguments) -> Tensor:
    apart = of["self"] - of["target"]
    return _reduced(apart * apart, of["reduction"])


def _soft_margin(of: Arguments) -> Tensor:
    return _reduced(torch.log1p(torch.exp(-of["self"] * of["target"])), of["reduction"])


def _binary_cross_entropy(of: Arguments) -> Tensor:
    given, target = of["self"], of["target"]
    losses = (target - 1) * torch.log1p(-given).clamp(min=-100) - target * torch.log(given).clamp(min=-100)
    return _reduced(losses if of["weight"] is None else losses * of["weight"], of["reduction"])


def _binary_cross_entropy_with_logits(of: Arguments) -> Tensor:
    given, target, weight, positive = of["self"], of["target"], of["weight"], of["pos_weight"]
    soft = torch.log1p(torch.exp(-given.abs())) + torch.relu(-given)
    soft = soft if positive is None else soft * ((positive - 1) * target + 1)
    losses = (1 - target) * given + soft
    return _reduced(losses if weight is None else losses * weight, of["reduction"])


def _softmax_backward(of: Arguments) -> Tensor:
    weighted = of["grad_output"] * of["output"]
    return weighted - of["output"] * weighted.sum(of["dim"], keepdim=True)


def _log_softmax_backward(of: Arguments) -> Tensor:
    given = of["grad_output"]
    return given - torch.exp(of["output"]) * given.sum(of["dim"], keepdim=True)


def _layer_norm_backward(of: Arguments) -> tuple[Tensor | None, ...]:
    given, upstream, weight = of["input"], of["grad_out"], of["weight"]
    first = given.dim() - len(of["normalized_shape"])
    rows, dims = list(range(first)), list(range(first, given.dim()))
    values, scaled = (given - of["mean"]) * of["rstd"], upstream if weight is None else upstream * weight
    apart = scaled - scaled.mean(dims, keepdim=True) - values * (scaled * values).mean(dims, keepdim=True)
    sums = (_over(upstream * values, rows), _over(upstream, rows))
    return _masked(of, of["rstd"] * apart, *sums)


def _group_norm_backward(of: Arguments) -> tuple[Tensor | None, ...]:
    given, groups, weight = of["input"], of["group"], of["weight"]
    shape, rows = [of["N"], of["C"], -1], [of["N"], groups, -1]
    mean, root = (one.reshape(of["N"], groups, 1) for one in (of["mean"], of["rstd"]))
    upstream = of["grad_out"].reshape(shape)
    values = (given.reshape(rows) - mean) * root
    scaled = (upstream if weight is None else upstream * weight.reshape(1, -1, 1)).reshape(rows)
    apart = scaled - scaled.mean(2, keepdim=True) - values * (scaled * values).mean(2, keepdim=True)
    sums = (_over(upstream * values.reshape(shape), [0, 2]), _over(upstream, [0, 2]))
    return _masked(of, (root * apart).reshape(given.shape), *sums)


def _batch_norm_backward(of: Arguments) -> tuple[Tensor | None, ...]:
    given, upstream, weight = of["input"], of["grad_out"], of["weight"]
    shape, dims = [1, -1, *[1] * (given.dim() - 2)], [d for d in range(given.dim()) if d != 1]
    if of["train"]:
        mean, root = of["save_mean"], of["save_invstd"]
    else:
        mean, root = of["running_mean"], torch.rsqrt(of["running_var"] + of["eps"])
    values = (given - mean.reshape(shape)) * root.reshape(shape)
    apart = scaled = upstream if weight is None else upstream * weight.reshape(shape)
    if of["train"]:
        apart = scaled - scaled.mean(dims, keepdim=True) - values * (scaled * values).mean(dims, keepdim=True)
    return _masked(of, root.reshape(shape) * apart, _over(upstream * values, dims), _over(upstream, dims))


def _over(values: Tensor, dims: list[int]) -> Tensor:
    return values.sum(dims) if dims else values


def _masked(of: Arguments, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    """Those gradients that are wanted."""
    return tuple(one if wanted else None for one, wanted in zip(gradients, of["output_mask"], strict=True))


def _negative_log_likelihood_backward(of: Arguments) -> Tensor:
    given, target, weight = of["self"], of["target"], of["weight"]
    dim = 1 if given.dim() > 1 else 0
    counts = target != of["ignore_index"]
    place = torch.where(counts, target, 0)
    upstream = of["grad_output"] / of["total_weight"] if of["reduction"] == 1 else of["grad_output"]
    upstream = -upstream if weight is None else -upstream * weight[place]
    chosen = torch.where(counts, upstream, 0.0).unsqueeze(dim)
    return torch.zeros_like(given).scatter(dim, place.unsqueeze(dim), chosen)


def _embedding_backward(of: Arguments) -> Tensor:
    upstream, places = of["grad_output"], of["indices"].reshape(-1)
    rows = upstream.reshape(places.numel(), -1)
    if of["scale_grad_by_freq"]:
        rows = rows / torch.bincount(places, minlength=of["num_weights"])[places].unsqueeze(1).to(rows.dtype)
    rows = torch.where((places != of["padding_idx"]).unsqueeze(1), rows, 0.0)
    return torch.zeros(of["num_weights"], rows.shape[1], dtype=rows.dtype, device=rows.device).index_add(
        0, places, rows
    )


def _attention_backward(of: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value, mask, upstream = of["query"], of["key"], of["value"], of["attn_mask"], of["grad_out"]
    shared = query.shape[-3] // key.shape[-3]
    many = [one if shared == 1 else one.repeat_interleave(shared, -3) for one in (key, value)]
    scale = of["scale"] if of["scale"] is not None else 1 / math.sqrt(query.shape[-1])
    scores = torch.matmul(query * scale, many[0].mT)
    if of["is_causal"]:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    scores = scores if mask is None else scores + mask
    weights = _safe_softmax({"self": scores, "dim": -1})
    moved = torch.matmul(upstream, many[1].mT)
    apart = weights * (moved - (upstream * of["out"]).sum(-1, keepdim=True))
    of_key, of_value = torch.matmul(apart.mT, query) * scale, torch.matmul(weights.mT, upstream)
    if shared != 1:
        of_key, of_value = (one.unflatten(-3, (-1, shared)).sum(-3) for one in (of_key, of_value))
    return torch.matmul(apart, many[0]) * scale, of_key, of_value


COMPOSED: dict[str, Callable[[Arguments], Any]] = {
    "_softmax": _softmax,
    "_safe_softmax": _safe_softmax,
    "_log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _rms_norm,
    "native_group_norm": _group_norm,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "nll_loss_forward": _negative_log_likelihood,
    "nll_loss2d_forward": _negative_log_likelihood,
    "huber_loss": _huber,
    "smooth_l1_loss": _smooth_l1,
    "mse_loss": _squares,
    "soft_margin_loss": _soft_margin,
    "binary_cross_entropy": _binary_cross_entropy,
    "binary_cross_entropy_with_logits": _binary_cross_entropy_with_logits,
    "_softmax_backward_data": _softmax_backward,
    "_log_softmax_backward_data": _log_softmax_backward,
    "native_layer_norm_backward": _layer_norm_backward,
    "native_group_norm_backward": _group_norm_backward,
    "native_batch_norm_backward": _batch_norm_backward,
    "nll_loss_backward": _negative_log_likelihood_backward,
    "nll_loss2d_backward": _negative_log_likelihood_backward,
    "embedding_dense_backward": _embedding_backward,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _attention_backward,
}
"""By the base of the operator's name."""
