"""Runs in the background, each a process of its own: what starts them, what they said last, how they ended."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from akgflow import api
from akgflow.base.secrets import redact
from akgflow.base.text import lines as lines_of
from akgflow.base.text import received
from akgflow.errors import ConfigError

MANUAL = "manual"
"""The model whose prompts the agent answers itself."""
_PATIENCE = 1.5


@dataclass(frozen=True)
class RunState:
    """One run: ``folder`` names it; ``exit_code`` is None while it goes on; ``said`` are its last lines."""

    task: str
    folder: str
    running: bool
    finished: bool
    exit_code: int | None
    said: tuple[str, ...]


class BackgroundRun:
    """A process that runs one task; its words are kept beside the run's folder."""

    def __init__(self, task: str, folder: Path, process: asyncio.subprocess.Process, log: Path) -> None:
        self.task, self.folder = task, folder
        self._process, self._log = process, log

    @property
    def running(self) -> bool:
        """True while the process goes on."""
        return self._process.returncode is None

    def state(self, lines: int = 8) -> RunState:
        """What can be said of it now."""
        said = lines_of(received(self._log.read_bytes()))[-lines:]
        finished = api.is_finished(self.folder)
        return RunState(
            self.task, str(self.folder), self.running, finished, self._process.returncode, tuple(map(redact, said))
        )

    async def stop(self) -> None:
        """Interrupt it as Ctrl-C does; by force where it does not listen. It can be resumed either way."""
        if not self.running:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self._process.wait(), _PATIENCE)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Runs:
    """The runs that one server has started. ``inbox`` is the folder where their prompts appear."""

    def __init__(self, workspace: Path, inbox: Path) -> None:
        self.workspace, self.inbox = workspace, inbox
        self._runs: dict[str, BackgroundRun] = {}

    @property
    def all(self) -> tuple[BackgroundRun, ...]:
        """In the order in which they were started."""
        return tuple(self._runs.values())

    def overrides(self, task: str, model: str | None, overrides: Sequence[str]) -> list[str]:
        """``overrides``, and those that let ``model`` answer for every model that the task uses.

        ``manual`` is the agent itself; None leaves the models as the workspace has them.
        """
        if model is None:
            return list(overrides)
        model = f"{MANUAL}/{self.inbox}" if model == MANUAL else model
        return [*overrides, *api.answered_by(api.load(task, workspace=self.workspace, overrides=overrides), model)]

    async def start(self, task: str, model: str | None, overrides: Sequence[str], fresh: bool) -> BackgroundRun:
        """Start or go on with the run of a task; raises `ConfigError` for what `akgflow run` would refuse."""
        changed = await asyncio.to_thread(self.overrides, task, model, overrides)
        loaded = await asyncio.to_thread(api.load, task, workspace=self.workspace, overrides=changed)
        plan = await asyncio.to_thread(api.plan, loaded)
        folder = api.run_folder(loaded, plan, fresh=fresh)
        known = self._runs.get(folder.name)
        if known is not None and known.running:
            raise ConfigError(f"{folder} is running already: answer its prompts, or stop it")
        self.inbox.mkdir(parents=True, exist_ok=True)
        log = self.inbox / f"{folder.name}.log"
        options = [option for change in changed for option in ("--set", change)]
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "akgflow", "run", str(loaded.task.file), "--run-dir", str(folder)),
                *("--workspace", str(loaded.workspace.root), *options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        run = self._runs[folder.name] = BackgroundRun(loaded.task.name, folder, process, log)
        return run

    def find(self, name: str) -> BackgroundRun:
        """A run by the name or path of its folder."""
        found = self._runs.get(Path(name).name)
        if found is None:
            raise ConfigError(f"this server has started no run {name!r}: {', '.join(self._runs) or 'none yet'}")
        return found

    async def close(self) -> None:
        """Stop all; each can be resumed."""
        await asyncio.gather(*(run.stop() for run in self.all))
