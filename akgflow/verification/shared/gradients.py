"""Forward and backward as one call, which both sides make of a model.

Its inputs are the arguments of ``forward`` and, behind them, a list of upstream gradients; its result holds what
``forward`` gives and the gradients that are asked for. So gradients are answers like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch

from akgflow.operators.arguments import invoke
from akgflow.verification.shared import memory

OUTPUTS, GRADIENTS = "outputs", "gradients"
"""The two parts of such a call's result."""
OF_GRADIENTS = "the gradient of "
"""How the names of gradients begin in messages."""


class NoGradient(Exception):
    """A model gives no gradient where one is asked for; the text says which, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """The gradients that are asked of a model, in order, and the outputs that they start from; travels as JSON."""

    inputs: Sequence[int]
    """The numbers of these tensors among the arguments of ``forward``."""
    names: Sequence[str]
    """Of these inputs, as ``forward`` calls them."""
    parameters: Sequence[str]
    outputs: Sequence[int]
    """The numbers of the output tensors that have an upstream gradient."""
    forward_alone: bool = False
    """Only ``forward`` is called, as for gradients, and none is computed."""

    @property
    def keys(self) -> list[str]:
        """Of each gradient in the dict that a method ``backward`` gives."""
        return [*self.names, *(f"self.{one}" if one in self.names else one for one in self.parameters)]

    @property
    def labels(self) -> list[str]:
        """What each gradient that a call gives is called in messages."""
        if self.forward_alone:
            return []
        of = [f"input {one}" for one in self.names] + [f"parameter {one}" for one in self.parameters]
        return [f"{OF_GRADIENTS}{one}" for one in of]


class Differentiated:
    """A model that is called forward and backward. ``strict``: it is a candidate, and may define ``backward``."""

    def __init__(self, model: Any, wanted: Wanted, strict: bool = False) -> None:
        self.model, self.wanted, self.strict = model, wanted, strict
        self.forward: Callable[..., Any] = model
        """What is called for the outputs."""
        self.between: Sequence[Any] | None = None
        """Other arguments, for which ``forward`` is called before ``backward``."""

    def __call__(self, *given: Any) -> dict[str, Any]:
        """The outputs and the gradients; raises `NoGradient`. Outputs of another form come without gradients."""
        *args, upstream = given
        by_method = self.strict and callable(getattr(type(self.model), "backward", None))
        outputs, gradients = (self._by_method if by_method else self._by_autograd)(args, upstream)
        return {OUTPUTS: memory.map_tensors(outputs, torch.Tensor.detach), GRADIENTS: gradients}

    def _by_autograd(self, args: Sequence[Any], upstream: Sequence[torch.Tensor]) -> tuple[Any, list[Any]]:
        leaves, starts = self._leaves(args)
        starts += self._parameters()
        with torch.enable_grad():
            result = invoke(self.forward, leaves)
            ends = None if self.wanted.forward_alone else self._ends(result, upstream)
            if ends is None:
                return result, []
            # Held until the gradients are there: what it keeps must not be what they are computed from.
            held = None if self.between is None else invoke(self.forward, self._leaves(self.between)[0])
            found = torch.autograd.grad(ends, starts, list(upstream), allow_unused=True)
        del held
        return result, list(map(self._required, self.wanted.labels, found, starts))

    def _by_method(self, args: Sequence[Any], upstream: Sequence[torch.Tensor]) -> tuple[Any, list[Any]]:
        with torch.no_grad():
            result = invoke(self.forward, args)
            outputs = tuple(memory.tensors(result))
            ends = [outputs[i] for i in self.wanted.outputs if i < len(outputs)]
            if self.wanted.forward_alone or not _fit(ends, upstream):
                return result, []
            if self.between is not None:
                invoke(self.forward, self.between)
            places = dict(zip(self.wanted.outputs, upstream, strict=True))
            grads = tuple(places.get(i) for i in range(len(outputs)))
            found = self.model.backward(grads, tuple(args), outputs)
        if not isinstance(found, Mapping):
            raise NoGradient(
                f"backward returned a {type(found).__name__}: it must return a dict of gradients with the keys "
                f"{', '.join(self.wanted.keys)}"
            )
        absent = [key for key in self.wanted.keys if not isinstance(found.get(key), torch.Tensor)]
        if absent:
            raise NoGradient(f"the dict that backward returned has no tensor for {', '.join(absent)}")
        return result, [found[key] for key in self.wanted.keys]

    def _leaves(self, args: Sequence[Any]) -> tuple[Any, list[torch.Tensor]]:
        """The arguments with leaves in the places of those tensors whose gradients are wanted, and these leaves."""
        numbers, chosen, found = count(), frozenset(self.wanted.inputs), list[torch.Tensor]()

        def leaf(tensor: torch.Tensor) -> torch.Tensor:
            if next(numbers) not in chosen:
                return tensor
            found.append(tensor.detach().requires_grad_())
            return found[-1]

        return memory.map_tensors(tuple(args), leaf), found

    def _parameters(self) -> Iterator[torch.Tensor]:
        named = dict(self.model.named_parameters(remove_duplicate=False))
        for name in self.wanted.parameters:
            yield named[name].requires_grad_()

    def _ends(self, result: Any, upstream: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
        """The outputs from which gradients start; None where they are not what upstream gradients are for."""
        outputs = list(memory.tensors(result))
        ends = [outputs[i] for i in self.wanted.outputs if i < len(outputs)]
        if not _fit(ends, upstream):
            if self.strict:
                return None
            raise NoGradient("the shapes of its outputs follow from values of inputs, so that gradients have no start")
        for number, end in zip(self.wanted.outputs, ends, strict=True):
            if not end.requires_grad:
                raise NoGradient(
                    f"output {number} has no gradient: it was computed outside of autograd. Return it from "
                    "torch.autograd.Function.apply, not from detach or no_grad, or define ModelNew.backward"
                )
        return ends

    def _required(self, label: str, found: torch.Tensor | None, start: torch.Tensor) -> torch.Tensor:
        if found is None and self.strict:
            raise NoGradient(
                f"{label} is missing: autograd does not reach it. Give the tensor itself to Function.apply, and return "
                "a gradient for it from backward"
            )
        return torch.zeros_like(start) if found is None else found


def _fit(outputs: Sequence[torch.Tensor], upstream: Sequence[torch.Tensor]) -> bool:
    pairs = zip(outputs, upstream, strict=False)
    return len(outputs) == len(upstream) and all((a.shape, a.dtype) == (b.shape, b.dtype) for a, b in pairs)
