"""Shapes between the stated ones, drawn in secret: neither a prompt nor a choice among kernels has seen them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import permutations

from akgflow.config.types import Scalar
from akgflow.operators.shapes.guarantee import NOTHING, Guarantee, SizeRange
from akgflow.verdict import JudgeRequest
from akgflow.verification.judge.second_look.shapes import forgotten, form_of
from akgflow.verification.reference.operator import OperatorError, make_case

Case = Mapping[str, Scalar]
TRIES = 8
"""Draws for each shape: the operator may not run with all of them."""
NEAREST = 0.15
"""How near to a stated shape a drawn one may be, as a share of the way to another."""

_secret = random.SystemRandom()


def unseen(request: JudgeRequest) -> tuple[Case, ...]:
    """As many cases as are asked for, with which the operator runs; fewer or none where there are no more."""
    found: list[Case] = []
    with forgotten():
        for _ in range(request.unseen * TRIES):
            if len(found) == request.unseen:
                break
            case = between(request.cases, request.shapes)
            if case is not None and case not in (*request.cases, *found) and _runs(request, case):
                found.append(case)
    return tuple(found)


def between(cases: Sequence[Case], shapes: Guarantee = NOTHING) -> Case | None:
    """A case on the way from one to another, by the logarithms of their sizes; None where no two differ in sizes alone.

    So it is no larger than the larger one. A size keeps the divisor that it has in all cases, or that is guaranteed.
    """
    pairs = [(one, other) for one, other in permutations(cases, 2) if _apart(one, other)]
    if not pairs:
        return None
    one, other = _secret.choice(pairs)
    way = _secret.uniform(NEAREST, 1 - NEAREST)
    found = dict(one)
    for name in _apart(one, other):
        first, last = int(one[name]), int(other[name])
        held = shapes.sizes.get(name) or SizeRange(multiple=_divisor([case.get(name) for case in cases]))
        size = round(math.exp((1 - way) * math.log(first) + way * math.log(last)))
        found[name] = max(size - size % held.multiple, min(first, last))
    return found


def _apart(one: Case, other: Case) -> list[str]:
    """The sizes in which two cases differ; none where they differ in something else, too."""
    names = [name for name in one if one[name] != other.get(name)]
    sizes = [name for name in names if all(type(case.get(name)) is int and case[name] > 0 for case in (one, other))]  # type: ignore[operator]
    return sizes if one.keys() == other.keys() and sizes == names else []


def _divisor(values: Sequence[Scalar | None]) -> int:
    return reduce(math.gcd, (value for value in values if type(value) is int), 0) or 1


def _runs(request: JudgeRequest, case: Case) -> bool:
    try:
        form_of(make_case(request.operator, request.operator_file, case, request.dtype, 0))
    except OperatorError:
        return False
    return True
