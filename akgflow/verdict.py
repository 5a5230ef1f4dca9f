"""What is asked of the judge and what it answers, as plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akgflow.clocks import Clocks
from akgflow.config.types import Scalar, SourceKernel, Target, TimeLimits, ToolchainFile
from akgflow.operators.preparation import Prepared
from akgflow.operators.shapes.guarantee import NOTHING, Guarantee
from akgflow.precision import Contract, Precision
from akgflow.sanitized import Sanitized
from akgflow.terms import Evidence, Status

LOOSE_BOUND = "times the error of the framework's own kernel"
"""In a warning: what a bound allows, which makes no task weak."""
FRAMEWORK_ALLOWED = "the task allows the framework: its kernels may have done the work, and nobody looked"
"""The warning of verdicts whose request has ``framework="allow"``."""


@dataclass(frozen=True)
class Limits:
    """Bounds on one candidate."""

    build_seconds: float = TimeLimits.build
    """Wall time for its build."""
    run_seconds: float = TimeLimits.run
    """Wall time for all its calls."""
    memory_bytes: int = 8 << 30
    disk_bytes: int = 2 << 30
    files: int = 20_000
    """Number of files that it may make."""
    judgement_bytes: int | None = None
    """Memory of the host that all of a judgement may take; None: what the machine has, less a share that stays free."""
    hang_seconds: float = TimeLimits.hang
    """Wall time in which it may neither answer nor build anything; a call may take many times the framework's, too."""
    judge_seconds: float = TimeLimits.judge
    """Wall time that the judge plans with, without builds: what takes longer is asked about in fewer ways, and timed in
    fewer windows or not at all."""


@dataclass(frozen=True)
class JudgeRequest:
    """One candidate to judge on one target."""

    candidate: str | SourceKernel
    """The module's source text, or the `SourceKernel` that a task migrates from."""
    operator_file: str
    """The reference's path."""
    operator: str
    """The reference's text."""
    toolchain: str | ToolchainFile
    target: Target
    evidence: tuple[Evidence, ...]
    """What the plan says can be gathered here; the judge gathers all of it."""
    cases: tuple[Mapping[str, Scalar], ...] = ()
    """Keyword sets; empty: the operator's own shapes."""
    secret_cases: tuple[Mapping[str, Scalar], ...] = ()
    """Further ones, which nobody who writes candidates knows."""
    dtype: str | None = None
    """To which floating inputs and parameters are cast; None leaves them."""
    tolerance: float = 1.0
    """Multiplies the judge's own bounds."""
    precision: Precision = Precision.FRAMEWORK
    """What candidate and baselines may lose in float32."""
    time: bool = True
    """Whether to time a candidate that is executed."""
    limits: Limits = Limits()
    baselines: tuple[str, ...] = ("eager",)
    """What it is timed against: ``eager``, ``torch.compile``; without any, nothing is timed."""
    framework: str = "forbid"
    """``forbid``: the framework may not do the operator's work (`Status.FALLBACK`); or ``allow``."""
    profile: bool = False
    """Whether to read the GPU's counters of what was timed."""
    shapes: Guarantee = NOTHING
    """Which shapes it must serve beside the stated ones."""
    layouts: str | None = None
    """``any``: it must take inputs of any layout."""
    rivals: Mapping[str, str] = field(default_factory=dict)
    """Texts of kernels that were right before, by name: the candidate is timed against them, too."""
    sanitize: tuple[str, ...] = ()
    """Kinds of `akgflow.sanitized.KINDS` to look for."""
    unseen: int = 0
    """Shapes between the stated ones that the judge draws for that; 0: at the stated ones."""

    @property
    def contract(self) -> Contract:
        """What may be rounded for this target."""
        return Contract.on(self.precision, self.target.platform)


@dataclass(frozen=True)
class Worst:
    """The element with the largest error relative to its bound."""

    output: int
    """The number of the output tensor."""
    index: tuple[int, ...]
    got: float
    expected: float


@dataclass(frozen=True)
class CaseResult:
    """Numerics of one case under one input distribution."""

    case: Mapping[str, Scalar]
    distribution: str
    status: Status
    error: float = 0.0
    """Absolute, against the float64 oracle, at the worst element."""
    bound: float = 0.0
    """Of the absolute error, at the same element."""
    framework_error: float = 0.0
    """The largest error that the framework's own kernel makes on the same inputs."""
    wrong: int = 0
    """The number of elements outside their bounds, of ``total``."""
    total: int = 0
    worst: Worst | None = None
    detail: str = ""
    """One sentence that helps to repair the candidate."""
    secret: bool = False
    """Whether no prompt has the case."""
    seed: str = ""
    """Of a wrong result: what inputs and parameters were drawn from; empty where other judgements may use it, too."""


@dataclass(frozen=True)
class Correctness:
    """Errors over all cases, by flashinfer-bench's names, and the result of each case."""

    max_absolute_error: float
    max_relative_error: float
    cases: tuple[CaseResult, ...]
    deterministic: bool | None = None
    """True when repeated calls on the same inputs gave the same bytes, None when none was repeated."""


@dataclass(frozen=True)
class Roofline:
    """The least time that the target can take, from the operator's work and the target's facts."""

    floor_seconds: float
    flops: float
    """Of one call."""
    bytes: float
    """Of one call."""
    limit: str
    """The term that decides: ``compute`` or ``memory``."""
    share: float
    """Floor over seconds: 1.0 when the kernel is as fast as the target can be."""
    note: str = ""
    """How a share above 1.0 is possible."""


@dataclass(frozen=True)
class PartTiming:
    """The same for a part of a call, where gradients are judged: ``forward`` or ``backward``."""

    seconds: float
    baseline_seconds: float
    speedup: float
    interval: tuple[float, float]
    call: str


@dataclass(frozen=True)
class OperatorShare:
    """An operator of the framework in a baseline's call, such as ``addmm``, and its share of the call's time."""

    operator: str
    calls: int
    share: float


@dataclass(frozen=True)
class Timing:
    """Seconds of one call on the judge's clock, and the ratio to one baseline with its interval."""

    case: Mapping[str, Scalar]
    baseline: str
    seconds: float
    """Of the candidate, with the data where the caches keep it between calls."""
    baseline_seconds: float
    speedup: float
    """Baseline over candidate."""
    interval: tuple[float, float]
    """Of the speedup, at 99 %."""
    call: str
    """``faster``, ``same`` or ``slower``."""
    windows: int  # of the candidate
    spread: float
    """The interquartile range of the candidate's windows over their median."""
    device: str
    cold_seconds: float | None = None
    """With the caches emptied before each call; None where that was not measured."""
    roofline: Roofline | None = None
    """None where the target's facts do not suffice."""
    sizes: tuple[int, ...] = ()
    """Of the call and its model, in the order of `akgflow.operators.shapes.sizes`."""
    parts: Mapping[str, PartTiming] = field(default_factory=dict)
    """``forward`` alone, as training calls it, and ``backward``, the difference; empty where that cannot be told."""
    prepared: Prepared | None = None
    """What preparing weights took, which ``speedup`` and ``interval`` contain; None where nothing is prepared."""
    clocks: Clocks | None = None  # of the GPU, around the windows; None where they cannot be read
    spending: tuple[OperatorShare, ...] = ()
    """Where the baseline's time goes, the largest share first; of eager alone."""


@dataclass(frozen=True)
class Untimed:
    """A case for which there is no time, and why."""

    case: Mapping[str, Scalar]
    reason: str


@dataclass(frozen=True)
class Overall:
    """The speedup over one baseline for all cases together: `akgflow.speed.overall` says how."""

    baseline: str
    speedup: float
    interval: tuple[float, float]
    """Of the speedup."""
    cases: int
    """The number of those that were timed."""
    untimed: int = 0
    """The number of those that were not, which count as 1.0 at most."""


@dataclass(frozen=True)
class KernelResources:
    """What one compiled kernel takes, read from the compiled artefact; None where the platform does not say."""

    kernel: str
    arch: str
    """The architecture that it was compiled for."""
    registers: int | None = None
    """Of each thread."""
    shared_bytes: int | None = None
    """Of each block."""
    spill_bytes: int | None = None
    """Of each thread."""
    extra: Mapping[str, int] = field(default_factory=dict)
    """What only some platforms say, by name."""
    tensor_cores: tuple[str, ...] | None = None
    """Its tensor-core instructions with the formats of their operands, such as ``wgmma bf16``; None: not looked at."""


@dataclass(frozen=True)
class KernelProfile:
    """One kernel launch by the GPU's own counters; None where they say nothing."""

    kernel: str
    seconds: float | None = None
    """Of the launch alone, under the profiler."""
    compute_percent: float | None = None
    """Of the peak rate of the multiprocessors."""
    memory_percent: float | None = None
    """Of the peak rate of device memory."""
    occupancy_percent: float | None = None
    """Of the warps that could be resident."""
    l2_hit_percent: float | None = None
    """Of accesses."""
    stall: str = ""
    """What warps wait for most."""
    stall_percent: float | None = None
    """Its share of their time."""


@dataclass(frozen=True)
class OtherShapes:
    """Secret shapes that a candidate was asked for beside the stated ones; each by the sizes that differ."""

    right: tuple[Mapping[str, int], ...] = ()
    """On which it was right."""
    refused: tuple[Mapping[str, int], ...] = ()
    """On which it raised."""
    specialised: str = ""
    """The sizes to which it is specialised, and what it said of another one; empty where it refused none."""
    untried: str = ""
    """Why there was none; empty where there were some."""
    contiguous: str = ""
    """What happened with inputs of another layout, where it takes contiguous ones only; empty where it takes all."""

    @property
    def general(self) -> bool:
        """True where it was right on every one, and there was at least one."""
        return bool(self.right) and not self.refused


@dataclass(frozen=True)
class Environment:
    """Where a verdict was found."""

    hardware: str
    """By its own name."""
    libs: Mapping[str, str] = field(default_factory=dict)
    """Versions of what judges and builds: akgflow, PyTorch, compilers."""
    node: str = ""
    """The cluster's node; empty: this machine."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Driver and clocks by which the hardware was set to work, as far as they could be read."""


@dataclass(frozen=True)
class Verdict:
    """What the judge found about one candidate on one target."""

    status: Status
    message: str
    """One sentence."""
    target: str
    evidence: tuple[Evidence, ...]
    """Only what was really obtained."""
    environment: Environment
    timestamp: str
    """ISO 8601, in UTC."""
    log: str = ""
    """The compiler's or the candidate's own words, cut to what matters."""
    correctness: Correctness | None = None
    timing: tuple[Timing, ...] = ()
    """Of every case that is no secret, against each baseline."""
    untimed: tuple[Untimed, ...] = ()
    """The cases that have no time where others have one; without any, ``absent`` says why."""
    overall: tuple[Overall, ...] = ()
    """One figure for each baseline. Verdicts from before every case was timed have none."""
    beside: tuple[Timing, ...] = ()
    """Against the rivals, at each shape that the request says."""
    resources: tuple[KernelResources, ...] = ()
    profile: tuple[KernelProfile, ...] = ()
    """Counters of the GPU where they were asked for; nothing depends on them."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """For each evidence that was asked for and not obtained, the reason."""
    tolerance: float = 1.0
    precision: Precision = Precision.STRICT
    """The contract under which it was judged; verdicts from before there was a choice were strict."""
    allowed: str = ""
    """What that let the candidate round in this operator; empty where float32 had to stay float32."""
    seconds: float = 0.0
    """Wall time for which judging held its place on a device."""
    warnings: tuple[str, ...] = ()
    """What this verdict cannot vouch for, such as a task whose inputs let a trivial answer pass."""
    sandbox: tuple[str, ...] = ()
    """The layers that bounded the candidate."""
    shapes: OtherShapes | None = None
    """None where it was not right on the stated shapes, nothing was run, or only those were asked for."""
    prepared: bool = False
    """Whether weights were changed between calls, and the candidate's ``prepare()`` called after each change."""
    sanitized: tuple[Sanitized, ...] = ()
    """What sanitizers say, by kind, where they were asked for; a finding leaves ``status`` as it is."""
    unfit: bool = False
    """Whether it is the operator that cannot be judged with as it is; ``message`` says what to change in it."""

    @property
    def passed(self) -> bool:
        """True when the candidate was found right; an absent evidence does not make it wrong."""
        return self.status is Status.PASSED

    @property
    def framework(self) -> str:
        """Whether PyTorch's own kernels might do the work: ``allow``, or ``forbid``."""
        return "allow" if FRAMEWORK_ALLOWED in self.warnings else "forbid"

    def __str__(self) -> str:
        return f"{self.status} on {self.target}: {self.message}"
