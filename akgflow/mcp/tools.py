"""What the tools do. Their names, parameters and docstrings are what an agent reads."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from akgflow import api
from akgflow.base.text import received, visible
from akgflow.errors import ConfigError
from akgflow.mcp.runs import MANUAL, Runs, RunState

_POLL = 0.2
_LONGEST_WAIT = 300.0


@dataclass(frozen=True)
class Asked:
    """A prompt to answer, or none: then ``say`` tells why. ``others`` are the ids of more prompts that wait."""

    say: str
    id: str = ""
    prompt: str = ""
    task: str = ""
    job: str = ""
    step: str = ""
    agent: str = ""
    attempt: int = 0
    others: tuple[str, ...] = ()
    runs: tuple[RunState, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What the judge found. ``feedback`` is what a coder should read; ``report`` the whole table."""

    passed: bool
    status: str
    message: str
    evidence: tuple[str, ...]
    feedback: str
    report: str


class Tools:
    """One method for each tool."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._inbox = api.Inbox(runs.inbox)

    async def tasks(self) -> dict[str, str]:
        """The tasks that can be run here: their names and files."""
        return {name: str(path) for name, path in api.list_tasks(self._runs.workspace).items()}

    async def plan(self, task: str, overrides: list[str] | None = None) -> str:
        """What running a task would do, from where, and at most for how much. Runs and spends nothing.

        task: a task's name or file. overrides: PATH=VALUE texts such as budget.usd=1.
        """
        plan = await asyncio.to_thread(api.plan, task, workspace=self._runs.workspace, overrides=overrides or [])
        return api.show(plan)

    async def run(
        self, task: str, model: str | None = MANUAL, overrides: list[str] | None = None, fresh: bool = False
    ) -> RunState:
        """Start a task in the background, or go on with its unfinished run.

        model: "manual" if you answer the prompts yourself (see next_prompt), another model id such as openai/gpt-5,
        or null for the models that the workspace names. fresh: start again even if an unfinished run could go on.
        """
        started = await self._runs.start(task, model, overrides or [], fresh)
        await asyncio.sleep(_POLL)
        return started.state()

    async def next_prompt(self, wait_seconds: float = 60.0, id: str | None = None) -> Asked:
        """The prompt that has waited longest for an answer; waits up to wait_seconds (at most 300) for one.

        The same prompt comes again until it is answered. id: that very prompt instead. Where nothing waits and a run
        goes on, its judge is at work: call again. Where no run goes on, look at `show`.
        """
        until = time.monotonic() + min(wait_seconds, _LONGEST_WAIT)
        while True:
            waiting = await asyncio.to_thread(self._inbox.waiting)
            if id is not None:
                waiting = tuple(sorted(waiting, key=lambda one: one.id != id))
                if not waiting or waiting[0].id != id:
                    raise ConfigError(f"no prompt {id!r} waits for an answer")
            if waiting:
                return self._asked(waiting)
            going = any(run.running for run in self._runs.all)
            if not going or time.monotonic() >= until:
                return Asked(self._nothing(going), runs=tuple(run.state() for run in self._runs.all))
            await asyncio.sleep(_POLL)

    def _asked(self, waiting: tuple[api.Waiting, ...]) -> Asked:
        one, *others = waiting
        return Asked(
            say=f"answer this prompt with answer(id={one.id!r}, text=...)",
            id=one.id,
            prompt=self._inbox.prompt(one.id),
            task=one.task,
            job=one.job,
            step=one.step,
            agent=one.agent,
            attempt=one.attempt,
            others=tuple(other.id for other in others),
        )

    def _nothing(self, going: bool) -> str:
        if going:
            return "no prompt waits yet: a run goes on, its judge is at work; call next_prompt again"
        return "no prompt waits and no run goes on" + ("; look at show" if self._runs.all else "; start one with run")

    async def answer(self, id: str, text: str) -> Asked:
        """Answer a prompt: the whole reply, in the form that the prompt asks for. Says what waits next, if anything."""
        await asyncio.to_thread(self._inbox.answer, id, text)
        waiting = await asyncio.to_thread(self._inbox.waiting)
        rest = tuple(one.id for one in waiting)
        return Asked(f"taken; {len(rest)} more wait" if rest else "taken; call next_prompt", others=rest)

    async def verify(
        self,
        code: str,
        dsl: str,
        target: str,
        task: str | None = None,
        operator_file: str | None = None,
        cases: list[str] | None = None,
        dtype: str | None = None,
        framework: str | None = None,
        precision: str | None = None,
        mode: str | None = None,
        backward: bool | None = None,
        prepare: bool | None = None,
        baselines: list[str] | None = None,
        shapes: str | None = None,
        time: bool = True,
    ) -> Judgement:
        """Judge one kernel, a Python module with ModelNew, against a task's operator or an operator's file.

        dsl and target: as in a task's matrix, such as cpp and cpu. cases: shapes such as "m=64,n=32"; else the task's.
        framework: forbid or allow, whether PyTorch's own kernels may do the work; else as the task says, or forbid.
        precision: framework, strict, tf32, compute=bf16 or compute=fp16: what float32 may lose; else as the task says.
        mode: eval or train, of the modules; else as the operator constructs itself.
        backward: true judges gradients of floating inputs and parameters, too; else as the task says.
        prepare: true calls the kernel's prepare() whenever its weights are new; else as the task says, or never.
        baselines: what its time is compared with, eager or torch.compile; else as the task says, or eager.
        shapes: sizes that it must serve besides, such as "m=1..8192", or fixed for none; else as the task says.
        time: false asks for correctness only, which is quicker.
        """
        question = api.Question(
            source=received(code),
            dsl=dsl,
            target=target,
            operator=self._file(operator_file) if operator_file else None,
            task=task,
            cases=cases or (),
            dtype=dtype,
            framework=framework,
            precision=precision,
            mode=mode,
            backward=backward,
            prepare=prepare,
            baselines=baselines or (),
            shapes=shapes,
            time=time,
            workspace=self._runs.workspace,
        )
        verdict = await question.verdict()
        return Judgement(
            passed=verdict.passed,
            status=str(verdict.status),
            message=visible(verdict.message),
            evidence=tuple(map(str, verdict.evidence)),
            feedback=api.describe(verdict),
            report=api.show(verdict),
        )

    async def show(self, run: str | None = None) -> str:
        """The table of a run, or how far it came, and where tokens, money and device time went.

        run: the run's folder; else the one that was started last.
        """
        if run is None:
            if not self._runs.all:
                raise ConfigError("this server has started no run yet: name a run's folder")
            folder = self._runs.all[-1].folder
        else:
            folder = self._file(run)
        return api.show(await asyncio.to_thread(api.read_run, folder))

    async def stop(self, run: str) -> RunState:
        """Stop a run in the background; `run` goes on with it later and repeats nothing. run: its folder."""
        found = self._runs.find(run)
        await found.stop()
        return found.state()

    def _file(self, name: str) -> Path:
        path = Path(name).expanduser()
        found = path if path.is_absolute() else self._runs.workspace / path
        if not found.exists():
            raise ConfigError(f"there is no {found}")
        return found
