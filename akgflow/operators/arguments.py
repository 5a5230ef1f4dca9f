"""How a model is called: with a sequence of arguments, the last of which may be keywords, and in some mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


class Keywords(dict[str, Any]):
    """Keyword arguments, as the last of a call's inputs; any other dict is an argument."""


def split(inputs: Sequence[Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Positional arguments, and keywords."""
    if inputs and isinstance(inputs[-1], Keywords):
        return inputs[:-1], inputs[-1]
    return inputs, {}


def invoke(model: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    """Call a model with inputs."""
    args, keywords = split(inputs)
    return model(*args, **keywords)


def in_mode(model: Any, mode: str | None) -> Any:
    """A module in mode ``eval`` or ``train``; as it constructs itself where that is None."""
    return model if mode is None else model.train(mode == "train")
