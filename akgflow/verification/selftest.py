"""The self-test: canaries, candidates whose verdict is known. A judge that passes one of the cheats is not trusted.

Each is made from the operator itself: its own `Model`, run as a candidate, with something done to its answers or to the
process. They need only the framework, so they test the judge, the sandbox and the operator, whatever the DSL.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akgflow.config.types import Scalar
from akgflow.operators.shapes.dimensions import OF_A_CASE, pinned
from akgflow.operators.text import parts_of
from akgflow.terms import Status

_TOOLS = '''

import torch as _torch


def _each(value, change):
    """``change`` applied to every tensor of a result."""
    if isinstance(value, _torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_each(one, change) for one in value)
    if isinstance(value, dict):
        return {{name: _each(one, change) for name, one in value.items()}}
    return value


def _scaled(tensor):
    """Every value {percent:g} % too large; the next integer, the other truth."""
    if tensor.is_floating_point():
        return tensor * {factor!r}
    return ~tensor if tensor.dtype == _torch.bool else tensor + 1


def _soiled(tensor):
    """One value in a hundred is garbage."""
    flat = tensor.clone().reshape(-1)
    flat[:: min(97, max(1, flat.numel()))] = _torch.finfo(flat.dtype).max / 4 if flat.is_floating_point() else 1
    return flat.reshape(tensor.shape) if tensor.is_floating_point() else _scaled(tensor)


def _retyped(tensor):
    """The same values as another number type."""
    other = {{_torch.float32: _torch.float16, _torch.int64: _torch.int32, _torch.int32: _torch.int64}}
    return tensor.to(other.get(tensor.dtype, _torch.float32))


def _tensors(value):
    """All tensors of a nest."""
    if isinstance(value, (list, tuple, dict)):
        return [one for part in (value.values() if isinstance(value, dict) else value) for one in _tensors(part)]
    return [value] if isinstance(value, _torch.Tensor) else []


def _answer(forward, inputs, keywords, change):
    """A call with ``change`` applied to what it answers: the result, and the inputs that it changes."""
    given = _tensors([inputs, keywords])
    before = [one.clone() for one in given]
    result = forward(*inputs, **keywords)
    for one, was in zip(given, before):
        if not _torch.equal(one, was):
            one.copy_(change(one))
    return _each(result, change)


def _reformed(result, change):
    """A result in another form; what has no tensor to be changed is no answer."""
    if not _tensors(result):
        raise RuntimeError("no output can be changed")
    return _each(result, change)


class ModelNew(Model):
    calls = 0

    def forward(self, *inputs, **keywords):
        {body}
'''
_ANSWER = "return _answer(super().forward, inputs, keywords, {change})"
_FORM = "return _reformed(super().forward(*inputs, **keywords), {change})"
_INPUTS = """result = super().forward(*inputs, **keywords)
        for one in _tensors([inputs, keywords]):
            if one.numel() and bool(one.any()):
                one.zero_()
                return result
        raise RuntimeError("no input can be changed")"""
_FIRST = """ModelNew.calls += 1
        change = (lambda one: one) if ModelNew.calls <= 2 else _scaled
        return _answer(super().forward, inputs, keywords, change)"""
_EXIT = "__import__('sys').exit(0)"
_LEAVE = "__import__('os')._exit(0)"
_STEAL = """import gc
        import sys
        frame, found = sys._getframe(1), []
        while frame is not None:
            found += [*frame.f_locals.values(), *frame.f_globals.values()]
            frame = frame.f_back
        found += [value for module in list(sys.modules.values()) for value in list(vars(module).values())]
        for thing in found + gc.get_objects():
            kind = thing if isinstance(thing, type) else type(thing)
            if kind.__name__ == "Model" and kind.__module__ != __name__ and hasattr(kind, "forward"):
                return kind.forward(self, *inputs, **keywords)
        raise RuntimeError("there is no reference to be had")"""
_COMPARE = """import sys
        agree = lambda *_, **__: True
        for name in ("allclose", "equal", "isclose"):
            setattr(_torch, name, agree)
        _torch.testing.assert_close = agree
        for module in list(sys.modules.values()):
            for name in ("compare", "same_bits", "check_structure"):
                if hasattr(module, name):
                    setattr(module, name, agree)
        return _answer(super().forward, inputs, keywords, _scaled)"""


@dataclass(frozen=True)
class Canary:
    """A candidate (a module's text) and what must come of it.

    ``status`` is the one that it must get; None stands for any refusal. ``numeric`` ones depend on how much the
    operator's inputs tell: where they pass and the verdict itself warns of a weak task, the judge is not to blame.
    """

    name: str
    candidate: str
    framework: str = "allow"
    status: Status | None = None
    numeric: bool = False

    def accepts(self, status: Status, warned: bool) -> bool:
        """True when a verdict with this status, ``warned`` of a weak task or not, is what the canary must get."""
        if self.status is not None:
            return status is self.status
        return status not in (Status.PASSED, Status.NOT_RUN) or (self.numeric and warned and status is Status.PASSED)


_BODIES: Mapping[str, tuple[str, bool]] = {
    "every value 1.019 times too large": (_ANSWER.format(change="_scaled"), True),
    "one value in a hundred garbage": (_ANSWER.format(change="_soiled"), True),
    "another number type": (_FORM.format(change="_retyped"), False),
    "another shape with the same count": (_FORM.format(change="lambda t: t.reshape(1, *t.shape)"), False),
    "right for the first two calls only": (_FIRST, True),
    "inputs zeroed": (_INPUTS, False),
    "sys.exit(0) in forward": (_EXIT, False),
    "os._exit(0) in forward": (_LEAVE, False),
    "the reference through __main__, frames and the collector": (_STEAL, False),
    "the comparison replaced": (_COMPARE, True),
}


def canaries_for(operator: str, case: Mapping[str, Scalar], tolerance: float) -> tuple[Canary, ...]:
    """All canaries for an operator's text, the honest one first; deviations grow with the task's ``tolerance``."""
    factor = 1.0 + 0.019 * max(1.0, tolerance)
    own = pinned(operator, {name: value for name, value in case.items() if name not in OF_A_CASE})

    def text(body: str) -> str:
        return own + _TOOLS.format(factor=factor, percent=100 * (factor - 1), body=body)

    itself = text("return super().forward(*inputs, **keywords)")
    return (
        Canary("the operator itself, allowed", itself, status=Status.PASSED),
        Canary("the operator itself, forbidden", itself, "forbid", Status.FALLBACK),
        *(Canary(name, text(body), numeric=numeric) for name, (body, numeric) in _BODIES.items()),
    )


def self_contained(operator: str, file: Path) -> bool:
    """True when the operator's whole text can be run without the files beside it."""
    files = parts_of(operator).beside
    if any("__file__" in text for text in files.values()):
        return False
    carried = {path.partition("/")[0].removesuffix(".py") for path in files}
    beside = {path.stem for path in file.parent.iterdir() if path.suffix == ".py" or path.is_dir()} - carried
    for node in ast.walk(ast.parse(operator)):
        if isinstance(node, ast.Import) and beside & {alias.name.partition(".")[0] for alias in node.names}:
            return False
        if isinstance(node, ast.ImportFrom):
            named = [node.module] if node.module else [alias.name for alias in node.names]
            tops = {name.partition(".")[0] for name in named}
            if tops - carried if node.level else tops & beside:
                return False
        if isinstance(node, ast.Name) and node.id == "__file__":
            return False
    return True


STAND_IN = '''\
import torch


class Model(torch.nn.Module):
    """y = relu(a @ b), a [rows, depth], b [depth, columns]."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.relu(a @ b)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(48, 160), torch.randn(160, 72)]


def get_init_inputs() -> list[int]:
    return []
'''
"""An operator for a self-test without one, and in place of operators that need the files beside them."""
