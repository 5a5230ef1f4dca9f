"""Operators that are judged forward and backward: which gradients there are, and which upstream ones are drawn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from akgflow.operators.arguments import invoke, split
from akgflow.operators.backward import UPSTREAM, Backward
from akgflow.verification.reference.inputs import Draw, draw, fresh_seed
from akgflow.verification.reference.operator import Case, OperatorError
from akgflow.verification.reference.oracle import Oracle
from akgflow.verification.reference.output_form import Problem, check_structure
from akgflow.verification.reference.special.admission import well_conditioned
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.gradients import GRADIENTS, OUTPUTS, Wanted

ANOTHER, EXPANDED = "other upstream gradients", "expanded upstream gradients"
"""The names of such draws' distributions."""


class _Named(NamedTuple):
    """A tensor among the arguments: its name in messages, and the parameter of ``forward`` that it came by."""

    name: str
    parameter: str


def with_gradients(case: Case, model: Any, file: str) -> Case:
    """The case with the gradients that are asked for, where they are judged; raises `OperatorError` for none."""
    if case.backward is None:
        return case
    made = draw(case, "cpu", fresh_seed())
    named = _named(model, made)
    try:
        wanted, ends = _found(model, made, named)
    except RuntimeError as error:
        hint = ": gradients of what it changes in place are not judged" if "in-place" in str(error) else ""
        raise OperatorError(f"forward of {file} cannot be differentiated{hint} ({error})") from error
    if not wanted.inputs and not wanted.parameters:
        what = "no output depends on a floating input or on a parameter that wants a gradient"
        raise OperatorError(f"gradients of {file} are asked for, and {what}")
    return replace(case, wanted=wanted, upstream=ends, overwrites=_overwritten(case.backward, named, len(ends), file))


def _found(model: Any, made: Any, named: Sequence[_Named]) -> tuple[Wanted, tuple[torch.Tensor, ...]]:
    """What gradients there are, and the outputs that they start from, without values."""
    leaves = memory.map_tensors(made, lambda t: t.clone().requires_grad_(t.dtype in dtypes.COMPUTED))
    starts = {i: one for i, one in enumerate(memory.tensors(leaves)) if one.requires_grad}
    parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}
    with torch.enable_grad():
        outputs = list(memory.tensors(invoke(model, leaves)))
    numbers = [i for i, one in enumerate(outputs) if one.requires_grad and one.is_floating_point()]
    ends, held = [outputs[i] for i in numbers], [*starts.values(), *parameters.values()]
    if not ends or not held:
        return Wanted([], [], [], []), ()
    found = torch.autograd.grad(ends, held, [torch.ones_like(one) for one in ends], allow_unused=True)
    has = [one is not None for one in found]
    inputs = [i for i, one in zip(starts, has, strict=False) if one]
    weights = [name for name, one in zip(parameters, has[len(starts) :], strict=True) if one]
    forms = tuple(one.detach().to("meta") for one in ends)
    return Wanted(inputs, [named[i].name for i in inputs], weights, numbers), forms


def _named(model: Any, made: Sequence[Any]) -> list[_Named]:
    """The tensors among the arguments, in order."""
    args, keywords = split(made)
    parameters = list(inspect.signature(model.forward).parameters.values())
    found = []
    for i, value in enumerate(args):
        one = parameters[min(i, len(parameters) - 1)]
        rest = one.kind is one.VAR_POSITIONAL
        found += [_Named(n, one.name) for n in _places(f"{one.name}[{i}]" if rest else one.name, value)]
    return found + [_Named(n, name) for name, value in keywords.items() for n in _places(name, value)]


def _places(name: str, value: Any) -> Iterator[str]:
    """The names of the tensors in an argument."""
    if isinstance(value, torch.Tensor):
        yield name
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _places(f"{name}[{number}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _places(f"{name}[{key!r}]", item)


def _overwritten(asked: Backward, named: Sequence[_Named], upstream: int, file: str) -> tuple[int, ...]:
    """The numbers of the tensors that a call may overwrite, upstream gradients behind the arguments."""
    known = [*(one.parameter for one in named), *[UPSTREAM] * upstream]
    for name in asked.overwrites:
        if name not in known:
            what = f"its tensors are {', '.join(dict.fromkeys(known))}"
            raise OperatorError(f"backward: overwrites names {name}, which forward of {file} does not take: {what}")
    return tuple(i for i, name in enumerate(known) if name in asked.overwrites)


def upstream_draws(
    first: Draw,
    fresh: Callable[[], tuple[Any, ...]],
    answer: Callable[[tuple[Any, ...], str, str], Draw],
    oracle: Oracle,
) -> Iterator[Draw]:
    """Draws for other upstream gradients, where gradients are asked for: with the first draw's inputs, and ``fresh``.

    With the fresh inputs one number stands in the place of all: that is what ``sum().backward()`` gives, with strides
    of 0.
    """
    if first.wanted is None:
        return
    *others, upstream = fresh()
    expanded = [one.flatten()[:1].reshape([1] * one.dim()).expand_as(one) for one in upstream]
    asked = {ANOTHER: (*first.inputs[:-1], upstream), EXPANDED: (*others, expanded)}
    for name, made in asked.items():
        if name == ANOTHER or any(one.numel() > 1 for one in upstream):
            found = answer(made, name, first.way)
            if well_conditioned(oracle, found, first, name):
                yield found


def check_form(asked: Draw, got: Any) -> Problem | None:
    """The first difference between a call's result and what it must be in form; gradients may be in given memory."""
    if asked.wanted is None:
        return check_structure(asked.tree, got)
    want, have = asked.tree["dict"], got.get("dict", {}) if isinstance(got, dict) else {}
    problem = check_structure(want[OUTPUTS], have.get(OUTPUTS))
    gradients = have.get(GRADIENTS)
    given = gradients.get("list") if isinstance(gradients, dict) else None
    given = given if isinstance(given, list) else []
    for i, (label, one) in enumerate(zip(asked.wanted.labels, want[GRADIENTS]["list"], strict=True)):
        free = {"tensor": one["tensor"] | {"aliases": True}}
        problem = problem or check_structure(free, given[i] if i < len(given) else None, label)
    return problem
