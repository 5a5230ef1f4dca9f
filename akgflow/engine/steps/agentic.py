"""The step ``agentic``: an agent works in a folder and asks the judge; what it leaves is judged once it has ended.

What the judge says while the agent works is feedback and no more: what runs beside a timing can disturb it. So the
best of it is judged again, by the run alone, when nothing of the agent is left.

Each question is journaled before it is judged. A session that was interrupted goes on: in the same folder, with the
judgements and the minutes that are left, and nothing that was judged is judged again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from akgflow.agents import HistoryEntry, MalformedReply, PromptContext, Rendered, describe, parse_reply, render, summary
from akgflow.base.text import received
from akgflow.config.prompts.context import SessionView
from akgflow.config.steps import AgenticStep
from akgflow.engine.agentic import folder
from akgflow.engine.agentic.service import Answer, JudgeService
from akgflow.engine.context import RunContext, Turn, form_id
from akgflow.engine.state import JobState, malformed
from akgflow.knowledge import store_path
from akgflow.models.base import CallKey, ModelReply
from akgflow.models.local.inbox import render as as_text
from akgflow.models.local.session import Session, file_in
from akgflow.runs.layout import WORK, attempt_in
from akgflow.runs.records import AgentSession
from akgflow.runs.spending import session_seconds
from akgflow.search import Candidate, Judged
from akgflow.verification.sandbox.untrusted_files import remove


async def run(step: AgenticStep, state: JobState, run: RunContext) -> None:
    """Let the agent work, and judge its best. Its question n is attempt n, and what counts comes after them."""
    work = _Work(step, state, run)
    await work.take_up()
    reply = await work.done()
    await work.judge_best(reply)


class _Work:
    """One agent's work in one job; ``trials`` are its questions with the verdicts about them, in order."""

    def __init__(self, step: AgenticStep, state: JobState, run: RunContext) -> None:
        self._step, self._state, self._run = step, state, run
        self._place = f"{state.job.id}.{step.name}"
        self._turn = Turn(step.name)
        self._folder = attempt_in(run.folder.path, state.job.id, step.name, 1, 1) / WORK
        self._trials: list[Judged] = []
        pool = state.pool(step.start)
        self._base = max(pool, key=lambda judged: judged.worth, default=None)
        state.hand_on(step.name, [self._base] if self._base else [])

    async def take_up(self) -> None:
        """Take up what an interrupted session has asked already."""
        journal = self._run.journal
        while (key := self._question(len(self._trials) + 1)) in journal:
            await self._judge(journal.read(key, str))

    async def done(self) -> ModelReply:
        """What the agent said and left, once it has ended; raises what ended the judging."""
        rendered = self._rendered()
        if f"call {self._key}" in self._run.journal:
            return await self._reply(rendered)
        folder.prepare(self._folder, as_text(rendered.messages), self._base.candidate.source if self._base else "")
        agent = self._run.workspace.agents[self._step.agentic]
        async with JudgeService(self._folder, self._verify, agent.reply.max_bytes // 2) as judge:
            call = asyncio.ensure_future(self._reply(rendered))
            try:
                first: list[asyncio.Future[Any]] = [call, judge.broken]
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                if judge.broken.done():
                    judge.broken.result()
                return await call
            finally:
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)

    async def judge_best(self, reply: ModelReply) -> None:
        """Judge what counts: the best that was found right, else the file as it was left, else the best of all."""
        remove(self._folder)
        for trial in self._trials:
            self._state.trial(trial)
        self._run.say(self._state, f"{self._step.name}: {self._step.agentic} {_ended(reply)}: {self._used()}")
        number = len(self._trials) + 1
        try:
            source = self._chosen(reply)
        except MalformedReply as wrong:
            self._state.add(malformed(self._step.name, number, 1, str(wrong)))
            return
        parents = (self._base.candidate.id,) if self._base else ()
        candidate = Candidate(source, self._step.name, number, 1, parents)
        self._state.add(await self._run.judge_candidate(self._state, candidate))

    def _chosen(self, reply: ModelReply) -> str:
        right = [trial for trial in self._trials if trial.verdict.passed]
        if right:
            return max(right, key=lambda trial: trial.worth).candidate.source
        file = file_in(reply.text)
        if file is None:
            # A recording by hand, or another model: it answers as a coder does.
            form = self._run.workspace.agents[self._step.agentic].reply
            pack = self._run.workspace.dsls[self._state.job.dsl]
            return parse_reply(reply.text, form, pack, reply.finish_reason, "").text
        if file.strip():
            return file
        if self._trials:
            return max(self._trials, key=lambda trial: trial.worth).candidate.source
        raise MalformedReply(f"{self._step.agentic} left no {folder.CANDIDATE} that can be read, and {_ended(reply)}")

    async def _reply(self, rendered: Rendered) -> ModelReply:
        task, space, before = self._run.task, self._run.workspace, len(self._trials)
        hidden = (
            *(space.runs, self._run.folder.path, task.file, task.file.parent / "recordings"),
            store_path(space.knowledge, space.root),
        )
        session = Session(
            folder=self._folder,
            file=folder.CANDIDATE,
            hidden=tuple(str(path.absolute()) for path in hidden),
            begin=self._begin,
            tokens=self._step.tokens,
            asked=lambda: len(self._trials) > before,
        )
        return await self._run.work(self._state, self._step.agentic, self._turn, rendered, session)

    def _begin(self) -> float:
        key = f"session {self._place}"
        if key not in self._run.journal:
            given = AgentSession(self._step.agentic, self._step.judgements, self._step.minutes)
            self._run.journal.write(key, given, step=self._step.name)
        self._say(f"{self._step.agentic} is at work: {self._used()}")
        return 60.0 * self._step.minutes - self._taken()

    async def _verify(self, source: str) -> Answer:
        source, most = received(source), self._step.judgements
        for number, trial in enumerate(self._trials, 1):
            if form_id(trial.candidate.source) == form_id(source):
                return _answer(trial, f"the same as judgement {number} of {most}, so it is not judged again")
        if len(self._trials) >= most:
            return Answer(2, f"not judged: all {most} judgements are used; end your work")
        self._run.journal.write(self._question(len(self._trials) + 1), source, step=self._step.name)
        trial = await self._judge(source)
        self._say(f"{self._step.agentic} is at work: {self._used()}: {trial.verdict.status}")
        return _answer(trial, f"judgement {len(self._trials)} of {most}")

    async def _judge(self, source: str) -> Judged:
        candidate = Candidate(source, self._step.name, len(self._trials) + 1, 1)
        trial = await self._run.judge_candidate(self._state, candidate, trial=True)
        self._trials.append(trial)
        return trial

    def _rendered(self) -> Rendered:
        session = SessionView(self._step.judgements, f"{self._step.minutes:g}", folder.CANDIDATE, mcp=folder.has_mcp())
        context: PromptContext = replace(self._run.prompt_context(self._state), session=session)
        last = self._trials[-1] if self._trials else self._base
        if last is not None:
            verdicts = (trial.verdict for trial in self._trials[:-1])
            context = replace(
                context,
                candidate=last.candidate.source,
                feedback=describe(last.verdict),
                history=tuple(HistoryEntry(n, v.status, summary(v.message)) for n, v in enumerate(verdicts, 1)),
            )
        return render(self._run.workspace.agents[self._step.agentic], context)

    @property
    def _key(self) -> CallKey:
        turn, job = self._turn, self._state.job.id
        return CallKey(self._run.plan.task, job, turn.step, turn.attempt, turn.sample, self._step.agentic)

    def _question(self, number: int) -> str:
        return f"asked {self._place}.{number}"

    def _taken(self) -> float:
        return session_seconds(self._run.journal, self._place, f"call {self._key}")

    def _used(self) -> str:
        minutes = f"{self._taken() / 60:.1f} of {self._step.minutes:g} minutes"
        return f"{len(self._trials)} of {self._step.judgements} judgements and {minutes} used"

    def _say(self, text: str) -> None:
        self._run.notify(self._state.job.id, f"{self._step.name}: {text}")


def _ended(reply: ModelReply) -> str:
    return "ended" if reply.finish_reason == "stop" else reply.finish_reason


def _answer(trial: Judged, used: str) -> Answer:
    return Answer(0 if trial.verdict.passed else 1, f"{describe(trial.verdict)}\n({used})")
