"""What the YAML files mean, as frozen values. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from akgflow.base.platforms import PLATFORMS
from akgflow.config.steps import AgentStep, Step
from akgflow.errors import Mark
from akgflow.terms import Evidence

Scalar = str | int | float | bool


@dataclass(frozen=True)
class ModelLimits:
    """Transport limits of one model. ``timeout`` in seconds for one attempt; ``retries`` beyond the first."""

    max_parallel: int = 4
    timeout: float = 180.0
    retries: int = 4


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens.

    ``cached_input`` is for what the provider reads again from its cache; None where that costs what ``input`` costs.
    """

    input: float
    output: float
    cached_input: float | None = None


@dataclass(frozen=True)
class ModelSpec:
    """One entry of ``agents.yaml: models``. ``model`` is a litellm id or ``recorded/…`` or ``manual/…``.

    Without a ``price`` litellm's list price is taken; ``unknown`` lets the model run under a ceiling in dollars that
    does not count it.
    """

    name: str
    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    api_base: str | None = None
    api_key_env: str | None = None
    limits: ModelLimits = ModelLimits()
    fallbacks: tuple[str, ...] = ()
    price: Price | Literal["unknown"] | None = None


DESIGNS = ("sketch", "text")
"""Forms of a reply that can be the job's design, and be asked for once more where that fails."""


@dataclass(frozen=True)
class ReplyForm:
    """How a reply is read: ``code`` (one fenced block), a checked ``sketch``, ``text``, or ``json`` with ``fields``.

    ``fields`` maps each required key to its JSON-schema fragment. ``max_bytes`` bounds the reply. With ``edits``, code
    that mends a module may be search/replace edits of it.
    """

    format: Literal["code", "sketch", "text", "json"] = "text"
    must_define: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    max_bytes: int = 200_000
    edits: bool = False


@dataclass(frozen=True)
class Prompt:
    """A Jinja2 template and the place of its first line."""

    text: str
    mark: Mark


@dataclass(frozen=True)
class AgentSpec:
    """A role: prompts + model + form of the reply. ``model`` names an entry of ``models``.

    ``repair`` is the message that goes on from an earlier reply when that is to be mended; without one, ``prompt``
    says all of it anew.
    """

    name: str
    model: str
    system: Prompt
    prompt: Prompt
    reply: ReplyForm = ReplyForm()
    description: str = ""
    repair: Prompt | None = None


@dataclass(frozen=True)
class Workflow:
    """Named steps in the order in which they run."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""

    def text_steps(self, agents: Mapping[str, AgentSpec]) -> tuple[str, ...]:
        """The steps whose answers are no code: later prompts can read them as ``steps.NAME``."""
        asked = (step for step in self.steps if isinstance(step, AgentStep))
        return tuple(step.name for step in asked if agents[step.agent].reply.format != "code")

    def designer(self, agents: Mapping[str, AgentSpec]) -> str | None:
        """Whose reply is the sketch: the first agent asked that writes a sketch, else the first that writes a text."""
        asked = [step.agent for step in self.steps if isinstance(step, AgentStep)]
        forms = (next((name for name in asked if agents[name].reply.format == form), None) for form in DESIGNS)
        return next((name for name in forms if name is not None), None)


@dataclass(frozen=True)
class RayReach:
    """A Ray cluster that has a target. ``resources`` are what one judgement takes of it: whole numbers, whole devices.

    ``wait`` is how many seconds a judgement waits for a place to come free.
    """

    address: str
    resources: Mapping[str, int]
    wait: float = 1800.0

    @property
    def wanted(self) -> str:
        """``h200: 1, CPU: 4``."""
        return ", ".join(f"{name}: {amount}" for name, amount in self.resources.items())

    def __str__(self) -> str:
        return f"Ray at {self.address}, {self.wanted}"


@dataclass(frozen=True)
class Target:
    """One entry of ``hardware.yaml``. ``facts`` are as written there, one's own among them; ``sources`` cites them.

    ``device`` is what the name of a local device must contain for a run on it to be a run on this target
    (an H100 and an H200 share ``sm_90a`` and are not the same device). ``reach`` says that it is elsewhere.
    """

    name: str
    platform: str
    arch: str
    title: str = ""
    device: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    reach: RayReach | None = None

    @property
    def on_host(self) -> bool:
        """True for processors: candidates run on the machine itself, and no device is chosen for them."""
        return PLATFORMS[self.platform].on_host


@dataclass(frozen=True)
class ToolchainFile:
    """A toolchain module that lies beside its DSL's pack; its text goes along to wherever candidates are judged."""

    name: str
    source: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class DslPack:
    """One DSL: its toolchain, the evidence it can reach per platform (best first), and its knowledge.

    ``toolchain`` names an installed one, or is a module that lies beside the pack; ``always``, ``by_operator``,
    ``by_platform``, ``repair`` (for whoever mends a candidate) and ``improve`` (for whoever makes a right one faster)
    hold the text of the knowledge documents themselves.
    """

    name: str
    title: str
    toolchain: str | ToolchainFile
    platforms: Mapping[str, tuple[Evidence, ...]]
    always: tuple[str, ...] = ()
    by_operator: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_platform: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    repair: tuple[str, ...] = ()
    improve: tuple[str, ...] = ()

    def knowledge(self, kind: str | None, platform: str) -> tuple[str, ...]:
        """The documents for an operator of that kind on that platform, what most jobs share first."""
        return (*self.always, *self.by_operator.get(kind or "", ()), *self.by_platform.get(platform, ()))


@dataclass(frozen=True)
class Operator:
    """The PyTorch reference in KernelBench form. ``kind`` (gemm, softmax, … as the task has it) chooses knowledge."""

    file: Path
    source: str
    kind: str | None = None


@dataclass(frozen=True)
class SourceKernel:
    """The kernel to migrate from.

    A module with ``ModelNew`` needs no more. A bare ``.cu`` also says how its host function is called:
    ``call`` is ``function(argument, …)`` over inputs and parameters by name, ``out``, ``NAME.shape[i]``
    and integers; ``out`` is the shape of the output in the same terms. ``inputs`` are the names of the operator's
    inputs as its ``forward`` has them, in order (empty: the call's other names in their order).
    """

    dsl: str
    file: Path
    source: str
    call: str | None = None
    out: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class FastGate:
    """The speedup over ``over`` must reach ``at_least`` where the candidate was executed."""

    over: Literal["eager", "torch.compile"] = "eager"
    at_least: float = 1.0


@dataclass(frozen=True)
class Gates:
    """What a matrix cell must reach for the run to exit 0, beside a verdict that passes."""

    evidence: Evidence = Evidence.NONE
    fast: FastGate | None = None


@dataclass(frozen=True)
class Budget:
    """Ceilings of one run: US dollars, tokens in and out, wall minutes, and minutes of judging. None is no ceiling.

    ``device_minutes`` sums how long each judgement held its place on a device, however many ran side by side.
    """

    usd: float | None = None
    tokens: int | None = None
    minutes: float | None = None
    device_minutes: float | None = None


@dataclass(frozen=True)
class Task:
    """What is wanted. ``cases`` are keyword sets for the operator's ``get_inputs``/``get_init_inputs``."""

    name: str
    file: Path
    kind: Literal["generate", "migrate", "optimize"]
    operator: Operator
    dsls: tuple[str, ...]
    targets: tuple[str, ...]
    workflow: str
    description: str = ""
    cases: tuple[Mapping[str, Scalar], ...] = ()
    dtype: str | None = None
    source: SourceKernel | None = None
    gates: Gates = Gates()
    budget: Budget = Budget()
    tolerance: float = 1.0
    """Factor on the judge's own error bound; any value but 1 is named in the verdict."""
    framework: Literal["forbid", "allow"] = "forbid"
    """Whether the framework's own kernels may do the operator's work; ``allow`` is named in the verdict."""
    baselines: tuple[str, ...] = ("eager",)
    """What a timing compares with: ``eager``, ``torch.compile``. Without any, nothing is timed."""
    usd_mark: Mark | None = None
    """Where the file states ``budget.usd``."""
    profile: bool = False
    """Whether the GPU's counters are read about what was timed, where the machine allows it."""


@dataclass(frozen=True)
class KnowledgeSpec:
    """How runs use the store of verified kernels. ``store`` is its file; None is the one in the user's data folder.

    ``use`` is ``always``, ``never``, or ``auto``: whenever anything but a recording may answer. ``add`` keeps the
    kernels of jobs that met their gates. At most ``examples`` kernels and ``max_tokens`` tokens of them go into a
    prompt.
    """

    store: Path | None = None
    use: Literal["auto", "always", "never"] = "auto"
    add: bool = True
    examples: int = 2
    max_tokens: int = 2_000


@dataclass(frozen=True)
class Workspace:
    """Everything that names resolve to: the workspace's own entries over the packaged ones.

    ``origins`` has the place of each entry by section and name: ``origins["targets"]["cpu"]``.
    """

    root: Path
    models: Mapping[str, ModelSpec]
    agents: Mapping[str, AgentSpec]
    workflows: Mapping[str, Workflow]
    targets: Mapping[str, Target]
    dsls: Mapping[str, DslPack]
    knowledge: KnowledgeSpec = KnowledgeSpec()
    origins: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict)
