"""What a model is called with and what it returns in one case: the facts about an operator that hold without akgflow.

``values`` are what is no tensor, in JSON: ``{"tuple": [...]}``, ``{"dict": {...}}``, ``{"float": "inf"}``,
``{"dtype": "float32"}`` and ``{"device": "cpu"}`` stand for what JSON lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool


@dataclass(frozen=True)
class TensorForm:
    """A strided tensor without its values."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    """In elements."""
    dtype: str
    """``float32``, ``bfloat16``, …"""


@dataclass(frozen=True)
class Parameter:
    """A parameter of ``forward``."""

    name: str
    kind: str
    """By `inspect.Parameter`: ``POSITIONAL_ONLY``, ``POSITIONAL_OR_KEYWORD`` or ``KEYWORD_ONLY``."""
    has_default: bool = False
    default: Any = None
    """Encoded."""


@dataclass(frozen=True)
class Signature:
    """One case of an operator."""

    case: Mapping[str, Scalar]
    globals: Mapping[str, Scalar]
    """The keys of the case that are globals of the operator's module."""
    init: tuple[Any, Any]
    """Encoded positional and keyword arguments of the constructor, as the judge passed them."""
    bound: Mapping[str, Any]
    """The same by the names of the constructor's parameters, defaults included."""
    tensors: Mapping[str, TensorForm | None]
    """Arguments of ``forward`` that are tensors, or None in the place of one."""
    lists: Mapping[str, tuple[TensorForm, ...]]
    """Arguments that are lists or tuples of tensors."""
    values: Mapping[str, Any]
    """All other arguments, encoded, defaults included."""
    positional: tuple[str, ...]
    """The arguments that the judge passed by position, in order."""
    keywords: tuple[str, ...]
    """And by name."""
    state: Mapping[str, TensorForm]
    """Parameters and buffers by their names in the ``state_dict``."""
    outputs: tuple[TensorForm, ...]
    """Tensors of the result, in order."""
    result: Any
    """Its form: ``"tensor"``, None, or such in ``{"list": …}``, ``{"tuple": …}`` or ``{"dict": [[name, …], …]}``."""
    training: bool | None
    """The mode in which it was judged; None where it does not matter."""


@dataclass(frozen=True)
class SignatureRequest:
    """Cases of an operator whose signatures are wanted."""

    operator_file: str
    operator: str
    """Its whole text."""
    cases: tuple[Mapping[str, Scalar], ...] = ()
    dtype: str | None = None


@dataclass(frozen=True)
class Signatures:
    """The parameters of ``forward`` and a signature for each case, or why there are none."""

    parameters: tuple[Parameter, ...] = ()
    cases: tuple[Signature, ...] = field(default=())
    why: str = ""
