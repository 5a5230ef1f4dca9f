"""One sitting of a run: open what it needs, run the plan, and whatever happens close and keep everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from akgflow.config.types import Task, Workspace
from akgflow.engine.accounts import note_lost
from akgflow.engine.context import Finished, Notify, RunContext
from akgflow.engine.folder import RESULT, RunFolder, write_json
from akgflow.engine.journal import Journal
from akgflow.engine.knowledge import RunKnowledge
from akgflow.engine.result import RunResult
from akgflow.engine.run import run_plan
from akgflow.errors import machine_error
from akgflow.executors.everywhere import Everywhere
from akgflow.models.base import Lost
from akgflow.models.gateway import Gateway
from akgflow.models.ledger import Ledger
from akgflow.models.recording import RecordedReply, write_recording
from akgflow.planning import Plan


def run_in_folder(
    task: Task, workspace: Workspace, plan: Plan, folder: RunFolder, *, notify: Notify, record: Path | None = None
) -> RunResult:
    """Run or go on with ``plan`` in ``folder`` and let go of the folder.

    With ``record`` every reply of the run, of earlier sittings too, is written to that recording, also when this
    sitting is interrupted or fails.
    """
    journal = Journal(folder.journal)
    if len(journal):
        notify("", f"going on in {folder.path}: {len(journal)} finished steps are kept")
    try:
        with _machine_errors():
            try:
                result = asyncio.run(_sit(task, workspace, plan, folder, journal, notify))
            finally:
                journal.close(lambda text: notify("", text))
                if record is not None:
                    _record(record, task, journal)
            if result.finished:
                # Last of all: where anything before it fails, the same command goes on with this run.
                write_json(folder.path / RESULT, result)
            return result
    finally:
        folder.release()


@contextmanager
def _machine_errors() -> Iterator[None]:
    """Raise `MachineExhausted` for an error of the system that means a shortage."""
    try:
        yield
    except OSError as error:
        raise machine_error(error) or error from error


def _record(file: Path, task: Task, journal: Journal) -> None:
    calls = (journal.read(key, Finished) for key, _ in journal.items("call "))
    write_recording(file, task.name, [RecordedReply.of(c.key, c.fingerprint, c.reply) for c in calls])


async def _sit(
    task: Task, workspace: Workspace, plan: Plan, folder: RunFolder, journal: Journal, notify: Notify
) -> RunResult:
    def lose(lost: Lost) -> None:
        note_lost(journal, lost)

    ledger = Ledger(task.budget, minutes_before=journal.minutes_before)
    gateway = Gateway(
        workspace.models,
        recordings=task.file.parent / "recordings",
        ledger=ledger,
        notify=lambda text: notify("", text),
        lose=lose,
    )
    executor = Everywhere(
        plan.machine, folder.path / "scratch", using=ledger.device.use, notify=lambda text: notify("", text)
    )
    try:
        knowledge = RunKnowledge(task, workspace, plan, journal, executor, notify, ledger)
        context = RunContext(task, workspace, plan, folder, journal, gateway, executor, notify, knowledge, lose)
        return await run_plan(context)
    finally:
        await executor.close()
        await gateway.aclose()
