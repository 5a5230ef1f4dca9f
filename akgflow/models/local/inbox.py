"""A folder in which a person, an editor's agent or a queue answers prompts.

Each prompt is a file ``TASK.KEY.DIGEST.prompt.md``; its reply belongs into ``TASK.KEY.DIGEST.reply.md`` beside it. The
digest is of the prompt's text, so that a reply never answers another prompt, even in an old folder. ``waiting.json``
lists the prompts that wait for a reply now, of all runs that use the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock

from akgflow.base.atomic import write_json, write_text
from akgflow.base.serial import from_data
from akgflow.base.text import received
from akgflow.errors import ConfigError
from akgflow.models.base import Message, ModelRequest

INDEX = "waiting.json"
_PROMPT, _REPLY = ".prompt.md", ".reply.md"


@dataclass(frozen=True)
class Waiting:
    """One prompt that waits for a reply. ``prompt`` and ``reply`` are files in the folder; ``pid`` waits."""

    id: str
    prompt: str
    reply: str
    task: str
    job: str
    step: str
    agent: str
    attempt: int
    sample: int
    resend: int
    since: str
    pid: int


class Inbox:
    """One such folder; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, request: ModelRequest) -> Waiting:
        """Write a prompt and list it; the same prompt is listed once."""
        key, text = request.key, render(request.messages)
        stem = re.sub(r"[^\w.+-]", "_", f"{key.task}.{key}.{hashlib.sha256(received(text).encode()).hexdigest()[:8]}")
        waiting = Waiting(
            id=stem,
            prompt=stem + _PROMPT,
            reply=stem + _REPLY,
            task=key.task,
            job=key.job,
            step=key.step,
            agent=key.agent,
            attempt=key.attempt,
            sample=key.sample,
            resend=key.resend,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            pid=os.getpid(),
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        head = f"<!-- Write the reply to {waiting.reply} in this folder. -->"
        write_text(self.folder / waiting.prompt, f"{head}\n\n{text}")
        with self._listed() as others:
            others[:] = [*(one for one in others if one.id != stem), waiting]
        return waiting

    def done(self, waiting: Waiting) -> None:
        """Take a prompt off the list; its files stay."""
        with self._listed() as others:
            others[:] = [one for one in others if one.id != waiting.id]

    def waiting(self) -> tuple[Waiting, ...]:
        """What waits and has no reply yet, the longest-waiting first; prompts of processes that ended do not wait."""
        alive = [one for one in self._read() if psutil.pid_exists(one.pid)]
        return tuple(one for one in alive if not self.reply_to(one.id))

    def prompt(self, name: str) -> str:
        """The text of a prompt by its id."""
        try:
            return (self.folder / (name + _PROMPT)).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(f"there is no prompt {name!r} in {self.folder}") from None

    def reply_to(self, name: str) -> str:
        """The reply to a prompt by its id; empty where there is none yet."""
        try:
            return received((self.folder / (name + _REPLY)).read_bytes())
        except FileNotFoundError:
            return ""

    def answer(self, name: str, text: str) -> None:
        """Write a reply; raises `ConfigError` where its prompt is unknown or answered already."""
        self.prompt(name)
        if not text.strip():
            raise ConfigError("the reply is empty")
        if self.reply_to(name):
            raise ConfigError(f"{name} is answered already: its reply is {self.folder / (name + _REPLY)}")
        write_text(self.folder / (name + _REPLY), received(text))

    @contextmanager
    def _listed(self) -> Iterator[list[Waiting]]:
        """The list, to be changed in place, without prompts of processes that ended."""
        with FileLock(self.folder / ".lock"):
            found = [one for one in self._read() if psutil.pid_exists(one.pid)]
            yield found
            write_json(self.folder / INDEX, {"waiting": found})

    def _read(self) -> list[Waiting]:
        try:
            data = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
            return [from_data(one, Waiting) for one in data["waiting"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as wrong:
            raise ConfigError(f"{self.folder / INDEX} is not what akgflow writes ({wrong}): remove it") from None


def render(messages: Sequence[Message]) -> str:
    """A prompt as one text, each message under its role."""
    parts = [f"<!-- {message.role} -->\n\n{message.content.rstrip()}" for message in messages]
    return "\n\n".join(parts) + "\n"
