"""The folder of a run that was never run: written by the same classes, as large and as hostile as a test wants it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from akgflow.base.atomic import write_json, write_text
from akgflow.budget.ledger import Spent
from akgflow.budget.usage import Usage
from akgflow.config.types import Budget, Gates
from akgflow.machine import Machine
from akgflow.models.base import CallKey, ModelReply
from akgflow.planning import Job, Plan
from akgflow.planning.types import Ceiling, Reach
from akgflow.runs.folder import RunFolder, claim
from akgflow.runs.journal import Journal
from akgflow.runs.layout import OPERATOR, PARENTS, RESULT, attempt_in, best_in
from akgflow.runs.records import Finished
from akgflow.runs.result import Attempt, JobResult, Outcome, RunResult
from akgflow.runs.spending import accounts
from akgflow.search import Candidate, worth
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, Correctness, Environment, Roofline, Timing, Verdict

CASE = {"m": 4096, "n": 4096}
DEVICE = "NVIDIA H200"
_PEAK, _PASSES = 67e12, 4.8e12
_ATTENDED = "".join(
    f"- rule {n}: {'keep the tile in registers and walk along the contiguous axis ' * 2}\n" for n in range(90)
)


@dataclass
class WrittenRun:
    """Turns are added one by one, as a run that goes on does; `finish` writes the result."""

    folder: RunFolder
    plan: Plan
    journal: Journal
    seed: int = 7
    made: dict[str, list[tuple[Candidate, Verdict]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._took = 0.0

    @property
    def path(self) -> Path:
        return self.folder.path

    def turn(
        self,
        job: Job,
        step: str,
        attempt: int,
        sample: int = 1,
        *,
        speed: float | None,
        words: str = "",
        usd: float = 0.004,
    ) -> Candidate:
        """One call and one judged candidate; ``speed`` None is a wrong one. ``words`` stand in every text."""
        before = self.made.setdefault(job.id, [])
        parent = max(before, key=lambda one: worth(one[1]), default=None)
        source = _source(self._random, parent[0].source if parent else "", words)
        candidate = Candidate(source, step, attempt, sample, (parent[0].id,) if parent else ())
        key = CallKey(self.plan.task, job.id, step, attempt, sample, "coder")
        place = attempt_in(self.folder.path, job.id, step, attempt, sample)
        write_text(place / "prompt.coder.md", f"# user\n\n{_ATTENDED}{words}\n{parent[0].source if parent else ''}")
        text = f"{words}\n```python\n{source}```\n"
        usage = Usage(3_000, 900, cost=usd)
        self.journal.write(f"call {key}", Finished(key, "f", ModelReply(text, usage, "openai/gpt-5", "live")))
        write_text(place / "reply.coder.md", text)
        write_text(place / "candidate.py", source)
        write_json(place / PARENTS, candidate.parents)
        verdict = _verdict(job, speed, words, self._random)
        self.journal.write(f"verdict {job.id}.{candidate.id}", verdict, step=step)
        write_json(place / "verdict.json", verdict)
        before.append((candidate, verdict))
        return candidate

    def finish(self) -> None:
        """Write what a run writes at its end."""
        jobs = tuple(self._result(job) for job in self.plan.jobs)
        write_text(self.path / OPERATOR, "import torch\n\n\nclass Model(torch.nn.Module):\n    pass\n")
        result = RunResult(
            self.plan.task,
            str(self.path),
            jobs,
            Spent(),
            1_800.0,
            budget=self.plan.budget,
            accounts=accounts(self.journal),
        )
        write_json(self.path / RESULT, result)

    def _result(self, job: Job) -> JobResult:
        made = self.made.get(job.id)
        if job.impossible or not made:
            return JobResult(job.id, job.dsl, job.target, Outcome.IMPOSSIBLE, job.impossible)
        best, verdict = max(made, key=lambda one: worth(one[1]))
        write_text(best_in(self.folder.path, job.id) / "candidate.py", best.source)
        write_json(best_in(self.folder.path, job.id) / "verdict.json", verdict)
        attempts = tuple(Attempt(c.step, c.attempt, c.sample, c.id, v.status, v.message) for c, v in made)
        outcome = Outcome.MET if verdict.passed else Outcome.GATE_FAILED
        reason = "" if verdict.passed else verdict.message
        return JobResult(job.id, job.dsl, job.target, outcome, reason, best.id, verdict, attempts, len(made), ("live",))

    def close(self) -> None:
        self.journal.close()
        self.folder.release()


def written_run(path: Path, dsls: tuple[str, ...] = ("triton", "cuda_c"), *, task: str = "gemm") -> WrittenRun:
    """A run of one job for each DSL, and one that is impossible."""
    reach = Reach((Evidence.EXECUTED,), {})
    jobs = [Job(f"{dsl}-nvidia_h200", dsl, "nvidia_h200", "cuda", "sm_90a", reach) for dsl in dsls]
    away = Job("cpp-nvidia_h200", "cpp", "nvidia_h200", "cuda", "sm_90a", Reach((), {}), impossible="it runs on cpu")
    plan = Plan(
        task=task,
        kind="generate",
        workflow="search",
        operator="gemm.py",
        cases=(CASE,),
        dtype=None,
        gates=Gates(),
        budget=Budget(usd=20.0, tokens=8_000_000, minutes=60),
        models={"default": "openai/gpt-5"},
        source=None,
        jobs=(*jobs, away),
        ceiling=Ceiling(0, 0, 0, 0, None),
        machine=Machine("AMD EPYC 9654", 96),
        inputs={},
    )
    folder = claim(path, plan)
    return WrittenRun(folder, plan, Journal(folder.journal))


def searched_run(path: Path, candidates: int, words: str = "") -> Iterator[WrittenRun]:
    """A search that gets faster with luck, yielded after each of its candidates; the caller closes it."""
    run = written_run(path)
    random = Random(candidates)
    for number in range(candidates):
        job = run.plan.jobs[number % 2]
        generation, sample = number // 16 + 1, number % 16 // 2 + 1
        speed = None if random.random() < 0.4 else 0.4 + random.random() * (0.4 + number / candidates)
        run.turn(job, "evolve", generation, sample, speed=speed, words=words)
        yield run


def _source(random: Random, parent: str, words: str) -> str:
    """A kernel; a child differs from its parent in a few lines."""
    lines = parent.split("\n") if parent else [f"# {words}", *_KERNEL.split("\n")]
    for _ in range(4):
        lines[random.randrange(1, len(lines))] = f"    acc = tl.dot(a, b, acc)  # variant {random.randrange(10**9)}"
    return "\n".join(lines)


_KERNEL = (
    "\n".join(f"    offsets_{n} = start_{n} + tl.arange(0, BLOCK)[:, None] * stride_{n}" for n in range(48)) + "\n"
)


def _verdict(job: Job, speed: float | None, words: str, random: Random) -> Verdict:
    right = speed is not None
    kinds = ("normal", "large", "zeros", "integers", "sparse", "one-hot")
    detail = "" if right else f"element (0, 3) is 1.5 instead of 2.25 {words}"
    status = Status.PASSED if right else Status.INCORRECT_NUMERICAL
    cases = tuple(
        CaseResult(CASE, kind, status, error=1e-4, bound=2e-3, framework_error=8e-5, total=1 << 24, detail=detail)
        for kind in kinds
    )
    message = "right on all 6 input sets" if right else f"wrong at 1 of 1 shapes: {detail}"
    environment = Environment(DEVICE, {"torch": "2.13.0"})
    return Verdict(
        status=status,
        message=message,
        target=job.target,
        evidence=(Evidence.EXECUTED, Evidence.COMPILED),
        environment=environment,
        timestamp="2026-11-29T08:00:00+00:00",
        log=words,
        correctness=Correctness(1e-4, 1e-5, cases),
        timing=(_timing(speed, random),) if speed is not None else (),
        seconds=1.5,
    )


def _timing(speed: float, random: Random) -> Timing:
    """Against a baseline of 4.1 ms; the operator's own work is 137 GFLOP over 201 MB."""
    took, spread = 4.1e-3 / speed, 0.01 + random.random() * 0.03
    flops, size = 2.0 * 4096**3, 12.0 * 4096**2
    floor = max(flops / _PEAK, size / _PASSES)
    interval = speed * (1 - spread), speed * (1 + spread)
    call = "faster" if interval[0] > 1.01 else "slower" if interval[1] < 0.99 else "same"
    roof = Roofline(floor, flops, size, "compute" if flops / _PEAK > size / _PASSES else "memory", floor / took)
    return Timing(CASE, "eager", took, 4.1e-3, speed, interval, call, 40, 0.02, DEVICE, roofline=roof)
