"""The values of the YAML files, as frozen dataclasses. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from akgflow.base.platforms import PLATFORMS
from akgflow.config.steps import AgentStep, Step
from akgflow.errors import Mark
from akgflow.formats.base import Scalar as Scalar
from akgflow.formats.base import Translation
from akgflow.operators import text
from akgflow.operators.backward import Backward
from akgflow.operators.preparation import Preparation
from akgflow.operators.shapes.guarantee import NOTHING, Guarantee
from akgflow.precision import Precision
from akgflow.terms import Evidence


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that one candidate may take."""

    build: float = 300.0
    """For all that it builds."""
    run: float = 120.0
    """For all its calls but the timed ones."""
    hang: float = 35.0
    """For doing anything without an answer and without building."""
    judge: float = 45.0
    """That the judge plans with: what takes longer is asked about in fewer ways, and timed in fewer windows."""


@dataclass(frozen=True)
class ModelLimits:
    """Transport limits of one model."""

    max_parallel: int = 4
    """Calls at the same time."""
    timeout: float = 180.0
    """Seconds for one attempt."""
    retries: int = 4
    """Attempts beyond the first."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens, and for a call."""

    input: float
    output: float
    cached_input: float | None = None
    """For input that the provider reads from its cache; None where it costs as much as other input."""
    call: float = 0.0
    """For each call, however long: the most that it costs, where the call itself says what it did cost."""

    def of(self, prompt: int, completion: int, cached: int = 0, calls: int = 1) -> float:
        """US dollars for so many tokens; ``cached`` of the ``prompt`` came from the provider's cache."""
        again = self.input if self.cached_input is None else self.cached_input
        return calls * self.call + ((prompt - cached) * self.input + cached * again + completion * self.output) / 1e6


@dataclass(frozen=True)
class CommandSpec:
    """A command on this machine that answers prompts."""

    words: tuple[str, ...]
    """The program, found on the PATH or by its absolute path, and its arguments."""
    output: Literal["text", "json", "jsonl"] = "text"
    """What it prints: the answer, one JSON document, or a JSON document a line."""
    env: tuple[str, ...] = ()
    """Environment variables that it gets beside the usual ones: keys, say."""
    writes: tuple[str, ...] = ()
    """Absolute paths of files and folders that it may write beside its own folder."""


@dataclass(frozen=True)
class ModelSpec:
    """One entry of ``agents.yaml: models``."""

    name: str
    model: str
    """A litellm id, ``recorded/…`` or ``manual/…``; ``command/NAME`` where a command answers."""
    params: Mapping[str, Any] = field(default_factory=dict)
    api_base: str | None = None
    api_key_env: str | None = None
    limits: ModelLimits = ModelLimits()
    fallbacks: tuple[str, ...] = ()
    price: Price | Literal["unknown"] | None = None
    """None is litellm's list price; ``unknown`` leaves the model out of a ceiling in dollars."""
    command: CommandSpec | None = None


DESIGNS = ("sketch", "text")
"""Forms of a reply that can be the design of a job, which a redesign asks for again."""


@dataclass(frozen=True)
class ReplyForm:
    """How a reply is read: ``code`` (one fenced block), a checked ``sketch``, ``text``, or ``json`` with ``fields``."""

    format: Literal["code", "sketch", "text", "json"] = "text"
    must_define: tuple[str, ...] = ()  # names that code must define at its top level
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The required keys of JSON, each with its JSON Schema."""
    max_bytes: int = 200_000
    edits: bool = False
    """True where code that repairs a module may be search/replace edits of it."""


@dataclass(frozen=True)
class Prompt:
    """A Jinja2 template and the position of its first line."""

    text: str
    mark: Mark


@dataclass(frozen=True)
class AgentSpec:
    """A role: prompts, model and form of the reply."""

    name: str
    model: str
    """An entry of ``models``."""
    system: Prompt
    prompt: Prompt
    reply: ReplyForm = ReplyForm()
    description: str = ""
    repair: Prompt | None = None
    """The message that follows an earlier reply and asks for its repair; without one, ``prompt`` is sent again."""


@dataclass(frozen=True)
class Workflow:
    """Named steps in the order in which they run."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""

    def text_steps(self, agents: Mapping[str, AgentSpec]) -> tuple[str, ...]:
        """The steps whose replies are not code: later prompts read them as ``steps.NAME``."""
        asked = (step for step in self.steps if isinstance(step, AgentStep))
        return tuple(step.name for step in asked if agents[step.agent].reply.format != "code")

    def designer(self, agents: Mapping[str, AgentSpec]) -> str | None:
        """The agent whose reply is the sketch: the first that writes a sketch, else the first that writes a text."""
        asked = [step.agent for step in self.steps if isinstance(step, AgentStep)]
        forms = (next((name for name in asked if agents[name].reply.format == form), None) for form in DESIGNS)
        return next((name for name in forms if name is not None), None)


@dataclass(frozen=True)
class RayReach:
    """A Ray cluster that has a target."""

    resources: Mapping[str, int]
    """What one judgement takes of the cluster: whole devices."""
    address: str = "auto"
    wait: float = 1800.0
    """Seconds that a judgement waits for these resources."""

    @property
    def wanted(self) -> str:
        """``h200: 1, CPU: 4``."""
        return ", ".join(f"{name}: {amount}" for name, amount in self.resources.items())

    def __str__(self) -> str:
        return f"Ray at {self.address}, {self.wanted}"


@dataclass(frozen=True)
class Target:
    """One entry of ``hardware.yaml``."""

    name: str
    platform: str
    arch: str
    title: str = ""
    device: str = ""
    """Text in the name of each local device that is this target (an H100 and an H200 share ``sm_90a``)."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As in the file, with the entries of ``extra`` beside the others."""
    sources: tuple[str, ...] = ()
    reach: RayReach | None = None
    """The cluster that has the device; None for this machine."""

    @property
    def on_host(self) -> bool:
        """True for processors: candidates run on the machine itself, without a device."""
        return PLATFORMS[self.platform].on_host


@dataclass(frozen=True)
class ToolchainFile:
    """A toolchain module beside its DSL's pack; its text is sent with the requests to judge."""

    name: str
    source: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class DslPack:
    """One DSL: its toolchain, its evidence by platform, and the texts of its knowledge documents."""

    name: str
    title: str
    toolchain: str | ToolchainFile
    """The name of an installed one, or a module beside the pack."""
    platforms: Mapping[str, tuple[Evidence, ...]]
    """The evidence that can be obtained on each platform, best first."""
    always: tuple[str, ...] = ()
    """Documents for every prompt."""
    by_operator: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_platform: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_platform_and_operator: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    repair: tuple[str, ...] = ()
    """Documents for prompts that repair a candidate."""
    improve: tuple[str, ...] = ()
    """Documents for prompts that make a right candidate faster."""


@dataclass(frozen=True)
class Operator:
    """The PyTorch reference in KernelBench form."""

    file: Path
    source: str
    kind: str | None = None
    """``gemm``, ``softmax``, …: chooses knowledge documents."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """The texts of the modules that it imports from its folder, by their paths below that."""
    mode: str | None = None
    """The mode in which it is judged (``eval`` or ``train``); None for the one in which it constructs itself."""
    backward: Backward | None = None
    """What is asked of gradients; None where they are not judged."""
    prepare: Preparation | None = None
    """What is asked of kernels that prepare weights; None where they cannot."""
    translation: Translation | None = None
    """The problem that its file is; None for an operator that is text alone."""

    @property
    def cases(self) -> tuple[Mapping[str, Scalar], ...]:
        """Those that its file comes with."""
        return self.translation.cases if self.translation else ()

    @property
    def shapes(self) -> Guarantee:
        """Which shapes a kernel must serve beside the cases, as far as its file says."""
        return Guarantee(fixed=True) if self.translation and self.translation.fixed else NOTHING

    @property
    def whole(self) -> str:
        """The one text that is judged, and on which all that is kept about the operator depends."""
        return text.whole(self.source, self.beside, self.mode, self.backward, self.prepare)


@dataclass(frozen=True)
class SourceKernel:
    """The kernel to migrate from: a module with ``ModelNew``, or a bare ``.cu`` with ``call`` and ``out``."""

    dsl: str
    file: Path
    source: str
    call: str | None = None
    """``function(argument, …)`` of inputs and parameters by name, ``out``, ``NAME.shape[i]`` and integers."""
    out: tuple[str, ...] = ()
    """The shape of the output, in the same terms."""
    inputs: tuple[str, ...] = ()
    """The parameters of the operator's ``forward``, in order; empty for the other names of ``call`` in their order."""


@dataclass(frozen=True)
class FastGate:
    """The least speedup over a baseline where the candidate was executed."""

    over: Literal["eager", "torch.compile"] = "eager"
    at_least: float = 1.0


@dataclass(frozen=True)
class Gates:
    """What a matrix cell must reach for exit code 0, besides a verdict that passes."""

    evidence: Evidence = Evidence.NONE
    fast: FastGate | None = None
    shapes: Literal["general"] | None = None
    """``general``: right on other shapes than the stated ones, too."""
    uses: str | None = None
    """A family of tensor-core instructions that a kernel must use."""
    sanitized: tuple[str, ...] = ()
    """Kinds of `akgflow.sanitized.KINDS` that must have been looked for and not found."""


@dataclass(frozen=True)
class Budget:
    """Ceilings of one run; None is no ceiling."""

    usd: float | None = None
    tokens: int | None = None
    """Tokens in and out."""
    minutes: float | None = None
    """Wall minutes."""
    device_minutes: float | None = None
    """Minutes for which judgements hold their slots, summed over concurrent ones."""


DEFAULT_BUDGET = Budget(tokens=2_000_000)
"""The ceiling of a task that names no budget: tokens, because not every model has a known price."""


@dataclass(frozen=True)
class Task:
    """One task file."""

    name: str
    file: Path
    kind: Literal["generate", "migrate", "optimize"]
    operator: Operator
    dsls: tuple[str, ...]
    targets: tuple[str, ...]
    workflow: str
    description: str = ""
    cases: tuple[Mapping[str, Scalar], ...] = ()
    """Keywords of the operator's ``get_inputs`` and ``get_init_inputs``; empty for its own shapes."""
    secret_cases: tuple[Mapping[str, Scalar], ...] = ()
    """Further cases, which no prompt has."""
    shapes: Guarantee = NOTHING
    """Which other shapes a kernel must serve."""
    layouts: Literal["any"] | None = None
    """``any``: it must take inputs of any layout."""
    dtype: str | None = None
    source: SourceKernel | None = None
    gates: Gates = Gates()
    budget: Budget = Budget()
    tolerance: float = 1.0
    """Factor on the judge's own error bound; any value but 1 is named in the verdict."""
    precision: Precision = Precision.FRAMEWORK
    """What candidates and baselines may lose where the operator computes in float32; named in the verdict."""
    framework: Literal["forbid", "allow"] = "forbid"
    """Whether the framework's own kernels may do the operator's work; ``allow`` is named in the verdict."""
    baselines: tuple[str, ...] = ("eager",)
    """What a timing compares with: ``eager``, ``torch.compile``; empty for no timing."""
    usd_mark: Mark | None = None
    """The position of ``budget.usd`` in the file."""
    limits: TimeLimits = TimeLimits()
    memory: int | None = None
    """Bytes of the machine's memory that one judgement may take; None: what is free, less a share."""
    winners: int = 1
    """The most kernels that a job keeps, each the fastest for some of the cases."""
    profile: bool = False
    """Whether the GPU's counters are read for timed candidates, where the machine allows it."""


SHARED = "shared"
"""The name of the store that all workspaces of a user share."""


@dataclass(frozen=True)
class KnowledgeSpec:
    """How runs use the store of verified kernels."""

    store: Path | Literal["shared"] | None = None
    """Its file; None is the workspace's own, ``shared`` the one in the user's data folder."""
    use: Literal["auto", "always", "never"] = "auto"
    """Whether prompts get examples; ``auto``: where anything but a recording may answer."""
    add: bool = True
    """Whether kernels of jobs that met their gates are added."""
    examples: int = 2
    """The most kernels in a prompt."""
    max_tokens: int = 6_000
    """The most tokens of kernels in a prompt; a matrix product's module takes 2,000 to 4,600."""
    shipped: bool = True
    """Whether the kernels that ship with akgflow are looked at beside the store's own."""
    same_operator: bool = False  # whether kernels of the very operator are examples for it


@dataclass(frozen=True)
class Workspace:
    """Everything that names resolve to: the workspace's own entries over the shipped ones."""

    root: Path
    models: Mapping[str, ModelSpec]
    agents: Mapping[str, AgentSpec]
    workflows: Mapping[str, Workflow]
    targets: Mapping[str, Target]
    dsls: Mapping[str, DslPack]
    runs: Path
    """The folder of its runs and suites."""
    knowledge: KnowledgeSpec = KnowledgeSpec()
    origins: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict)
    """The position of each entry by section and name: ``origins["targets"]["cpu"]``."""
