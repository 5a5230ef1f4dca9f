"""What a run hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from akgflow.budget.ledger import Spent
from akgflow.config.types import Budget, Scalar
from akgflow.errors import ExitCode
from akgflow.search.winners import Row, Winner
from akgflow.verdict import Verdict


class Outcome(StrEnum):
    """How a job ended."""

    MET = "met"
    GATE_FAILED = "gate_failed"
    IMPOSSIBLE = "impossible"
    NO_PROVIDER = "no_provider"
    BUDGET = "budget"


@dataclass(frozen=True)
class Attempt:
    """One candidate on its way: where it came from and what the judge said."""

    step: str
    attempt: int
    sample: int
    candidate: str
    status: str
    message: str


@dataclass(frozen=True)
class Gain:
    """What a step made of a job's best candidate, and what it took."""

    step: str
    status: str = ""
    """Of the best candidate after it; empty where there was none yet."""
    speed: tuple[float, float, float] | None = None
    """Of the same over the first baseline, and the interval; None where it has no time."""
    tokens: int = 0
    """Of prompts and replies, recorded ones included."""
    judged: int = 0
    """Candidates."""
    device_seconds: float = 0.0
    """For which judgements and rankings held their place."""


@dataclass(frozen=True)
class ShownKernel:
    """A kernel of the knowledge store that prompts showed: its entry's id, its task and target."""

    entry: str
    task: str
    target: str

    def __str__(self) -> str:
        return f"{self.task} on {self.target}" + (f" ({self.entry})" if self.entry else "")


@dataclass(frozen=True)
class Regret:
    """One shape that neither a prompt nor the choice had seen, with seconds of a call there."""

    case: Mapping[str, Scalar]
    seconds: float
    """Of the dispatcher."""
    single_seconds: float
    """Of the best kernel for all cases together."""
    best_seconds: float
    """Of the kernel that is the fastest there."""
    best: str
    """Its id."""
    over_single: tuple[float, float, float]
    """How many times as fast as the best single kernel, and the interval."""
    call: str
    """``faster``, ``same`` or ``slower`` than that."""

    @property
    def regret(self) -> float:
        """What a better choice would have saved, as a share: 0.05 where the best kernel takes 5 % less."""
        return max(0.0, 1.0 - self.best_seconds / self.seconds)


@dataclass(frozen=True)
class Dispatch:
    """Several kernels as one, or why there is none."""

    kept: bool
    reason: str = ""
    """Why it is not kept."""
    candidate: str = ""
    """The dispatcher's id."""
    winners: tuple[Winner, ...] = ()
    """The single best one first; it serves what is outside the cases, too, where it is general."""
    table: tuple[Row, ...] = ()
    regrets: tuple[Regret, ...] = ()
    unseen: bool = True
    """Whether the shapes of ``regrets`` were drawn; else they are the cases, since no others are served."""
    verdict: Verdict | None = None
    """Of the dispatcher."""


@dataclass(frozen=True)
class JobResult:
    """One matrix cell's end. ``reason`` says why the outcome is not ``met``; empty when it is.

    ``origins`` tell where the replies came from: ``live``, ``recorded``, ``manual``. ``notes`` say what steps had to
    say, such as why a search ended before its cap. ``examples`` are the kernels that its prompts could show.
    """

    job: str
    dsl: str
    target: str
    outcome: Outcome
    reason: str = ""
    best: str | None = None
    verdict: Verdict | None = None
    attempts: tuple[Attempt, ...] = ()
    calls: int = 0
    origins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    examples: tuple[ShownKernel, ...] = ()
    dispatch: Dispatch | None = None
    """None where one kernel was to be kept, or the job did not meet its gates."""
    gains: tuple[Gain, ...] = ()
    """What each step came to, in their order; results of older versions have none."""


@dataclass(frozen=True)
class Account:
    """One step with one model, over all jobs. Judgements have no model.

    ``reserved`` tokens were held while the calls were out; ``usd`` is what live calls cost, and ``unpriced`` counts
    those whose price nobody knows. ``excess`` tokens were claimed beyond what was reserved and are not booked.
    ``device_seconds`` is the time for which ``judged`` judgements held their place. ``lost`` counts calls and
    judgements that brought no result; what they took, or what was reserved for them, is in the sums.
    """

    step: str
    model: str = ""
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reserved: int = 0
    usd: float = 0.0
    unpriced: int = 0
    excess: int = 0
    judged: int = 0
    device_seconds: float = 0.0
    lost: int = 0

    def __add__(self, other: Account) -> Account:
        """The sum, under this row's names."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        return replace(self, **sums)


_SUMMED = tuple(name for name in Account.__dataclass_fields__ if name not in ("step", "model"))


@dataclass(frozen=True)
class RunResult:
    """A run's end; ``notes`` are what the user should know, such as prompts changed since their recording.

    ``accounts`` say by step and model where ``spent`` went, of which ``budget`` is the ceiling.
    """

    task: str
    folder: str
    jobs: tuple[JobResult, ...]
    spent: Spent
    seconds: float
    source: Verdict | None = None
    notes: tuple[str, ...] = ()
    resumed_effects: int = 0
    budget: Budget = field(default_factory=Budget)
    accounts: tuple[Account, ...] = ()

    @property
    def finished(self) -> bool:
        """False when a later session can continue the run."""
        return not any(job.outcome in (Outcome.NO_PROVIDER, Outcome.BUDGET) for job in self.jobs)

    @property
    def exit_code(self) -> ExitCode:
        """The most pressing outcome decides: a missing provider, then the budget, then a failed gate."""
        outcomes = {job.outcome for job in self.jobs}
        for outcome, code in _CODES:
            if outcome in outcomes:
                return code
        return ExitCode.DONE if Outcome.MET in outcomes else ExitCode.GATE_FAILED


_CODES = (
    (Outcome.NO_PROVIDER, ExitCode.PREREQUISITE),
    (Outcome.BUDGET, ExitCode.BUDGET),
    (Outcome.GATE_FAILED, ExitCode.GATE_FAILED),
)
