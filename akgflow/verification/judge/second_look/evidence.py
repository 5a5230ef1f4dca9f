"""A wrong answer as values that travel: inputs, parameters and what the outputs must be, as small as they are."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from akgflow.operators.shapes.dimensions import pinned
from akgflow.operators.text import parts_of
from akgflow.reproduction import Array, Failing, Inputs, Required
from akgflow.terms import Evidence
from akgflow.verdict import CaseResult
from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.error_patterns import NARROWER
from akgflow.verification.reference.inputs import Draw
from akgflow.verification.reference.operator import RESERVED, OperatorError
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tolerance import Expected
from akgflow.verification.reference.tracing.runner import Runner
from akgflow.verification.shared import dtypes, memory

MOST_BYTES = 4 << 20
"""Of all arrays together, compressed: a file that people open."""
MOST_BOUNDS = 1 << 16
"""Elements of an output up to which each one's bound is given; beyond, that of the worst element alone."""


class Drawn(NamedTuple):
    """Inputs that a candidate was asked with; ``seed`` gives them again where the operator itself drew them."""

    draw: Draw
    seed: int | None


class TooMuch(Exception):
    """The failing inputs take more than a file should hold; the text says how much."""


def failing(
    reference: Reference, text: str, asked: Sequence[Drawn], calls: Sequence[int], result: CaseResult, found: Evidence
) -> Failing:
    """What shows again that ``result`` is of the last of ``calls``, numbers in ``asked``. Raises `TooMuch`."""
    last = asked[calls[-1]].draw
    case = reference.case
    made = Failing(
        operator=pinned(text, case.globals),
        keys={name: value for name, value in case.keys.items() if name not in (*RESERVED, *case.globals)},
        device=reference.device,
        dtype=None if case.dtype is None else memory.dtype_name(case.dtype),
        evidence=found,
        mode=parts_of(text).mode,
        init_seed=case.seed,
        inputs=tuple(_inputs(reference, one) for one in asked),
        calls=tuple(calls),
        state={name: array(tensor) for name, tensor in reference.state.items()},
        changed_inputs=last.effects.inputs,
        changed_buffers=last.effects.buffers,
        required=tuple(_required(reference, last, result)),
        shapes=tuple(f"{memory.dtype_name(one.dtype)} {list(one.shape)}" for one in memory.tensors(last.inputs)),
        result=result,
    )
    size = sum(len(one.data) for one in _arrays(made))
    if size > MOST_BYTES:
        raise TooMuch(f"what fails takes {size >> 20} MiB, and a file should hold {MOST_BYTES >> 20} at most")
    return made


def array(tensor: torch.Tensor) -> Array:
    """A tensor as text."""
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    data = base64.b64encode(zlib.compress(flat, 9)).decode()
    return Array(memory.dtype_name(tensor.dtype), tuple(tensor.shape), tuple(tensor.stride()), data)


def _arrays(made: Failing) -> list[Array]:
    arrays = [*made.state.values(), *(one for each in made.inputs for one in each.replaced.values())]
    for one in made.required:
        arrays += [part for part in (one.bound, one.expected, one.usual) if part is not None]
    return arrays


def _inputs(reference: Reference, asked: Drawn) -> Inputs:
    """What the operator draws under the seed is made again; the rest is given."""
    seed = 0 if asked.seed is None else asked.seed
    own = list(memory.tensors(drawing.draw(reference.case, reference.device, seed)))
    given = list(memory.tensors(asked.draw.inputs))
    known = own if len(own) == len(given) else [None] * len(given)
    replaced = {
        number: array(tensor)
        for number, (tensor, other) in enumerate(zip(given, known, strict=True))
        if other is None or not _same(tensor, other)
    }
    return Inputs(asked.draw.distribution, seed, replaced)


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    forms = ((t.shape, t.stride(), t.dtype) for t in (one, other))
    return len(set(forms)) == 1 and memory.same_bits(one, other)


def _required(reference: Reference, draw: Draw, result: CaseResult) -> list[Required]:
    plain = _is_plain(reference, draw)
    buffers = [f"buffer {name} after the call" for name in draw.effects.buffers]
    names = [name for name, _ in draw.named] + buffers
    worst = result.worst
    found = []
    for number, (name, one) in enumerate(zip(names, draw.outcome, strict=True)):
        index = worst.index if worst is not None and worst.output == number else None
        found.append(_of_one(name, one, index, plain, result))
    return found


def _of_one(name: str, one: Expected, worst: tuple[int, ...] | None, plain: bool, result: CaseResult) -> Required:
    oracle = one.oracle if one.bound is None else torch.where(torch.isfinite(one.oracle), one.oracle, _framework(one))
    bound = one.slack if one.bound is None else one.bound * _factor(one, worst, result)
    some = oracle.numel() > MOST_BOUNDS
    if some and worst is None:
        return Required(name, None, places=())
    places = (int(np.ravel_multi_index(worst, oracle.shape)),) if some and worst is not None and worst else None
    picked = [None if t is None else t.flatten()[list(places)] if places else t for t in (bound, oracle)]
    together = places is None and one.bound is not None and one.framework.dtype != dtypes.FLOAT4
    return Required(
        name,
        None if picked[0] is None else array(picked[0].double()),
        None if plain else array(dtypes.parts(picked[1]).double()),
        places,
        bias=one.bias if together and math.isfinite(one.bias) else None,
        usual=array(one.usual.double()) if together and one.usual is not None else None,
        scatter=one.scatter if together and math.isfinite(one.scatter) else None,
        zero_bits=_zero_bits(name, one, result),
    )


def _zero_bits(name: str, one: Expected, result: CaseResult) -> int | None:
    formats = NARROWER.get(dtypes.parts(one.framework).dtype, {})
    said = f"{name}: no element is beyond its bound, but every value is a {{}} number"
    return next((count for form, count in formats.items() if result.detail.startswith(said.format(form))), None)


def _framework(one: Expected) -> torch.Tensor:
    return dtypes.as_float64(one.framework)


def _factor(one: Expected, worst: tuple[int, ...] | None, result: CaseResult) -> float:
    """The task's tolerance, as the bound at the worst element has it."""
    if one.bound is None or worst is None or not result.bound:
        return 1.0
    own = float(one.bound[worst])
    return result.bound / own if own > 0 else 1.0


def _is_plain(reference: Reference, draw: Draw) -> bool:
    """True when the operator run in float64 gives what the judge expects, without anything of the judge's."""
    oracle = reference.oracle.runner
    runner = Runner(oracle.model, oracle.state, oracle.where)
    runner.effects = draw.effects
    try:
        found = runner.outcome(dtypes.widen(memory.copied(draw.inputs)))
    except OperatorError:
        return False
    if [one.shape for one in found] != [one.framework.shape for one in draw.outcome]:
        return False
    return all(_near(got, one) for got, one in zip(found, draw.outcome, strict=True))


def _near(got: torch.Tensor, one: Expected) -> bool:
    values = dtypes.as_float64(got)
    exact = torch.where(torch.isfinite(one.oracle), one.oracle, _framework(one)).double()
    allowed = 0.0 if one.bound is None else one.bound / 16
    special = torch.isnan(values) & torch.isnan(exact) | (values == exact)
    return bool((special | ((values - exact).abs() <= allowed)).all())
