"""One session of a run: opens what the plan needs, runs it, and closes everything however that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from akgflow.base.loop import run_async
from akgflow.budget.device import DeviceClock
from akgflow.budget.ledger import Ledger
from akgflow.budget.outstanding import CallLog
from akgflow.budget.wall import WallClock
from akgflow.config.types import Task, Workspace
from akgflow.engine.context import Notify, RunContext
from akgflow.engine.knowledge import RunKnowledge
from akgflow.engine.run import run_plan
from akgflow.engine.standing import Standing, Watch
from akgflow.errors import machine_error
from akgflow.executors.base import Executor
from akgflow.executors.routing import RoutingExecutor
from akgflow.executors.scratch import Scratch, sweep
from akgflow.models.gateway import Connections, Gateway
from akgflow.models.recording import RecordedReply, write_recording
from akgflow.planning import Plan
from akgflow.runs.folder import RunFolder
from akgflow.runs.journal import Journal
from akgflow.runs.layout import CALLS, SCRATCH
from akgflow.runs.records import Finished
from akgflow.runs.result import RunResult
from akgflow.runs.spending import note_aborted, note_left

_DEVICE: ContextVar[DeviceClock] = ContextVar("device")
"""The device clock of the run whose asyncio task this is."""


@dataclass(frozen=True)
class Shared:
    """What runs beside each other share: judges, the wall clock, connections. Each has its own device clock.

    ``executor`` must have been made with `using_own_clock`.
    """

    executor: Executor
    wall: WallClock
    connections: Connections = field(default_factory=Connections)

    @asynccontextmanager
    async def lent(self, ledger: Ledger) -> AsyncIterator[Executor]:
        """The judges, which charge ``ledger`` from now on in this asyncio task and those that it starts."""
        _DEVICE.set(ledger.device)
        yield self.executor


def using_own_clock() -> AbstractAsyncContextManager[None]:
    """Hold a place on the device clock of the run that asks."""
    return _DEVICE.get().use()


def run_in_folder(
    task: Task,
    workspace: Workspace,
    plan: Plan,
    folder: RunFolder,
    *,
    notify: Notify,
    record: Path | None = None,
    ended: Callable[[RunResult], None] = lambda result: None,  # noqa: ARG005
    watch: Watch = lambda standing: None,  # noqa: ARG005
) -> RunResult:
    """Run or continue ``plan`` in ``folder``, and release the folder.

    ``ended`` receives the result as soon as it is on disk: judges take seconds to close. With ``record`` every reply of
    the run, of earlier sessions too, is written to that recording, also when this session is interrupted or fails.
    ``watch`` receives where the run stands.
    """
    with _journal_of(folder, notify) as journal:
        return run_async(_run_session(task, workspace, plan, folder, journal, notify, record, ended, watch, None))


async def run_beside(
    task: Task, workspace: Workspace, plan: Plan, folder: RunFolder, shared: Shared, *, notify: Notify
) -> RunResult:
    """The same for one of several runs in one event loop, each in an asyncio task of its own."""

    def nothing(_: object) -> None:
        """Nobody follows a single run."""

    with _journal_of(folder, notify) as journal:
        return await _run_session(task, workspace, plan, folder, journal, notify, None, nothing, nothing, shared)


@contextmanager
def _journal_of(folder: RunFolder, notify: Notify) -> Iterator[Journal]:
    """The journal of a folder, which is released at the end."""
    try:
        with _machine_errors():
            journal = Journal(folder.journal)
            if len(journal):
                notify("", f"going on in {folder.path}: {len(journal)} finished steps are kept")
            try:
                yield journal
            finally:
                journal.close(lambda text: notify("", text))
    finally:
        folder.release()


@contextmanager
def _machine_errors() -> Iterator[None]:
    """Raise `MachineExhausted` for an `OSError` that means a shortage."""
    try:
        yield
    except OSError as error:
        raise machine_error(error) or error from error


def record_replies(task: Task, journal: Journal, recording: Path) -> None:
    """Write every reply that a journal holds to a recording."""
    calls = (journal.read(key, Finished) for key, _ in journal.items("call "))
    write_recording(recording, task.name, [RecordedReply.of(c.key, c.fingerprint, c.reply) for c in calls])


async def _run_session(
    task: Task,
    workspace: Workspace,
    plan: Plan,
    folder: RunFolder,
    journal: Journal,
    notify: Notify,
    record: Path | None,
    ended: Callable[[RunResult], None],
    watch: Watch,
    shared: Shared | None,
) -> RunResult:
    record_aborted = partial(note_aborted, journal)
    calls = CallLog(folder.path / CALLS)
    note_left(journal, calls)
    ledger = Ledger(task.budget, minutes_before=journal.minutes_before, wall=shared.wall if shared else None)
    gateway = Gateway(
        workspace.models,
        recordings=task.file.parent / "recordings",
        ledger=ledger,
        notify=lambda text: notify("", text),
        on_aborted=record_aborted,
        calls=calls,
        connections=shared.connections if shared else None,
    )
    judges = _judges(plan, folder.path, folder.scratch, ledger, notify) if shared is None else shared.lent(ledger)
    async with judges as executor:
        try:
            knowledge = RunKnowledge(task, workspace, plan, journal, executor, notify)
            standing = Standing.of(plan, ledger)
            context = RunContext(
                task, workspace, plan, folder, journal, gateway, executor, notify, knowledge, record_aborted, standing
            )
            watch(standing)
            try:
                result = await run_plan(context)
                ended(result)
                return result
            finally:
                if record is not None:
                    record_replies(task, journal, record)
        finally:
            await gateway.aclose()


@asynccontextmanager
async def _judges(plan: Plan, run: Path, place: Path, ledger: Ledger, notify: Notify) -> AsyncIterator[Executor]:
    """Judges of one run alone; what killed runs left beside it is removed."""
    sweep(run.parent.glob(f"*/{SCRATCH}"))
    scratch = Scratch(place)
    executor = RoutingExecutor(
        plan.machine, scratch.path, using=ledger.device.use, notify=lambda text: notify("", text)
    )
    try:
        yield executor
    finally:
        await executor.close()
        scratch.close()
