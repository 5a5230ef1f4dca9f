"""Makes the ``ModelNew`` of a bare ``.cu`` file: it calls the host function as the task says."""

from __future__ import annotations

import re
from typing import Any

import torch

from akgflow.config import parse_call, parse_dimension
from akgflow.toolchains.cuda_c import load

_SHAPE = re.compile(r"(.+)\.shape\[(-?\d+)\]")
_INTEGER = re.compile(r"-?\d+")


def source_model(source: str, file: str, call: str, out: tuple[str, ...], inputs: tuple[str, ...]) -> type:
    """A module class that calls ``call`` (see `akgflow.config.types.SourceKernel`) of the CUDA C++ text ``source``.

    It declares no parameters: `ModelNew.set_state` gives it those of the operator, under their names.
    ``inputs`` names the inputs of ``forward``; empty, they are the other names of the call in their order there.
    """
    function, arguments = parse_call(call)
    dimensions = [parse_dimension(text) for text in out]
    library = load(source, file)

    class ModelNew(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()
            self.state: dict[str, torch.Tensor] = {}

        def set_state(self, state: dict[str, torch.Tensor]) -> None:
            """Use ``state`` (name -> tensor, already on the right device) for the names of the call."""
            self.state = dict(state)

        def load_state_dict(self, state_dict: Any, *_: Any, **__: Any) -> Any:
            self.set_state(dict(state_dict))

        def _apply(self, fn: Any, recurse: bool = True) -> Any:
            self.state = {name: fn(tensor) for name, tensor in self.state.items()}
            return super()._apply(fn, recurse)

        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            names = inputs or _input_names((*arguments, *dimensions), self.state)
            if len(names) != len(given):
                raise TypeError(
                    f"the call {call!r} names {len(names)} inputs ({', '.join(names)}) and got {len(given)}"
                )
            values = {**self.state, **dict(zip(names, given, strict=True))}
            dense = {n: t.contiguous() if isinstance(t, torch.Tensor) else t for n, t in values.items()}
            like = next(t for t in (*given, *self.state.values()) if isinstance(t, torch.Tensor))
            shape = [int(_evaluate(text, dense)) for text in dimensions]
            dense["out"] = torch.empty(shape, dtype=like.dtype, device=like.device)
            getattr(library, function)(*(_evaluate(text, dense) for text in arguments))
            return dense["out"]

    return ModelNew


def _input_names(texts: tuple[str, ...], state: dict[str, torch.Tensor]) -> tuple[str, ...]:
    """Names of a call that are neither ``out`` nor parameters, in order of appearance."""
    names = dict.fromkeys(_SHAPE.sub(r"\1", text) for text in texts if not _INTEGER.fullmatch(text))
    return tuple(name for name in names if name != "out" and name not in state)


def _evaluate(text: str, values: dict[str, Any]) -> Any:
    """One argument of a call: an integer, ``NAME.shape[i]``, or a name."""
    if _INTEGER.fullmatch(text):
        return int(text)
    found = _SHAPE.fullmatch(text)
    name = found[1] if found else text
    if name not in values:
        raise NameError(f"the call names {name!r}, which is no input and no parameter; there are {', '.join(values)}")
    return values[name].shape[int(found[2])] if found else values[name]
