"""How much the framework does in a call of the model, counted in elements, and what is too much.

All names that the checks use are bound when they are made, and none is looked up when they run: the candidate may give
any name in its process another meaning. Their counters are reached through them alone, and they are called through
trampolines (`akgflow.verification.candidate.trampoline`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any

import torch

from akgflow.verification.shared import op_classes
from akgflow.verification.shared.op_policy import Current, counter


class Fallback(RuntimeError):
    """The framework was asked to do what the DSL is for. A candidate may catch it and do the work itself."""


Refuse = Callable[[str], Fallback]
Checks = tuple[Callable[..., Any], Callable[[Any], Any]]
"""Before a kernel: the call's arguments to those for it, or a refusal. After it: its result to None, or a refusal."""
Charge = Callable[[str, str, bool, int, FrameType], str | None]
"""Counts elements of an operator (its name, group, whether it reduces): the reason why it may not be done, or None."""

_ACCUMULATE = 3
"""The place of that argument."""
_NEVER = 1 << 62
_NUMBERS = (bool, int, float, complex)


def counted(
    current: Current, trusted: Collection[CodeType], refuse: Refuse, capturing: Callable[[], bool]
) -> Callable[..., Checks]:
    """Makes the checks of an operator, by name, that may do a little in each call; they share one budget.

    With ``whole`` all that a move touches counts, and not only what it computes.
    """
    charge = _budget(current, frozenset(trusted), capturing)
    count, frame_of, thread, is_a, widened = counter(), sys._getframe, threading.get_ident, type, _widener()
    none, numbers, works, size = None, frozenset(_NUMBERS), dict[int, int](), len

    def checks(name: str, whole: bool = False) -> Checks:
        group, reduces = op_classes.group(name), op_classes.is_reduction(name)
        adds, looks = (not whole and is_so(name) for is_so in (op_classes.adds_if_told, op_classes.looks_up))

        def before(keyset: Any, *args: Any, **kwargs: Any) -> Any:
            if adds and not (size(args) > _ACCUMULATE and args[_ACCUMULATE]):
                works[thread()] = _NEVER
                return (keyset, *args)
            if looks:
                works[thread()] = count(args[1:])
                return (keyset, *args)
            work = count((*args, *kwargs.values()))
            problem = charge(name, group, reduces, work, frame_of(1))
            if problem is not none:
                return refuse(problem)
            works[thread()] = work
            for arg in args:
                if is_a(arg) in numbers:
                    return (keyset, *widened(name, args))
            return (keyset, *args)

        def after(result: Any) -> Any:
            found, known = count(result if is_a(result) is tuple else (result,)), works.pop(thread(), 0)
            # As many results as indices: each is one element of a table.
            more = found - known if not looks else found if found <= known else 0
            problem = charge(name, group, reduces, more, frame_of(1)) if more > 0 else none
            return none if problem is none else refuse(problem)

        return before, after

    return checks


def gated(name: str, current: Current, refuse: Refuse, capturing: Callable[[], bool]) -> Checks:
    """The checks of an operator that runs only while a module is imported, when it knows of no question."""

    def before(keyset: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
        if current()[1].get("alone") and not capturing():
            return (keyset, *args)
        return refuse(f"{name} did the work: the framework may not do it for the DSL")

    return before, lambda _: None


def _budget(current: Current, trusted: frozenset[CodeType], capturing: Callable[[], bool]) -> Charge:
    number, used, own = -1, 0.0, dict[str, float]()
    is_trusted, least = _judge_of_callers(trusted), 1024.0

    def charge(name: str, group: str, reduces: bool, elements: int, caller: FrameType) -> str | None:
        nonlocal number, used, own
        now, policy = current()
        if policy.get("free") and not capturing():
            return None
        if trusted and is_trusted(caller):
            return None
        if now != number:
            number, used, own = now, 0.0, {}
        mine = own.get(group, 0.0) + elements
        limit = policy.get("own", {}).get(group)
        if limit is not None and reduces:
            limit = least if limit < least else limit
        if limit is not None and mine > limit:
            # What is left of rows or blocks is as small as this wherever the kernels do the work.
            remedy = f": reduce rows or blocks in a kernel, and at most {limit:.0f} elements here" if reduces else ""
            return (
                f"{name} did the work: the operator is made of it, and the framework may not do it for the DSL{remedy}"
            )
        if used + elements > policy.get("budget", 0.0):
            return (
                f"{name} did the work: with it the framework touches {used + elements:.0f} elements in a call, "
                f"and may touch {policy.get('budget', 0.0):.0f} beside the DSL's kernels"
            )
        used += elements
        own[group] = mine
        return None

    return charge


def _judge_of_callers(trusted: frozenset[CodeType]) -> Callable[[FrameType | None], bool]:
    def is_trusted(frame: FrameType | None) -> bool:
        """True when a toolchain's own function called the operator, through torch's function modes or not."""
        while frame is not None and frame.f_code.co_name == "__torch_function__" and frame.f_code in trusted:
            frame = frame.f_back
        return frame is not None and frame.f_code in trusted

    return is_trusted


def _widener() -> Callable[[str, tuple[Any, ...]], tuple[Any, ...]]:
    """Makes Python numbers that stand for tensors into tensors that promote like them."""
    schema_of, tensor, places = torch._C._get_schema, torch._C.TensorType.get(), dict[str, tuple[int, ...]]()
    numbers, as_tensor, kind, base = frozenset(_NUMBERS), _as_tensor, type, torch._C.TensorBase

    def widened(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if name not in places:
            found, _, overload = name.partition(".")
            arguments = schema_of(found, overload).arguments
            places[name] = tuple(i for i, a in enumerate(arguments) if a.type.isSubtypeOf(tensor))
        here = [i for i in places[name] if i < len(args) and kind(args[i]) in numbers]
        wide = [arg for arg in args if isinstance(arg, base) and arg.dim()] if here else []
        return tuple(as_tensor(arg, wide, args) if i in here else arg for i, arg in enumerate(args))

    return widened


def _as_tensor(number: Any, wide: list[torch.Tensor], args: tuple[Any, ...]) -> torch.Tensor:
    if wide and (wide[0].is_floating_point() or type(number) in (bool, int)):
        kind = torch.float64 if type(number) is float else torch.complex128 if type(number) is complex else torch.int64
        return torch.scalar_tensor(number, dtype=torch.bool if type(number) is bool else kind, device="cpu")
    other = next((arg for arg in args if isinstance(arg, torch.Tensor)), None)
    kind = torch.result_type(other, number) if other is not None else torch.get_default_dtype()
    return torch.scalar_tensor(number, dtype=kind, device="cpu")
