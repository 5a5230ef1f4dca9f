"""The file form of a recording: what models answered in one task, by call, for people to read and runs to replay.

A recording named NAME of a task is the file ``recordings/TASK.NAME.yaml`` beside the task file; a model whose id is
``recorded/NAME`` replays it::

    version: 1
    task: "gemm_migrate"
    akgflow: "0.1.0"
    replies:
      - job: "triton-cpu"
        step: "code"
        attempt: 1
        sample: 1
        agent: "coder"
        resend: 0
        model: "openai/some-model"
        fingerprint: "9f86d0…"
        prompt_tokens: 4012
        completion_tokens: 1190
        cost: 0.0219                # US dollars, null where no price was known
        estimated: false
        finish_reason: "stop"
        text: |4-
            The reply, byte for byte.

Text that a literal block cannot hold exactly (carriage returns, control characters) is in double quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs
import yaml

from akgflow import __version__
from akgflow.base import serial
from akgflow.base.atomic import write_text
from akgflow.budget.usage import Usage
from akgflow.config import Unreadable, read_bytes
from akgflow.errors import ConfigError, Mark, Problem
from akgflow.models.base import CallKey, ModelReply

VERSION = 1
MAX_BYTES = 64 << 20
_Slot = tuple[str, str, int, int, str, int]
# What a YAML literal block gives back unchanged: no carriage return, no other line or paragraph separator, no BOM.
_LITERAL = re.compile("[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+")
_ESCAPED = re.compile('[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|["\\\\]')
_TEXT_INDENT = 4


@dataclass(frozen=True)
class RecordedReply:
    """One call and its reply. The fields before ``model`` are the call's key within its task."""

    job: str
    step: str
    attempt: int
    sample: int
    agent: str
    resend: int
    model: str
    fingerprint: str
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    estimated: bool
    finish_reason: str
    text: str

    @classmethod
    def of(cls, key: CallKey, fingerprint: str, reply: ModelReply) -> RecordedReply:
        """What to write down about one call."""
        usage = reply.usage
        return cls(
            *_slot(key),
            model=reply.answered_by,
            fingerprint=fingerprint,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost=usage.cost,
            estimated=usage.estimated,
            finish_reason=reply.finish_reason,
            text=reply.text,
        )

    @property
    def slot(self) -> _Slot:
        """The key within the task."""
        return (self.job, self.step, self.attempt, self.sample, self.agent, self.resend)

    @property
    def usage(self) -> Usage:
        """What the call took when it was made."""
        return Usage(self.prompt_tokens, self.completion_tokens, self.cost, self.estimated)


@dataclass(frozen=True)
class Recording:
    """All the replies of one task, by key."""

    task: str
    replies: Mapping[_Slot, RecordedReply]

    def find(self, key: CallKey) -> RecordedReply | None:
        """The reply recorded for this very call."""
        return self.replies.get(_slot(key)) if key.task == self.task else None


def read_recording(path: Path) -> Recording:
    """Read a recording; `ConfigError` names the place of what does not fit."""
    try:
        raw = read_bytes(path, MAX_BYTES)
    except Unreadable as failed:
        raise _bad(path, f"the recording cannot be read: it {failed}") from None
    if len(raw) > MAX_BYTES:
        raise _bad(path, f"the recording is larger than {MAX_BYTES >> 20} MiB")
    try:
        data = yaml.load(raw, Loader=_loader())
    except yaml.YAMLError as failed:
        mark = getattr(failed, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _bad(path, f"not YAML: {getattr(failed, 'problem', failed)}", line, column) from None
    return _checked(path, data)


def write_recording(path: Path, task: str, entries: Iterable[RecordedReply]) -> None:
    """Merge ``entries`` into the recording at ``path``, newer over older, and replace the file in one step."""
    replies: dict[_Slot, RecordedReply] = {}
    if path.exists():
        old = read_recording(path)
        if old.task != task:
            raise _bad(path, f"this is a recording of task {old.task}, not of {task}: record to another file")
        replies.update(old.replies)
    replies.update({entry.slot: entry for entry in entries})
    text = _render(Recording(task, dict(sorted(replies.items()))))
    write_text(path, text, durable=True)


def _slot(key: CallKey) -> _Slot:
    return (key.job, key.step, key.attempt, key.sample, key.agent, key.resend)


def _loader() -> Any:
    # The C loader reads a recording of a megabyte in a tenth of the time.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _bad(path: Path, message: str, line: int = 1, column: int = 1) -> ConfigError:
    return ConfigError([Problem(Mark(str(path), line, column), message)])


def _checked(path: Path, data: Any) -> Recording:
    if not isinstance(data, dict) or set(data) != {"version", "task", "akgflow", "replies"}:
        raise _bad(path, "not a recording: it needs version, task, akgflow and replies, and nothing else")
    if data["version"] != VERSION:
        raise _bad(path, f"version {data['version']!r} of recordings is not known here: this akgflow reads {VERSION}")
    if not isinstance(data["task"], str) or not isinstance(data["replies"], list):
        raise _bad(path, "not a recording: task must be a name and replies a list")
    replies: dict[_Slot, RecordedReply] = {}
    for number, item in enumerate(data["replies"], 1):
        entry = _entry(path, number, item)
        if entry.slot in replies:
            raise _bad(path, f"reply {number} ({entry.job}, {entry.step}) is recorded twice: keep one of them")
        replies[entry.slot] = entry
    return Recording(data["task"], replies)


def _entry(path: Path, number: int, item: Any) -> RecordedReply:
    if not isinstance(item, dict):
        raise _bad(path, f"reply {number} must be a mapping")
    # Cattrs would turn a number into text; a recording holds exactly what it says.
    wrong = [name for name in ("text", "job", "step", "agent") if not isinstance(item.get(name), str)]
    if wrong:
        raise _bad(path, f"reply {number}: {', '.join(wrong)} must be text")
    try:
        return serial.from_data(item, RecordedReply)
    except cattrs.BaseValidationError as failed:
        reasons = "; ".join(cattrs.transform_error(failed, path=f"reply {number}"))
        raise _bad(path, reasons) from None


def _render(recording: Recording) -> str:
    lines = [
        "# What models answered in this task, by call. A model whose id is recorded/NAME replays TASK.NAME.yaml.",
        f"version: {VERSION}",
        f"task: {_quoted(recording.task)}",
        f"akgflow: {_quoted(__version__)}",
        "replies:" if recording.replies else "replies: []",
    ]
    for entry in recording.replies.values():
        fields = serial.to_data(entry)
        body = [f"{name}: {_scalar(name, value)}" for name, value in fields.items()]
        lines += [f"{'    ' if i else '  - '}{line}" for i, line in enumerate(body)]
    return "\n".join(lines) + "\n"


def _scalar(name: str, value: Any) -> str:
    if name == "text" and _LITERAL.fullmatch(value):
        return _literal(value)
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _literal(text: str) -> str:
    """A literal block with its indentation stated, so that leading blanks survive, and every newline kept."""
    body, keep = (text[:-1], "+") if text.endswith("\n") else (text, "-")
    pad = " " * (4 + _TEXT_INDENT)
    return f"|{_TEXT_INDENT}{keep}\n" + "\n".join(pad + line if line else "" for line in body.split("\n"))


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if char in '"\\':
        return "\\" + char
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char) or f"\\u{ord(char):04x}"
