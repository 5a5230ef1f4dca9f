"""What is asked about an operator's traced graph, and the numbers that describe it, as plain values that travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akgflow.config.types import Scalar


@dataclass(frozen=True)
class FeatureRequest:
    """An operator whose features are wanted."""

    operator_file: str
    operator: str
    cases: tuple[Mapping[str, Scalar], ...] = ()
    """The cases to choose from."""
    dtype: str | None = None
    """To which floating inputs and parameters are cast; None leaves them."""


@dataclass(frozen=True)
class OperatorFeatures:
    """The traced graph of one call on the largest case, in numbers that can be compared."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    """Calls of the framework by class: ``contraction``, ``softmax``, …"""
    ops: Mapping[str, int] = field(default_factory=dict)
    """The same by operator."""
    primitives: Mapping[str, int] = field(default_factory=dict)
    """The same with composite operators decomposed: a softmax written out resembles one that was called."""
    reductions: Mapping[str, int] = field(default_factory=dict)
    """``OP AXES LENGTH``: axes ``last``, ``first``, ``inner`` or ``all``, length ``short`` (up to 128), ``medium`` (up
    to 8192) or ``long``."""
    inputs: tuple[tuple[int, ...], ...] = ()
    """Shapes."""
    outputs: tuple[tuple[int, ...], ...] = ()
    """Shapes."""
    dtypes: tuple[str, ...] = ()
    """Of inputs and parameters."""
    flops: float = 0.0
    """Of contractions alone."""
    bytes: float = 0.0
    """Of inputs, parameters and outputs, each once."""
    unknown: str = ""
    """Why nothing could be traced; empty where something was."""

    @property
    def intensity(self) -> str:
        """``memory`` below 4 operations a byte, ``compute`` above 32, ``balanced`` between."""
        per_byte = self.flops / self.bytes if self.bytes else 0.0
        return "memory" if per_byte < 4 else "compute" if per_byte > 32 else "balanced"
