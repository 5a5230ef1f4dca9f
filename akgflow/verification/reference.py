"""The operator's side of a judgement: its model, secret inputs, the float64 oracle and the bounds. Judge only."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from akgflow.config.types import Scalar
from akgflow.verification import inputs as drawing
from akgflow.verification import memory
from akgflow.verification.framework.rules import Work
from akgflow.verification.framework.work import measure
from akgflow.verification.numerics import Expected, expect
from akgflow.verification.operator import Case, OperatorError, make_case, seeded

STEP = 2.0**-20
"""Relative perturbation by which sensitivities are measured, small against curvature and large against 2**-53."""
QUICK_SECONDS = 0.1
SLOW_SECONDS = 3.0


@dataclass(frozen=True)
class Draw:
    """Inputs of one distribution and what the outputs must be.

    ``tree`` describes the result's structure; ``mutates`` is true when the reference itself changes its inputs.
    """

    distribution: str
    inputs: tuple[Any, ...]
    layout: memory.Layout
    tree: memory.Tree
    expected: tuple[Expected, ...]
    mutates: bool

    def outs(self) -> list[dict[str, Any]]:
        """Places for the output tensors, one behind the other, in a memory of their own."""
        return out_places([one.framework for one in self.expected])

    @property
    def elements(self) -> int:
        """Elements of all inputs and outputs."""
        return int(sum(p.tensor.numel() for p in self.layout.placed) + sum(e.oracle.numel() for e in self.expected))


def out_places(tensors: Sequence[torch.Tensor]) -> list[dict[str, Any]]:
    """Contiguous places, by shape and dtype, for a sequence of tensors."""
    places, offset = [], 0
    for tensor in tensors:
        places.append({"shape": list(tensor.shape), "dtype": memory.dtype_name(tensor.dtype), "offset": offset})
        offset += -(-tensor.numel() * tensor.element_size() // memory.ALIGN) * memory.ALIGN
    return places


def places_size(places: Sequence[Mapping[str, Any]]) -> int:
    """Bytes that `out_places` take."""
    if not places:
        return 0
    last = places[-1]
    count = memory.dtype_of(last["dtype"]).itemsize
    for size in last["shape"]:
        count *= size
    return int(last["offset"] + -(-count // memory.ALIGN) * memory.ALIGN)


class Reference:
    """One case of an operator, with parameters drawn for it, on ``device``; raises `OperatorError` where it fails."""

    def __init__(self, text: str, file: str, keys: Mapping[str, Scalar], dtype: str | None, device: str) -> None:
        self.case: Case = make_case(text, file, keys, dtype, drawing.fresh_seed())
        self.file, self.device = file, device
        self.init = memory.lay_out({"args": list(self.case.init_args), "kwargs": dict(self.case.init_kwargs)})
        with seeded(drawing.fresh_seed()), self._blame("Model cannot be constructed"):
            model = self.case.model()
            if self.case.dtype is not None:
                model = model.to(self.case.dtype)
        self.state = drawing.draw_state(model, drawing.fresh_seed())
        self.state = {name: tensor.to(device) for name, tensor in self.state.items()}
        self.state_layout = memory.lay_out(dict(self.state))
        self.parameters = frozenset(name for name, _ in model.named_parameters())
        self.working = model.to(device)
        self.exact = copy.deepcopy(model).double()
        self.exact_state = drawing.cast(self.state, torch.float64, device)
        self.draws: list[Draw] = []
        self.seconds = 0.0

    @cached_property
    def work(self) -> Work:
        """What the framework does in one call on this case."""
        made = self.draws[0].inputs if self.draws else drawing.draw(self.case, drawing.OPERATOR, self.device, 0)
        copied = drawing.map_tensors(made, lambda t: t.clone())
        return measure(lambda: self._run(self.working, self.state, copied))

    def shapes(self) -> memory.Layout:
        """Inputs for a run whose values nobody looks at."""
        return memory.lay_out(list(drawing.draw(self.case, drawing.OPERATOR, self.device, drawing.fresh_seed())))

    def prepare(self) -> None:
        """Two draws: the operator's own distribution, and the normal one (or another of its own)."""
        if self.draws:
            return
        started = time.monotonic()
        first = self.draw(drawing.OPERATOR)
        second = None
        if drawing.can_redraw(first.inputs):
            second = self.draw(drawing.NORMAL)
            if not all(bool(torch.isfinite(one.oracle).all()) for one in second.expected):
                second = None
        self.draws = [first, second or self.draw(drawing.OPERATOR)]
        self.seconds = time.monotonic() - started

    def draw(self, distribution: str) -> Draw:
        """Fresh secret inputs and what their outputs must be."""
        made = drawing.draw(self.case, distribution, self.device, drawing.fresh_seed())
        return self.answer(made, distribution)

    def answer(self, made: tuple[Any, ...], distribution: str) -> Draw:
        """What the outputs for given inputs must be."""
        try:
            layout = memory.lay_out(list(made))
        except TypeError as error:
            raise OperatorError(f"an input of {self.file} cannot be used: {error}") from error
        before = [placed.tensor.clone() for placed in layout.placed]
        copied = drawing.map_tensors(made, lambda t: t.clone())
        result = self._run(self.working, self.state, copied)
        tree = memory.describe(result, memory.storages(copied))
        frame = list(memory.tensors(result))
        if not frame:
            raise OperatorError(f"forward of {self.file} gives no tensor")
        if any(tensor.is_complex() for tensor in frame):
            raise OperatorError(f"forward of {self.file} gives complex numbers; let it give torch.view_as_real of them")
        changed = [not memory.same_bits(a, b) for a, b in zip(before, memory.tensors(copied), strict=True)]
        oracles, sensitivities, length = self._oracle(made, frame)
        expected = tuple(expect(*parts, length) for parts in zip(oracles, frame, sensitivities, strict=True))
        return Draw(distribution, made, layout, tree, expected, any(changed))

    def _oracle(self, made: Any, frame: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor], int]:
        """Float64 results, each element's sensitivity, and the reduction length."""
        wide = drawing.cast(made, torch.float64, self.device)
        started = time.monotonic()
        try:
            oracle = self._tensors(self.exact, self.exact_state, wide)
            fits = [o.shape for o in oracle] == [f.shape for f in frame]
        except OperatorError:
            fits = False
        if not fits:
            # The operator insists on a dtype of its own: the framework's result is all there is to compare with.
            zeros = [torch.zeros_like(f, dtype=torch.float64) for f in frame]
            return frame, zeros, _longest(made)
        seconds = time.monotonic() - started
        again = self._tensors(self.exact, self.exact_state, wide)
        if not all(_near(a, b) for a, b in zip(oracle, again, strict=True)):
            raise OperatorError(f"forward of {self.file} gives another result on the same inputs: it cannot be judged")
        samples = 8 if seconds < QUICK_SECONDS else 3 if seconds < SLOW_SECONDS else 1
        sensitivities = self._sensitivity(oracle, wide, samples)
        length = self._length(wide, oracle) if seconds < SLOW_SECONDS else _longest(made)
        return oracle, sensitivities, length

    def _sensitivity(self, oracle: list[torch.Tensor], wide: Any, samples: int) -> list[torch.Tensor]:
        total = [torch.zeros(o.shape, dtype=torch.float64, device=o.device) for o in oracle]
        for _ in range(samples):
            state = drawing.map_tensors(self.exact_state, _perturb)
            results = self._tensors(self.exact, state, drawing.map_tensors(wide, _perturb))
            for one, result, base in zip(total, results, oracle, strict=True):
                if result.shape == base.shape:
                    one += ((result - base).abs().double() / STEP).nan_to_num(0.0, 0.0, 0.0) ** 2
        return [(one / samples).sqrt() for one in total]

    def _length(self, wide: Any, oracle: list[torch.Tensor]) -> int:
        """The most elements of one tensor that have a part in one output element."""
        leaves = drawing.map_tensors(wide, lambda t: t.clone().requires_grad_(t.is_floating_point()))
        wanted = [t for t in memory.tensors(leaves) if t.requires_grad]
        self._restore(self.exact, self.exact_state)
        parameters = [p.requires_grad_(True) for p in self.exact.parameters() if p.is_floating_point()]
        longest = 1
        try:
            with torch.enable_grad():
                results = list(memory.tensors(self.exact(*drawing.map_tensors(leaves, lambda t: t * 1))))
            for result, base in zip(results, oracle, strict=True):
                if result.grad_fn is None or not result.is_floating_point() or not result.numel():
                    continue
                for at in {int(base.abs().nan_to_num(0.0).argmax()), result.numel() // 2}:
                    grads = torch.autograd.grad(
                        result.flatten()[at], wanted + parameters, allow_unused=True, retain_graph=True
                    )
                    longest = max([longest, *(int(g.count_nonzero()) for g in grads if g is not None)])
        except Exception:
            return _longest(wide)
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
        return longest

    def _tensors(self, model: Any, state: Mapping[str, torch.Tensor], made: Any) -> list[torch.Tensor]:
        return list(memory.tensors(self._run(model, state, drawing.map_tensors(made, lambda t: t.clone()))))

    def _run(self, model: Any, state: Mapping[str, torch.Tensor], made: Any) -> Any:
        self._restore(model, state)
        with torch.no_grad(), self._blame("forward fails"):
            return model(*made)

    def _restore(self, model: Any, state: Mapping[str, torch.Tensor]) -> None:
        """A forward in training mode may move buffers: every call starts from the drawn state."""
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(state[name])

    def _blame(self, what: str) -> _Blame:
        return _Blame(f"{what} of operator {self.file} on case {dict(self.case.keys)}")


class _Blame:
    """Turns any exception inside into an `OperatorError` that says what failed."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, OperatorError):
            raise OperatorError(f"{self.what}: {type(error).__name__}: {error}") from error


def _perturb(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    sign = torch.randint(0, 2, tensor.shape, device=tensor.device, dtype=torch.int8).double() * 2 - 1
    return tensor * (1 + STEP * sign)


def _near(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.shape != b.shape:
        return False
    return bool(torch.allclose(a.double(), b.double(), rtol=1e-6, atol=1e-9, equal_nan=True))


def _longest(made: Any) -> int:
    return max([1, *(max(t.shape, default=1) for t in memory.tensors(made))])
