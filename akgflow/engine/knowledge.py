"""A run and the knowledge store: looks examples up once and journals them, stores verified kernels at the end.

A store that cannot be used never ends a run: the run says so and continues without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from akgflow import __version__
from akgflow.agents import Examples, KernelView, LessonView
from akgflow.base.text import visible
from akgflow.config.types import Target, Task, Workspace
from akgflow.executors.base import Executor
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.knowledge import (
    Entry,
    Found,
    KnowledgeError,
    Lesson,
    Query,
    Shipped,
    Store,
    Stores,
    examples,
    lessons,
    model_text,
    seeds,
    store_path,
    why_not,
)
from akgflow.models.gateway import origin_of
from akgflow.models.sizes import estimate_tokens
from akgflow.planning import Job, Plan
from akgflow.runs.journal import Journal
from akgflow.runs.records import StoredKernels
from akgflow.verdict import Verdict

T = TypeVar("T")
_SHORTLIST = 4
"""Entries looked up for each one that is shown: the best may be too long."""


@dataclass
class RunKnowledge:
    """One session's use of the store."""

    task: Task
    workspace: Workspace
    plan: Plan
    journal: Journal
    executor: Executor
    notify: Callable[[str, str], None]
    _shown: dict[str, Examples] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The store that this workspace uses."""
        return Store(store_path(self.workspace.knowledge, self.workspace.root))

    @property
    def known(self) -> Stores:
        """What is looked at: the workspace's store and, where they are wanted, the kernels that ship with akgflow."""
        return Stores((self.store, Shipped()) if self.workspace.knowledge.shipped else (self.store,))

    @property
    def in_use(self) -> bool:
        """True when prompts get examples: recorded replies answer prompts without them."""
        use = self.workspace.knowledge.use
        asked = {origin_of(model) for model in self.plan.models.values()}
        return use == "always" or (use == "auto" and bool(asked - {"recorded"}))

    async def features(self) -> OperatorFeatures:
        """The features of the task's operator; asked of a judge once in a run."""
        return await self.journal.once(
            "features", OperatorFeatures, lambda: self.executor.features(asked_of(self.task))
        )

    async def prepare(self) -> None:
        """Look up the examples of every job, so that all prompts of a run show the same."""
        if not self.in_use or not self.workspace.knowledge.examples:
            return
        for job in self.plan.runnable:
            self._shown[job.id] = await self.journal.once(
                f"examples {job.id}",
                Examples,
                lambda job=job: self._tried(job.id, self._look_up(job), Examples()),  # type: ignore[misc]
            )
            if names := [kernel.task for kernel in self._shown[job.id].kernels]:
                self.notify(job.id, f"examples from the knowledge store: {', '.join(names)}")

    def examples(self, job: str) -> Examples:
        """The examples in the prompts of a job; none before `prepare`, or where the store has none."""
        return self._shown.get(job, Examples())

    async def seeds(self, job: Job, count: int) -> list[Found]:
        """Verified kernels that could answer the job's operator as they are, the best first."""
        query = self._query(job, await self.features())

        async def found() -> list[Found]:
            return await asyncio.to_thread(seeds, self.known, query, count)

        return await self._tried(job.id, found(), [])

    async def keep(self, job: Job, judged: Iterable[tuple[str, Verdict]], way: tuple[Lesson, ...]) -> None:
        """Store the verified ones of a job's ``(source, verdict)``, once, with the lessons of failed attempts."""
        right = {source: verdict for source, verdict in judged if not why_not(verdict)}
        if not self.workspace.knowledge.add or not right:
            return

        async def effect() -> StoredKernels:
            features = await self.features()
            entries = [
                entry_of(self.task, self.workspace.targets[job.target], job.dsl, source, verdict, features, way)
                for source, verdict in right.items()
            ]
            ids = await asyncio.to_thread(lambda: tuple(entry.id for entry in entries if self.store.add(entry)))
            return StoredKernels(ids)

        failed = StoredKernels((), "not kept")
        await self.journal.once(f"kept {job.id}", StoredKernels, lambda: self._tried(job.id, effect(), failed))

    async def _look_up(self, job: Job) -> Examples:
        query = self._query(job, await self.features())
        spec = self.workspace.knowledge
        found = await asyncio.to_thread(examples, self.known, query, spec.examples * _SHORTLIST)
        heard = await asyncio.to_thread(lessons, self.known, query)
        views = tuple(LessonView(one.dsl, one.lesson.status, visible(one.lesson.text)) for one in heard)
        return Examples(within(found, spec.examples, spec.max_tokens), views)

    def _query(self, job: Job, features: OperatorFeatures) -> Query:
        task = self.task
        again = self.workspace.knowledge.same_operator
        text = " ".join((task.name, task.description, task.operator.kind or ""))
        return Query(task.operator.whole, features, job.dsl, job.target, job.platform, text, again)

    async def _tried(self, job: str, work: Awaitable[T], instead: T) -> T:
        try:
            return await work
        except KnowledgeError as error:
            self.notify(job, str(error))
            return instead


def within(found: Iterable[Found], count: int, max_tokens: int) -> tuple[KernelView, ...]:
    """The first ``count`` that fit into ``max_tokens`` together; one that is too long is skipped."""
    views: list[KernelView] = []
    for entry, _ in found:
        claim, operator = entry.claim.rstrip("."), model_text(entry.operator)
        view = KernelView(entry.task, entry.target, claim, operator, entry.source, entry.id)
        cost = sum(estimate_tokens(text) for text in (view.claim, view.operator, view.source))
        if len(views) < count and cost <= max_tokens:
            views.append(view)
            max_tokens -= cost
    return tuple(views)


def asked_of(task: Task) -> FeatureRequest:
    """The request for the features of a task's operator."""
    return FeatureRequest(str(task.operator.file), task.operator.whole, task.cases, task.dtype)


def entry_of(
    task: Task,
    target: Target,
    dsl: str,
    source: str,
    verdict: Verdict,
    features: OperatorFeatures,
    way: tuple[Lesson, ...] = (),
) -> Entry:
    """A judged kernel of a task as an entry of the store."""
    return Entry(
        task=task.name,
        operator=task.operator.whole,
        dsl=dsl,
        target=target.name,
        platform=target.platform,
        arch=target.arch,
        source=source,
        verdict=verdict,
        features=features,
        description=task.description,
        kind=task.operator.kind or "",
        cases=task.cases,
        dtype=task.dtype,
        lessons=way,
        akgflow=__version__,
        added=verdict.timestamp or datetime.now(UTC).isoformat(timespec="seconds"),
    )
