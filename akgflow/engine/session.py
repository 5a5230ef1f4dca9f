"""One session of a run: opens what the plan needs, runs it, and closes everything however that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from akgflow.base.loop import run_async
from akgflow.budget.ledger import Ledger
from akgflow.budget.outstanding import CallLog
from akgflow.config.types import Task, Workspace
from akgflow.engine.context import Notify, RunContext
from akgflow.engine.knowledge import RunKnowledge
from akgflow.engine.run import run_plan
from akgflow.engine.standing import Standing, Watch
from akgflow.errors import machine_error
from akgflow.executors.routing import RoutingExecutor
from akgflow.executors.scratch import Scratch, sweep
from akgflow.models.gateway import Gateway
from akgflow.models.recording import RecordedReply, write_recording
from akgflow.planning import Plan
from akgflow.runs.folder import RunFolder
from akgflow.runs.journal import Journal
from akgflow.runs.layout import CALLS, SCRATCH
from akgflow.runs.records import Finished
from akgflow.runs.result import RunResult
from akgflow.runs.spending import note_aborted, note_left


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
    try:
        with _machine_errors():
            journal = Journal(folder.journal)
            if len(journal):
                notify("", f"going on in {folder.path}: {len(journal)} finished steps are kept")
            try:
                return run_async(_run_session(task, workspace, plan, folder, journal, notify, record, ended, watch))
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
) -> RunResult:
    record_aborted = partial(note_aborted, journal)
    calls = CallLog(folder.path / CALLS)
    note_left(journal, calls)
    ledger = Ledger(task.budget, minutes_before=journal.minutes_before)
    gateway = Gateway(
        workspace.models,
        recordings=task.file.parent / "recordings",
        ledger=ledger,
        notify=lambda text: notify("", text),
        on_aborted=record_aborted,
        calls=calls,
    )
    sweep(folder.path.parent.glob(f"*/{SCRATCH}"))
    scratch = Scratch(folder.scratch)
    executor = RoutingExecutor(
        plan.machine, scratch.path, using=ledger.device.use, notify=lambda text: notify("", text)
    )
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
        await executor.close()
        await gateway.aclose()
        scratch.close()
