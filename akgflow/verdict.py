"""What is asked of the judge and what it answers, as plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akgflow.config.types import Scalar, SourceKernel, Target, ToolchainFile
from akgflow.terms import Evidence, Status

FRAMEWORK_ALLOWED = "the task allows the framework: its kernels may have done the work, and nobody looked"
"""The warning of verdicts whose request has ``framework="allow"``."""


@dataclass(frozen=True)
class Limits:
    """Bounds on one candidate: wall seconds for build and for the calls, bytes of memory, bytes and number of files.

    ``judgement_bytes`` bounds the memory of the host that all of a judgement takes, the judge's own work with it; None:
    what the machine has, less a share that stays free.
    """

    build_seconds: float = 300.0
    run_seconds: float = 120.0
    memory_bytes: int = 8 << 30
    disk_bytes: int = 2 << 30
    files: int = 20_000
    judgement_bytes: int | None = None


@dataclass(frozen=True)
class JudgeRequest:
    """One candidate to judge on one target.

    ``candidate`` is the module's source text, or the `SourceKernel` that a task migrates from.
    ``operator_file`` and ``operator`` are the reference's path and text. ``evidence`` is what the plan says can
    be gathered here; the judge gathers all of it. ``cases`` are keyword sets (empty: the operator's own
    shapes). ``time`` asks for timing where the candidate is executed, against each of ``baselines`` (``eager``,
    ``torch.compile``; without any, nothing is timed). ``framework`` is ``forbid`` (the framework may not do the
    operator's work: `FALLBACK`) or ``allow``. ``profile`` asks for the GPU's counters about what was timed.
    """

    candidate: str | SourceKernel
    operator_file: str
    operator: str
    toolchain: str | ToolchainFile
    target: Target
    evidence: tuple[Evidence, ...]
    cases: tuple[Mapping[str, Scalar], ...] = ()
    dtype: str | None = None
    tolerance: float = 1.0
    time: bool = True
    limits: Limits = Limits()
    baselines: tuple[str, ...] = ("eager",)
    framework: str = "forbid"
    profile: bool = False


@dataclass(frozen=True)
class Worst:
    """The element with the largest error relative to its bound. ``index`` is a multi-index into ``output``."""

    output: int
    index: tuple[int, ...]
    got: float
    expected: float


@dataclass(frozen=True)
class CaseResult:
    """Numerics of one case under one input distribution.

    ``error`` and ``bound`` are absolute errors against the float64 oracle at the worst element;
    ``framework_error`` is the largest error that the framework's own kernel makes on the same inputs;
    ``wrong`` of ``total`` elements lie outside their bounds. ``detail`` is one sentence a model can repair from.
    """

    case: Mapping[str, Scalar]
    distribution: str
    status: Status
    error: float = 0.0
    bound: float = 0.0
    framework_error: float = 0.0
    wrong: int = 0
    total: int = 0
    worst: Worst | None = None
    detail: str = ""


@dataclass(frozen=True)
class Correctness:
    """flashinfer-bench's two fields, over all cases, and ours beside them.

    ``deterministic`` is true when repeated calls on the same inputs gave the same bytes, None when none was repeated.
    """

    max_absolute_error: float
    max_relative_error: float
    cases: tuple[CaseResult, ...]
    deterministic: bool | None = None


@dataclass(frozen=True)
class Roofline:
    """The least time that the target can take, from the operator's work and the target's facts.

    ``flops`` and ``bytes`` are of one call; ``limit`` is the term that decides (``compute``, ``memory``);
    ``share`` is floor / seconds, 1.0 when the kernel is as fast as the target can be.
    """

    floor_seconds: float
    flops: float
    bytes: float
    limit: str
    share: float


@dataclass(frozen=True)
class Timing:
    """Median seconds for one call on the judge's clock, and the ratio with its interval.

    ``interval`` belongs to ``speedup`` (baseline / candidate). ``call`` is ``faster``, ``same`` or ``slower``.
    ``spread`` is the interquartile range over the median of the candidate's windows. ``seconds`` is with the data
    where the caches keep it between calls; ``cold_seconds`` with the caches emptied before each call, None where
    that was not measured. ``roofline`` is None where the target's facts do not suffice.
    """

    case: Mapping[str, Scalar]
    baseline: str
    seconds: float
    baseline_seconds: float
    speedup: float
    interval: tuple[float, float]
    call: str
    windows: int
    spread: float
    device: str
    cold_seconds: float | None = None
    roofline: Roofline | None = None


@dataclass(frozen=True)
class KernelResources:
    """What one compiled kernel takes, read from the compiled artefact; None where the platform does not say.

    ``registers`` per thread, ``shared_bytes`` per block, ``spill_bytes`` per thread. ``arch`` as compiled for.
    """

    kernel: str
    arch: str
    registers: int | None = None
    shared_bytes: int | None = None
    spill_bytes: int | None = None
    extra: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KernelProfile:
    """One kernel launch by the GPU's own counters, in percent of what is possible; None where they say nothing.

    ``compute_percent`` and ``memory_percent`` are of the peak rates of the multiprocessors and of device memory,
    ``occupancy_percent`` of the warps that could be resident, ``l2_hit_percent`` of accesses. ``stall`` is what warps
    wait for most, ``stall_percent`` its share of their time. ``seconds`` is the launch alone, under the profiler.
    """

    kernel: str
    seconds: float | None = None
    compute_percent: float | None = None
    memory_percent: float | None = None
    occupancy_percent: float | None = None
    l2_hit_percent: float | None = None
    stall: str = ""
    stall_percent: float | None = None


@dataclass(frozen=True)
class Environment:
    """Where it was seen: hardware by its own name, library versions, and the cluster's node (empty: this machine)."""

    hardware: str
    libs: Mapping[str, str] = field(default_factory=dict)
    node: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the judge found about one candidate on one target.

    ``evidence`` lists only what was really obtained. ``message`` is one sentence; ``log`` holds the compiler's
    or the candidate's own words, cut to what matters. ``absent`` gives, for each evidence that was asked for
    and not obtained, the reason. ``warnings`` say what this verdict cannot vouch for, such as a task whose inputs
    let a trivial answer pass. ``sandbox`` names the layers that bounded the candidate. ``profile`` holds counters of
    the GPU where they were asked for; nothing hangs on them.
    """

    status: Status
    message: str
    target: str
    evidence: tuple[Evidence, ...]
    environment: Environment
    timestamp: str
    log: str = ""
    correctness: Correctness | None = None
    timing: tuple[Timing, ...] = ()
    resources: tuple[KernelResources, ...] = ()
    profile: tuple[KernelProfile, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1.0
    seconds: float = 0.0
    """Wall time for which judging held its place on a device."""
    warnings: tuple[str, ...] = ()
    sandbox: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True when the candidate was found right; an absent evidence does not make it wrong."""
        return self.status is Status.PASSED

    def __str__(self) -> str:
        return f"{self.status} on {self.target}: {self.message}"


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
