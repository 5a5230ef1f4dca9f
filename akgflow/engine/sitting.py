"""One sitting of a run: open what it needs, run the plan, and whatever happens close and keep everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

from akgflow.budget.ledger import Ledger
from akgflow.budget.outstanding import CallLog
from akgflow.budget.usage import Lost
from akgflow.config.types import Task, Workspace
from akgflow.engine.accounts import note_left, note_lost
from akgflow.engine.context import Finished, Notify, RunContext
from akgflow.engine.folder import CALLS, RunFolder
from akgflow.engine.journal import Journal
from akgflow.engine.knowledge import RunKnowledge
from akgflow.engine.result import RunResult
from akgflow.engine.run import run_plan
from akgflow.executors.everywhere import Everywhere
from akgflow.models.gateway import Gateway
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
        return asyncio.run(_sit(task, workspace, plan, folder, journal, notify))
    finally:
        if record is not None:
            calls = (journal.read(key, Finished) for key, _ in journal.items("call "))
            write_recording(record, task.name, [RecordedReply.of(c.key, c.fingerprint, c.reply) for c in calls])
        journal.close()
        folder.release()


async def _sit(
    task: Task, workspace: Workspace, plan: Plan, folder: RunFolder, journal: Journal, notify: Notify
) -> RunResult:
    def lose(lost: Lost) -> None:
        note_lost(journal, lost)

    calls = CallLog(folder.path / CALLS)
    note_left(journal, calls)
    ledger = Ledger(task.budget, minutes_before=journal.minutes_before)
    gateway = Gateway(
        workspace.models,
        recordings=task.file.parent / "recordings",
        ledger=ledger,
        notify=lambda text: notify("", text),
        lose=lose,
        calls=calls,
    )
    executor = Everywhere(
        plan.machine, folder.path / "scratch", using=ledger.device.use, notify=lambda text: notify("", text)
    )
    try:
        knowledge = RunKnowledge(task, workspace, plan, journal, executor, notify)
        context = RunContext(task, workspace, plan, folder, journal, gateway, executor, notify, knowledge, lose)
        return await run_plan(context)
    finally:
        await executor.close()
        await gateway.aclose()
