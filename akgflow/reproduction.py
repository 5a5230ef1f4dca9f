"""What is asked of the judge to show a failure of values again, and what it answers, as plain values that travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akgflow.config.types import Scalar
from akgflow.terms import Evidence
from akgflow.verdict import CaseResult, JudgeRequest

SEARCH_SECONDS = 60.0
"""For looking for the smallest shape that fails."""


@dataclass(frozen=True)
class ReproduceRequest:
    """A candidate whose values were wrong, and where."""

    request: JudgeRequest
    case: Mapping[str, Scalar]
    """The case in which it was seen; empty for the operator's own shapes."""
    distribution: str = ""
    """Of the inputs."""
    seed: str = ""
    """What the case's inputs and parameters were drawn from; empty where the verdict does not tell."""
    seconds: float = SEARCH_SECONDS


@dataclass(frozen=True)
class Array:
    """A tensor as text."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    data: str
    """Base64 of its zlib-compressed elements, in the order of a contiguous tensor."""


@dataclass(frozen=True)
class Inputs:
    """One set of inputs: those of the operator under a seed, with other tensors in place of some."""

    distribution: str
    seed: int
    replaced: Mapping[int, Array] = field(default_factory=dict)
    """By their number among the tensors of the inputs."""


@dataclass(frozen=True)
class Required:
    """What one tensor of an outcome must be: an output, or an input or buffer that the operator changes."""

    name: str
    bound: Array | None
    """Of each element's absolute error, in float64; None where elements must be equal."""
    expected: Array | None = None
    """In float64; None where the operator itself gives it when it is run in float64."""
    places: tuple[int, ...] | None = None
    """Numbers of the elements that count; ``bound`` and ``expected`` have these only. None: all."""
    bias: float | None = None
    """What errors may come to together, as a share of the bounds; None: anything."""
    usual: Array | None = None
    """The usual error of each element, where operands may be rounded."""
    scatter: float | None = None
    """What the median of the errors over these may be; None: anything."""
    zero_bits: int | None = None
    """Last bits that are zero in all values of a result that was rounded on its way; None: that is not the fault."""


@dataclass(frozen=True)
class Failing:
    """Inputs at the smallest shape found on which the candidate's values are wrong."""

    operator: str
    """The operator's whole text with its sizes."""
    keys: Mapping[str, Scalar]
    """What ``get_inputs`` and ``get_init_inputs`` are called with, as far as they take it; and ``dyn``."""
    device: str
    dtype: str | None
    evidence: Evidence
    """How the candidate ran."""
    mode: str | None
    init_seed: int
    inputs: tuple[Inputs, ...]
    calls: tuple[int, ...]
    """Numbers of ``inputs`` in the order of the calls; the last call is the wrong one."""
    state: Mapping[str, Array]
    """Parameters and buffers."""
    changed_inputs: tuple[int, ...]
    changed_buffers: tuple[str, ...]
    required: tuple[Required, ...]
    shapes: tuple[str, ...]
    """Of the inputs, for people: ``float32 [4, 257]``."""
    result: CaseResult
    """What the judge said of the last call."""


@dataclass(frozen=True)
class Reproduced:
    """What the search found."""

    failing: Failing | None
    tried: int = 0
    """The number of shapes."""
    smallest: bool = False
    """Whether nothing smaller was left to try: no size alone, no two together, can be smaller."""
    reason: str = ""
    """Why there is nothing, where there is nothing."""
