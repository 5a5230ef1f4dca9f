"""Comparing the form of a result with the reference's: nesting, type, shape, dtype, device, aliasing.

The description of the candidate's result comes from the candidate's process: nothing about it is taken for granted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from akgflow.terms import Status
from akgflow.verification.reference.operator import OperatorError
from akgflow.verification.reference.tracing.runner import Effects
from akgflow.verification.shared.memory import Tree

Problem = tuple[Status, str]


def check_structure(expected: Tree, got: Any, where: str = "the output") -> Problem | None:
    """The first difference as a status and one sentence, or None; lists and tuples count as the same."""
    kind, want = _kind(expected)
    have_kind, have = _kind(got)
    if kind == "tensor":
        if have_kind != "tensor" or not isinstance(have, dict):
            return _no_tensor(where, have_kind, have)
        return _check_tensor(want, have, where)
    if kind == "list":
        if have_kind != "list" or not isinstance(have, list) or len(have) != len(want):
            count = len(have) if isinstance(have, list) else 1
            return Status.INCORRECT_SHAPE, f"forward must give {len(want)} outputs and gave {count}"
        for i, (one, other) in enumerate(zip(want, have, strict=True)):
            problem = check_structure(one, other, f"output {i}")
            if problem:
                return problem
        return None
    if kind == "dict":
        if have_kind != "dict" or not isinstance(have, dict) or list(have) != list(want):
            return Status.INCORRECT_SHAPE, f"{where} must be a dict with keys {list(want)}"
        for key, one in want.items():
            problem = check_structure(one, have[key], f"output {key!r}")
            if problem:
                return problem
        return None
    return _check_value(kind, want, have_kind, have, where)


def _check_value(kind: str, want: Any, have_kind: str, have: Any, where: str) -> Problem | None:
    if want is None and have_kind != kind:
        what = "forward must return" if where == "the output" else f"{where} must be"
        return Status.INCORRECT_SHAPE, f"{what} None, as the operator's does, and gives a {have_kind}"
    if have_kind != kind or not _same_value(have, want):
        return Status.INCORRECT_NUMERICAL, f"{where} must be {want!r} and is {_brief(have)}"
    return None


def require_an_answer(tree: Tree, tensors: Sequence[torch.Tensor], effects: Effects, forward: str) -> None:
    """Raise `OperatorError` where an operator's result, or what it changes instead, cannot be compared."""
    strange = next(_others(tree), None)
    if strange is not None:
        what = "let it give tensors and numbers, and lists, tuples and dicts of them"
        raise OperatorError(f"{forward} gives a {strange}, which is not looked into: {what}")
    if not tensors and not effects.inputs and not effects.buffers:
        raise OperatorError(f"{forward} gives no tensor and changes no input and no buffer: there is nothing to judge")


def _others(tree: Tree) -> Iterator[str]:
    ((kind, part),) = tree.items()
    if kind == "other":
        yield part
    elif kind in ("list", "dict"):
        for item in part if kind == "list" else part.values():
            yield from _others(item)


def aliases(tree: Tree) -> Iterator[bool]:
    """For each tensor of a result, in order, whether it shares memory with an input or a parameter."""
    ((kind, part),) = tree.items()
    if kind == "tensor":
        yield part["aliases"]
    elif kind in ("list", "dict"):
        for item in part if kind == "list" else part.values():
            yield from aliases(item)


def same_form(one: Any, other: Any) -> bool:
    """True when two trees differ at most in the values of plain floating-point numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_form(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_form, one, other))
    return (isinstance(one, float) and isinstance(other, float)) or bool(one == other)


def _same_value(have: Any, want: Any) -> bool:
    """Plain numbers that are no whole ones need not agree in the last bits."""
    if isinstance(have, float) and isinstance(want, float):
        return math.isclose(have, want, rel_tol=1e-5) or (math.isnan(have) and math.isnan(want))
    return bool(have == want)


def _kind(tree: Any) -> tuple[str, Any]:
    if isinstance(tree, dict) and len(tree) == 1:
        ((kind, value),) = tree.items()
        return str(kind), value
    return "nothing", None


def _no_tensor(where: str, kind: str, have: Any) -> Problem:
    if kind == "other":
        return Status.REFUSED, f"{where} is a {_brief(have)}; it must be exactly a torch.Tensor, and dense"
    shown = "several values" if kind in ("list", "dict") else _brief(have)
    return Status.INCORRECT_SHAPE, f"{where} must be a tensor and is {shown}"


def _check_tensor(want: dict[str, Any], have: dict[str, Any], where: str) -> Problem | None:
    if have.get("shape") != want["shape"]:
        return Status.INCORRECT_SHAPE, f"{where} must have shape {want['shape']} and has {_brief(have.get('shape'))}"
    if have.get("dtype") != want["dtype"]:
        return Status.INCORRECT_DTYPE, f"{where} must be {want['dtype']} and is {_brief(have.get('dtype'))}"
    if have.get("device") != want["device"]:
        return (
            Status.INCORRECT_DTYPE,
            f"{where} must be on device {want['device']} and is on {_brief(have.get('device'))}",
        )
    if have.get("aliases") and not want["aliases"]:
        return Status.REFUSED, f"{where} shares its memory with an input or a parameter; it must be a tensor of its own"
    return None


def _brief(value: Any) -> str:
    return str(value)[:200]
