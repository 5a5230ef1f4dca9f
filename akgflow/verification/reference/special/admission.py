"""Which inputs an operator admits: those on which its answers are as finite as on its own, and rounding is all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from akgflow.verification.reference.distributions import CLUSTERED, ENLARGED, NORMAL, selects
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.operator import OperatorError, seeded
from akgflow.verification.reference.oracle import STEP, Oracle
from akgflow.verification.reference.output_form import same_form
from akgflow.verification.reference.special.equals import order_matters
from akgflow.verification.reference.special.overwriting import Overwriting
from akgflow.verification.reference.special.structures import Kind, Role, Structure, structures_for
from akgflow.verification.reference.tolerance import Expected
from akgflow.verification.reference.tracing.runner import Runner
from akgflow.verification.shared import dtypes, memory

HEAVY = 10.0
"""The largest of narrowed operands' errors over the usual one, above which few elements err by all that they can."""
NOT_ROUNDOFF = 32.0
"""The framework's error over what sound kernels' roundoff may come to, above which it is no roundoff."""
PAIRS_OF_MOVES, FAR_OFF = 10, 128.0
"""How often inputs are moved against each other both ways, and how many moves no answer follows that is decided."""
MOST_FOLLOWED = 0.25
"""Of the answers' own size: what is that far off is another answer, however large the moves are."""
_SPECIAL = (torch.isnan, torch.isposinf, torch.isneginf)


def computes(framework: Runner, made: tuple[Any, ...], first: Draw) -> bool:
    """True when the framework's results are as finite as those of the operator's own inputs."""
    outcome = framework.outcome(memory.copied(made))
    pairs = zip(outcome, first.outcome, strict=False)
    return all(_admitted(tensor, expected.framework) for tensor, expected in pairs)


def admitted(
    kinds: Sequence[Kind], make: Callable[[], tuple[Any, ...]], framework: Runner, first: Draw
) -> list[Structure]:
    """The structures of inputs that the operator admits, each name and role once; ``make`` draws its own inputs.

    The framework's results are as finite as on these, and follow from no order of writes to the same place.
    """
    found: dict[tuple[str, Role], Structure] = {}
    for one in structures_for(kinds):
        if (one.name, one.role) in found:
            continue
        writes = Overwriting()
        try:
            with writes:
                fits = computes(framework, one.of(make(), kinds), first)
        except OperatorError:
            continue
        if fits and not writes.found:
            found[one.name, one.role] = one
    return list(found.values())


def well_conditioned(oracle: Oracle, found: Draw, first: Draw, distribution: str) -> bool:
    """True when values are special only where the operator's own are, and the framework's error is only rounding.

    Where the framework's kernel itself is wrong by more than rounding, the draw says nothing about a candidate. Neither
    does it where operands may be narrowed, and what large ones are rounded by decides which value is selected.
    """
    if oracle.unit and distribution in ENLARGED and selects(oracle.names):
        return False
    if found.effects != first.effects:
        return False
    for one, other in zip(found.outcome, first.outcome, strict=True):
        if one.framework.shape != other.framework.shape:
            return False
        if not _admitted(one.oracle, other.oracle) or not _admitted(one.framework, other.framework):
            return False
        if _agree(other) and not _agree(one):
            return False
        if distribution != NORMAL and (one.analytic > NOT_ROUNDOFF or one.tail > HEAVY):
            return False
    if not same_form(found.tree, first.tree):
        return False
    # An operator whose own inputs already have it so means the order that the framework gives.
    if order_matters(oracle, found.inputs, found.outcome) and not order_matters(oracle, first.inputs, first.outcome):
        return False
    if distribution == CLUSTERED and not decided(oracle, found):
        return False
    return distribution == NORMAL or oracle.steady(found.inputs, found.outcome)


def decided(oracle: Oracle, found: Draw) -> bool:
    """True when no answer within a bound hangs on which of nearly equal inputs is the largest.

    Such inputs are moved against each other a few times. What is selected by computed values may then be another
    element, in sound kernels as well; an index is judged by the value that it selects, and may be another one.
    """
    for number in range(2 * PAIRS_OF_MOVES):
        with seeded(number // 2):
            moved = oracle.with_inputs(found.inputs, partial(_moved, up=number % 2 == 0))
        for one, other in zip(found.outcome, moved, strict=False):
            if one.bound is None or other.shape != one.oracle.shape:
                continue
            apart = (dtypes.as_float64(other) - one.oracle).abs().nan_to_num(0.0, 0.0, 0.0)
            # The bound says nothing here: it was made from forwards that may have selected others, too.
            size = float(one.oracle.square().nan_to_num(0.0, 0.0, 0.0).mean().sqrt())
            if bool((apart > min(FAR_OFF * _step(one.framework.dtype), MOST_FOLLOWED) * size).any()):
                return False
    return True


def _moved(tensor: torch.Tensor, *, up: bool) -> torch.Tensor:
    """Each element a little larger or smaller; ``up`` says which of them."""
    signs = (torch.randint(0, 2, tensor.shape, device=tensor.device) * 2 - 1).to(tensor.dtype)
    step = _step(tensor.dtype)
    return tensor * (1 + (step if up else -step) * signs)


def _step(dtype: torch.dtype) -> float:
    return max(STEP, 2 * float(torch.finfo(dtype).eps))


def _agree(one: Expected) -> bool:
    """True when the oracle and the framework are finite at the same places."""
    return bool(torch.equal(torch.isfinite(one.oracle), dtypes.finite(one.framework)))


def _admitted(tensor: torch.Tensor, own: torch.Tensor) -> bool:
    """True when values are special where the operator's own are, or are of kinds that it gives in changing places."""
    if tensor.shape != own.shape:
        return False
    if bool(torch.equal(dtypes.finite(tensor), dtypes.finite(own))):
        return True
    values, others = dtypes.as_float64(tensor), dtypes.as_float64(own)
    return all(bool(kind(others).any()) or not bool(kind(values).any()) for kind in _SPECIAL)
