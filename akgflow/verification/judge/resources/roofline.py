"""The least time that an operator can take on a target, from its work and the target's facts. Judge only.

Two things are counted on one draw of a case. *Bytes*: the outputs once, and of inputs and parameters those sectors of
32 bytes that the outputs depend on, as their gradient shows (a lookup reads the rows that it selects, a slice what it
keeps). *Operations*: those of contractions, as the framework does them.

The reported floor is the roofline of Williams, Waterman and Patterson (CACM 52(4), 2009): operations at the target's
rate for the operator's type and precision contract (`peaks`), bytes at its bandwidth. Only an impossible time is
refused: one in which bytes that the caches cannot have held do not pass, even where memory is clocked a little higher
than the facts say; or, only for a single dense contraction, one in which half of its operations (Strassen's method
needs fewer than all) do not fit at the target's fastest rate for any type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from akgflow.precision import Operands
from akgflow.terms import Status
from akgflow.verdict import Roofline, Timing
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.resources.peaks import above, peak
from akgflow.verification.judge.timing.windows.window import cache_bytes
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tracing.narrowing import CONVOLUTIONS
from akgflow.verification.reference.tracing.op_count import Tracer, flops_of
from akgflow.verification.shared import dtypes, memory, op_classes
from akgflow.verification.shared.memory import map_tensors

SECTOR = 32
"""Bytes of the smallest transfer from memory (a sector of NVIDIA's L2 cache)."""
PREPARED = "possible where weights were made smaller, or multiplied with each other, before the call"
"""Why a call may take less than the operator's work does."""
SLACK = 0.8
"""Devices of one name differ: an H100 NVL has a sixth more bandwidth than an H100 SXM."""


@dataclass(frozen=True)
class Load:
    """What one call must do: operations, and bytes.

    ``varying`` bytes differ from call to call, ``constant`` ones do not.
    ``dense`` is true for a single contraction of dense operands; ``dtype`` is the type of the first output.
    """

    flops: float
    varying: float
    constant: float
    dense: bool
    dtype: torch.dtype
    convolved: float = 0.0
    """Those of the operations that are convolutions'."""

    @property
    def bytes(self) -> float:
        """All that one call touches."""
        return self.varying + self.constant


class _Contractions(Tracer):
    """Counts operations of what multiplies, and how many other operators compute."""

    def __init__(self) -> None:
        super().__init__()
        self.flops, self.convolved, self.contractions, self.others = 0.0, 0.0, 0, 0

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        flops = flops_of(func, args, kwargs, result)
        if flops is not None:
            self.flops += flops
            self.convolved += flops if op_classes.base(func._schema.name) in CONVOLUTIONS else 0.0
            self.contractions += 1
        elif not func.is_view and func.overloadpacket is not torch.ops.aten.copy_:
            # Copying is how a model's state is set before a call.
            self.others += 1


def load(reference: Reference) -> Load:
    """What one call on a prepared case must do."""
    draw = reference.draws[0]
    copied = memory.copied(draw.inputs)
    with _Contractions() as seen:
        result = reference.framework_runner.run(copied)
    # An input that is changed and given back is written once.
    given_back = memory.storages(result)
    inputs = list(memory.tensors(copied))
    changed = [inputs[i] for i in draw.effects.inputs if not memory.storages(inputs[i]) & given_back]
    given, state = _needed(reference)
    out = sum(one.numel() * one.element_size() for one in [*(e.framework for e in draw.expected), *changed])
    plain = all(invariant.plain for invariant in reference.invariants)
    dense = seen.contractions == 1 and seen.others == 0 and plain
    given += sum(one.numel() * one.element_size() for one in _upstream(reference))
    return Load(seen.flops, given + out, state, dense, draw.outcome[0].framework.dtype, seen.convolved)


def _upstream(reference: Reference) -> list[torch.Tensor]:
    """The upstream gradients of a call; none where no gradients are asked for. Forward alone needs none of them."""
    wanted = reference.case.wanted
    return [] if wanted is None else reference.draws[0].inputs[-1]


def _needed(reference: Reference) -> tuple[float, float]:
    """Bytes of inputs and of parameters that the outputs depend on; none where there is no gradient to show it."""
    placed = reference.draws[0].layout.placed
    rows = [_leaf(memory.row(one)) for one in placed]
    pairs = list(zip(rows, placed, strict=True))
    # Gradients of 8-bit floats are taken at a wider dtype, before the conversion.
    typed = [row.to(one.tensor.dtype) if row.requires_grad else row for row, one in pairs]
    views = iter(
        [row.as_strided(one.tensor.shape, one.tensor.stride()) for row, (_, one) in zip(typed, pairs, strict=True)]
    )
    state = {name: _leaf(tensor) for name, tensor in reference.state.items()}
    leaves = [t for t in (*rows, *state.values()) if t.requires_grad]
    try:
        with torch.enable_grad():
            # An operator may change its inputs in place, which a leaf does not allow.
            made = map_tensors(reference.draws[0].inputs, lambda _: next(views).clone())
            made = made[:-1] if _upstream(reference) else made
            result = torch.func.functional_call(reference.framework_runner.model, state, made)
            outputs = [t for t in memory.tensors(result) if t.requires_grad]
            weights = [torch.rand_like(t) + 0.5 for t in outputs]
            found = torch.autograd.grad(outputs, leaves, weights, allow_unused=True)
        found = {id(leaf): grad for leaf, grad in zip(leaves, found, strict=True) if grad is not None}
    except Exception:
        return 0.0, 0.0
    given = [_touched(found.get(id(row)), one.tensor.element_size()) for row, one in pairs]
    constant = [_touched(found.get(id(state[name])), reference.state[name].element_size()) for name in state]
    return sum(given), sum(constant)


def _leaf(tensor: torch.Tensor) -> torch.Tensor:
    narrow = tensor.dtype not in dtypes.COMPUTED and tensor.is_floating_point() and tensor.dtype != dtypes.FLOAT4
    found = tensor.detach().float() if narrow else tensor.detach().clone()
    return found.requires_grad_(found.dtype in dtypes.COMPUTED or found.is_complex())


def _touched(grad: torch.Tensor | None, element_size: int) -> float:
    """Bytes of the sectors in which some element counts, of elements of so many bytes; none without a gradient."""
    if grad is None:
        return 0.0
    per = max(1, SECTOR // element_size)
    counts = grad.contiguous().flatten() != 0
    padded = torch.nn.functional.pad(counts, (0, -counts.numel() % per))
    return float(padded.view(-1, per).any(1).sum()) * SECTOR


def caches(facts: Mapping[str, Any], device: str) -> int:
    """Bytes that the caches of a target hold at most, by its facts and by what the device says."""
    by_facts = _number(facts, "l2_mib") + _number(facts, "llc_mib")
    return max(int(by_facts * (1 << 20)), cache_bytes(device))


def with_roofline(
    reference: Reference, facts: Mapping[str, Any], timings: Sequence[Timing], calls: int
) -> list[Timing]:
    """The timings of a case with their rooflines; raises `CandidateFailed` for a time that is not possible."""
    if not timings or not _number(facts, "hbm_gbps"):
        return list(timings)
    if reference.draws[0].in_place:
        # What of such inputs is read, no gradient shows: that takes several times their memory.
        out = sum(one.numel() * one.element_size() for one in reference.draws[0].forms)
        least = Load(0.0, out, 0.0, False, reference.draws[0].forms[0].dtype)
        require_possible(least, facts, caches(facts, reference.device), calls, timings[0].seconds)
        return list(timings)
    work = load(reference)
    prepares = reference.case.prepare is not None
    # Prepared weights may be smaller than the operator's, and products of weights may have been taken before.
    least = replace(work, constant=0.0, dense=False) if prepares else work
    require_possible(least, facts, caches(facts, reference.device), calls, timings[0].seconds)
    allowed = reference.contract.allowed
    found = [(one, roofline(work, facts, one.seconds, allowed)) for one in timings]
    return [replace(one, roofline=_prepared(floor) if prepares else floor) for one, floor in found]


def _prepared(found: Roofline | None) -> Roofline | None:
    """How a time below the floor is possible where weights are prepared."""
    return replace(found, note=found.note and PREPARED) if found is not None else None


def roofline(
    work: Load,
    facts: Mapping[str, Any],
    seconds: float,
    allowed: Operands = Operands(),  # noqa: B008
) -> Roofline | None:
    """The usual roofline for a call that took ``seconds``; None where the facts give no bandwidth or no rate."""
    bandwidth = _number(facts, "hbm_gbps") * 1e9
    product, convolution = (peak(facts, work.dtype, form) for form in allowed)
    if not bandwidth or (work.flops and not product):
        return None
    memory_seconds = work.bytes / bandwidth
    compute_seconds = 0.0
    if work.flops:
        compute_seconds = (work.flops - work.convolved) / product + work.convolved / convolution
    floor = max(memory_seconds, compute_seconds)
    limit = "compute" if compute_seconds > memory_seconds else "memory"
    form = allowed.convolution if work.convolved > work.flops / 2 else allowed.product
    note = above(limit, form) if floor > seconds else ""
    return Roofline(floor, work.flops, work.bytes, limit, floor / seconds, note)


def require_possible(work: Load, facts: Mapping[str, Any], cache_bytes: int, calls: int, seconds: float) -> None:
    """Raise `CandidateFailed` when ``seconds`` a call, in windows of ``calls``, are fewer than the target can take."""
    bandwidth = _number(facts, "hbm_gbps") * 1e9
    # Caches may hold what was written before the first call and what is written last, and parameters all along.
    constant = work.constant if work.constant > cache_bytes else 0.0
    passing = work.varying + constant - 2 * cache_bytes / max(1, calls)
    if bandwidth and seconds < SLACK * passing / bandwidth:
        raise CandidateFailed(
            Status.REFUSED,
            f"a call seems to take {seconds * 1e6:.3g} µs, and moving the {passing / 1e6:.4g} MB that it needs takes "
            f"{passing / bandwidth * 1e6:.3g} µs at {bandwidth / 1e9:g} GB/s",
        )
    rates = facts.get("tflops")
    fastest = max(map(float, rates.values()), default=0.0) * 1e12 if isinstance(rates, Mapping) else 0.0
    if work.dense and fastest and seconds < work.flops / 2 / fastest:
        raise CandidateFailed(
            Status.REFUSED,
            f"a call seems to take {seconds * 1e6:.3g} µs, and half of its {work.flops / 1e9:.4g} GFLOP take at least "
            f"{work.flops / 2 / fastest * 1e6:.3g} µs at the target's fastest rate ({fastest / 1e12:g} TFLOP/s)",
        )


def _number(facts: Mapping[str, Any], name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0
