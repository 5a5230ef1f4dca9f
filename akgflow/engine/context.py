"""What every step of a run may use, and its two effects: asking a model and asking the judge."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from akgflow.agents import (
    HistoryEntry,
    MalformedReply,
    Parsed,
    PromptContext,
    Rendered,
    RepeatedReply,
    parse_reply,
    render,
    summary,
    with_complaint,
)
from akgflow.base.atomic import write_json, write_text
from akgflow.base.text import received
from akgflow.budget.device import CutOff
from akgflow.budget.usage import AbortedSpend
from akgflow.config.steps import AgentStep
from akgflow.config.types import AgentSpec, DslPack, SourceKernel, Task, Workspace
from akgflow.engine.knowledge import RunKnowledge
from akgflow.engine.standing import Stage, Standing
from akgflow.engine.state import JobState
from akgflow.errors import ConfigError
from akgflow.executors.base import Executor
from akgflow.models.base import CUT_SHORT, ENDLESS, TOO_LONG, CallKey, Failure, ModelReply, ProviderError
from akgflow.models.gateway import Gateway
from akgflow.models.local.session import Session
from akgflow.operators.shapes.guarantee import Guarantee
from akgflow.planning import Job, Plan, Reach, judge_request, with_gaps
from akgflow.ranking import Ranking, RankRequest
from akgflow.runs.folder import RunFolder
from akgflow.runs.journal import Journal
from akgflow.runs.layout import PARENTS, attempt_in, prompt_file, reply_file
from akgflow.runs.records import Finished
from akgflow.search import Candidate, Judged, normal_form
from akgflow.verdict import JudgeRequest, Verdict

Notify = Callable[[str, str], None]
"""Receives (job id or empty, one line) for everything that happens."""


@dataclass(frozen=True)
class Turn:
    """The place of a call in its job. ``attempt`` and ``sample`` count from 1."""

    step: str
    attempt: int = 1
    sample: int = 1


MAX_HISTORY = 6
"""The most earlier attempts in one prompt."""
MOST_SHOWN = 2_000
"""Characters of a reply that was too long, in the prompt that asks for it again."""
Note = Callable[[ModelReply], None]
"""Receives every reply of a call."""
OF_TASK = "task"
"""Stands for the job in the keys of calls that are made once for all jobs of a task."""


@dataclass(frozen=True)
class ParsedReply:
    """A reply in its form, and the conversation that ended with it."""

    parsed: Parsed
    talk: Rendered


@dataclass(frozen=True)
class RunContext:
    """One session of a run."""

    task: Task
    workspace: Workspace
    plan: Plan
    folder: RunFolder
    journal: Journal
    gateway: Gateway
    executor: Executor
    notify: Notify
    knowledge: RunKnowledge
    record_aborted: Callable[[AbortedSpend], None]
    standing: Standing
    _shared: dict[str, asyncio.Task[tuple[ParsedReply, ModelReply]]] = field(default_factory=dict)

    @property
    def designer(self) -> str | None:
        """The agent whose answer is the sketch."""
        return self.workspace.workflows[self.task.workflow].designer(self.workspace.agents)

    @property
    def design_steps(self) -> tuple[str, ...]:
        """The steps that ask the designer."""
        steps = self.workspace.workflows[self.task.workflow].steps
        return tuple(step.name for step in steps if isinstance(step, AgentStep) and step.agent == self.designer)

    def prompt_context(self, state: JobState) -> PromptContext:
        """The prompt variables of a job before there is a candidate to mend."""
        job = state.job
        pack, target = self.workspace.dsls[job.dsl], self.workspace.targets[job.target]
        targets = [self.workspace.targets[name] for name in self.task.targets]
        context = PromptContext.of(self.task, pack, target, self.plan.machine, targets)
        examples = self.knowledge.examples(job.id)
        return replace(context, sketch=state.sketch, steps=dict(state.texts), examples=examples)

    async def ask(
        self, state: JobState, agent: str, turn: Turn, context: PromptContext, earlier: Rendered | None = None
    ) -> ParsedReply:
        """A reply of ``agent`` in its form; ``earlier`` is the conversation that wrote what is to be mended.

        A malformed reply is sent back once with the reason, and one that was cut off is asked for once with more room;
        raises `MalformedReply` when the second is malformed too, and `RepeatedReply` when it is the same.
        """
        pack = self.workspace.dsls[state.job.dsl]
        spec = self.workspace.agents[agent]
        return await self._ask(state.job.id, state.note, spec, pack, turn, context, earlier)

    async def ask_once(self, state: JobState, agent: str, turn: Turn, context: PromptContext) -> ParsedReply:
        """The same for a reply that all jobs of a task share: the first job asks for it."""
        key = f"{turn.step}.{turn.attempt}.{turn.sample}.{agent}"
        if key not in self._shared:
            spec = self.workspace.agents[agent]
            replies: list[ModelReply] = []

            async def asked() -> tuple[ParsedReply, ModelReply]:
                return await self._ask(OF_TASK, replies.append, spec, None, turn, context, None), replies[-1]

            self._shared[key] = asyncio.create_task(asked())
        answer, reply = await asyncio.shield(self._shared[key])
        state.origins.add(reply.origin)
        return answer

    async def _ask(
        self,
        job: str,
        note: Note,
        agent: AgentSpec,
        pack: DslPack | None,
        turn: Turn,
        context: PromptContext,
        earlier: Rendered | None,
    ) -> ParsedReply:
        rendered = render(agent, context, earlier)
        reply = await self._call(job, note, agent, turn, rendered, 0)
        try:
            parsed = parse_reply(reply.text, agent.reply, pack, reply.finish_reason, context.candidate)
        except MalformedReply as malformed:
            first = reply
            reply = await self._ask_again(job, note, agent, turn, rendered, first, malformed)
            try:
                parsed = parse_reply(reply.text, agent.reply, pack, reply.finish_reason, context.candidate)
            except MalformedReply as still:
                if reply.text.split() == first.text.split():
                    raise RepeatedReply(f"{still}; the same reply came twice, so it is not asked for again") from None
                raise
        return ParsedReply(parsed, rendered.answered(reply.text))

    async def _ask_again(
        self,
        job: str,
        note: Note,
        agent: AgentSpec,
        turn: Turn,
        rendered: Rendered,
        reply: ModelReply,
        malformed: MalformedReply,
    ) -> ModelReply:
        """The second and last reply: with more room where the first was cut off, else with what is wrong with it."""
        if reply.finish_reason == CUT_SHORT and self.gateway.has_more_room(agent.model):
            self.notify(job, f"{turn.step}: {agent.name}'s reply was cut off at max_tokens; asked again with more room")
            try:
                return await self._call(job, note, agent, turn, rendered, 1, more_room=True)
            except ProviderError as refused:
                # A server may not have the room: its context is full.
                if refused.failure is not Failure.REQUEST:
                    raise
                self.notify(job, f"{turn.step}: {refused}; asked for a shorter reply")
        else:
            self.notify(job, f"{turn.step}: {agent.name}'s reply is malformed ({malformed}); asked again")
        # Of an endless reply the beginning is enough.
        endless = reply.finish_reason in (TOO_LONG, ENDLESS)
        shown = reply.text[:MOST_SHOWN] + "\n…" if endless else reply.text
        return await self._call(job, note, agent, turn, with_complaint(rendered, shown, str(malformed)), 1)

    async def _call(
        self,
        job: str,
        note: Note,
        agent: AgentSpec,
        turn: Turn,
        rendered: Rendered,
        resend: int,
        *,
        more_room: bool = False,
        session: Session | None = None,
    ) -> ModelReply:
        key = CallKey(self.plan.task, job, turn.step, turn.attempt, turn.sample, agent.name, resend)
        place = attempt_in(self.folder.path, job, turn.step, turn.attempt, turn.sample)

        async def effect() -> Finished:
            prompt = "\n\n".join(f"# {message.role}\n\n{message.content}" for message in rendered.messages)
            write_text(place / prompt_file(agent.name, resend), prompt + "\n")
            if session is None:
                self.notify(job, f"{turn.step}: asking {agent.name}")
            self.standing.enters(job, Stage.AT_WORK if session else Stage.ASKING)
            reply = await self.gateway.complete(
                key,
                agent.model,
                rendered.messages,
                rendered.fingerprint,
                agent.reply.max_bytes,
                more_room=more_room,
                session=session,
            )
            self.standing.enters(job, Stage.WORKING)
            reply = replace(reply, text=received(reply.text))
            return Finished(key, rendered.fingerprint, reply)

        finished = await self.journal.once(f"call {key}", Finished, effect)
        # After the journal has it: a full disk here must not lose a reply that is paid for.
        write_text(place / reply_file(agent.name, resend), finished.reply.text)
        note(finished.reply)
        return finished.reply

    async def work(self, state: JobState, agent: str, turn: Turn, rendered: Rendered, session: Session) -> ModelReply:
        """The reply of an agent that works in a folder."""
        spec = self.workspace.agents[agent]
        return await self._call(state.job.id, state.note, spec, turn, rendered, 0, session=session)

    async def judge_candidate(self, state: JobState, candidate: Candidate, *, trial: bool = False) -> Judged:
        """The judge's verdict about a candidate.

        Sources that differ in form only are one candidate and judged once in a job: the first one, whose text is
        returned. The step adds it to the job's state, in an order that does not depend on which was judged first.

        A ``trial`` is judged while an agent is at work, which can burden the machine: its verdict tells the agent what
        to do, and nothing else.
        """
        job = state.job
        place = attempt_in(self.folder.path, job.id, candidate.step, candidate.attempt, candidate.sample)
        write_text(place / "candidate.py", candidate.source)
        write_json(place / PARENTS, candidate.parents)
        if not trial:
            candidate = replace(candidate, source=await self._first_of_its_form(job, candidate))
        request = self._request(candidate.source, job.dsl, job.target, job.reach)
        self.notify(job.id, f"{candidate.step} {candidate.attempt}: judging candidate {candidate.id}")
        self.standing.enters(job.id, Stage.JUDGING)
        key = f"trial {job.id}.{candidate.step}.{candidate.attempt}" if trial else f"verdict {job.id}.{candidate.id}"
        verdict = await self._judged(key, request, job.reach, candidate.step)
        if trial:
            self.standing.enters(job.id, Stage.AT_WORK)
        else:
            self.standing.judged(job.id, verdict)
        state.held(key, verdict.seconds)
        write_json(place / "verdict.json", verdict)
        self.notify(job.id, f"{candidate.step} {candidate.attempt}: {verdict.status}: {verdict.message}")
        return Judged(candidate, verdict)

    async def judge_beside(self, job: Job, candidate: Candidate, rivals: Mapping[str, str], unseen: int) -> Judged:
        """The verdict about a candidate that is timed beside others, on so many shapes that the judge draws."""
        asked = self._request(candidate.source, job.dsl, job.target, job.reach)
        request = replace(asked, rivals=rivals, unseen=unseen)
        self.notify(job.id, f"{candidate.step}: judging {len(rivals)} kernels as one, {candidate.id}")
        self.standing.enters(job.id, Stage.JUDGING)
        verdict = await self._judged(f"verdict {job.id}.{candidate.id}", request, job.reach, candidate.step)
        self.standing.enters(job.id, Stage.WORKING)
        self.notify(job.id, f"{candidate.step}: {verdict.status}: {verdict.message}")
        return Judged(candidate, verdict)

    async def rank(self, state: JobState, turn: Turn, base: Candidate, sources: Sequence[str]) -> Ranking:
        """Which of ``sources`` are worth a judgement, as seen beside ``base``, which was judged right."""
        job = state.job
        asked = RankRequest(self._request(base.source, job.dsl, job.target, job.reach), tuple(sources))
        self.notify(job.id, f"{turn.step} {turn.attempt}: ranking {len(sources)} kernels beside candidate {base.id}")
        self.standing.enters(job.id, Stage.JUDGING)

        async def effect() -> Ranking:
            with self._cut_off(turn.step):
                return await self.executor.rank(asked)

        ranking = await self.journal.once(f"rank {job.id}.{turn.step}.{turn.attempt}", Ranking, effect, step=turn.step)
        state.held(f"{turn.step}.{turn.attempt}", ranking.seconds)
        self.standing.enters(job.id, Stage.WORKING)
        return ranking

    async def _first_of_its_form(self, job: Job, candidate: Candidate) -> str:
        async def effect() -> str:
            return candidate.source

        return await self.journal.once(f"form {job.id}.{form_id(candidate.source)}", str, effect)

    def say(self, state: JobState, text: str) -> None:
        """Notify, and add the sentence to the job's result."""
        state.notes.append(text)
        self.notify(state.job.id, text)

    async def judge_source(self, source: SourceKernel) -> Verdict:
        """The judge's verdict about the task's own source kernel, untimed.

        People have kernels for the shapes that they have: others are asked only where the task guarantees them.
        """
        check = self.plan.source
        assert check is not None, "a plan of a task with a source says how to check it"
        request = self._request(source, check.dsl, check.target, check.reach)
        self.notify(
            "", f"checking the source kernel {source.file.name} ({', '.join(check.reach.evidence) or 'no way'})"
        )
        shapes = request.shapes if request.shapes.given else Guarantee(fixed=True)
        request = replace(request, time=False, shapes=shapes)
        verdict = await self._judged("verdict source", request, check.reach, "source")
        write_json(self.folder.path / "source" / "verdict.json", verdict)
        return verdict

    async def _judged(self, key: str, request: JudgeRequest, reach: Reach, step: str) -> Verdict:
        async def effect() -> Verdict:
            with self._cut_off(step):
                verdict = await self.executor.judge(request)
            if verdict.unfit:
                # Nothing is kept of it: with the operator mended, the same candidate is judged.
                raise ConfigError(f"the operator cannot be judged: {verdict.message}")
            return with_gaps(verdict, reach)

        return await self.journal.once(key, Verdict, effect, step=step)

    @contextlib.contextmanager
    def _cut_off(self, step: str) -> Iterator[None]:
        """Record what a judgement took that is cut off."""
        try:
            yield
        except CutOff as cut:
            self.record_aborted(AbortedSpend(step, str(cut), device_seconds=cut.seconds))
            raise

    def _request(self, source: str | SourceKernel, dsl: str, target: str, reach: Reach) -> JudgeRequest:
        toolchain = self.workspace.dsls[dsl].toolchain
        return judge_request(self.task, source, toolchain, self.workspace.targets[target], reach)


def form_id(source: str) -> str:
    """Twelve hexadecimal digits that sources share when they differ only in comments and spacing."""
    return hashlib.sha256(normal_form(source).encode()).hexdigest()[:12]


def history_of(state: JobState) -> tuple[HistoryEntry, ...]:
    """The latest attempts as prompts show them: a line each."""
    entries = [HistoryEntry(i, a.status, summary(a.message)) for i, a in enumerate(state.attempts, 1)]
    return tuple(entries[-MAX_HISTORY:])
