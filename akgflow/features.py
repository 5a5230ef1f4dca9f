"""What an operator does, as plain values: asked of the judge, which alone runs operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akgflow.config.types import Scalar


@dataclass(frozen=True)
class FeatureRequest:
    """An operator to look into: its file's path and text, the cases to choose from, the dtype that they are cast to."""

    operator_file: str
    operator: str
    cases: tuple[Mapping[str, Scalar], ...] = ()
    dtype: str | None = None


@dataclass(frozen=True)
class OperatorFeatures:
    """The traced graph of one call on the largest case, in numbers that can be compared.

    ``kinds`` counts what the framework was asked for by class (``contraction``, ``softmax``, …) and ``ops`` by
    operator; ``primitives`` counts the same after composite operators were taken apart, so that a softmax written out
    resembles one that was called. ``reductions`` counts ``OP AXES LENGTH`` with axes ``last``, ``first``, ``inner`` or
    ``all`` and length ``short`` (up to 128), ``medium`` (8192) or ``long``. ``inputs`` and ``outputs`` are shapes,
    ``dtypes`` those of inputs and parameters. ``flops`` counts contractions alone; ``bytes`` the inputs, parameters
    and outputs once. ``unknown`` says why nothing could be traced, and is empty where something was.
    """

    kinds: Mapping[str, int] = field(default_factory=dict)
    ops: Mapping[str, int] = field(default_factory=dict)
    primitives: Mapping[str, int] = field(default_factory=dict)
    reductions: Mapping[str, int] = field(default_factory=dict)
    inputs: tuple[tuple[int, ...], ...] = ()
    outputs: tuple[tuple[int, ...], ...] = ()
    dtypes: tuple[str, ...] = ()
    flops: float = 0.0
    bytes: float = 0.0
    unknown: str = ""

    @property
    def intensity(self) -> str:
        """``memory`` below 4 operations a byte, ``compute`` above 32, ``balanced`` between."""
        per_byte = self.flops / self.bytes if self.bytes else 0.0
        return "memory" if per_byte < 4 else "compute" if per_byte > 32 else "balanced"
