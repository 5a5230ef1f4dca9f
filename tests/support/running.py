"""One session of a run, as the command line has it."""

from __future__ import annotations

from pathlib import Path

from akgflow.config import load
from akgflow.engine import run_in_folder
from akgflow.machine import detect
from akgflow.planning import build_plan
from akgflow.runs import RunResult, folder_for, open_run
from akgflow.toolchains import missing_on


def run(task: Path, *overrides: str, record: Path | None = None, said: list[str] | None = None) -> RunResult:
    """One session; goes on with an unfinished run as the command line does."""
    loaded = load(str(task), overrides=overrides)
    machine = detect()
    plan = build_plan(
        loaded.task,
        loaded.workspace,
        machine,
        missing=missing_on(machine),
        price_of=lambda spec: None,
        reply_tokens_of=lambda spec: 1000,
    )
    folder = open_run(folder_for(plan, loaded.workspace.root / "runs"), plan)
    if isinstance(folder, RunResult):
        return folder

    def notify(job: str, text: str) -> None:
        if said is not None:
            said.append(f"{job} {text}")

    return run_in_folder(loaded.task, loaded.workspace, plan, folder, notify=notify, record=record)
