"""The log of calls, each on disk before it goes out: calls of a killed process may be billed, so they are counted.

One JSON object a line. The journal settles a call that was answered, by its reply, and one that broke off, by its
entry; a line here settles one that a server refused. When a run continues, every other call counts at what was reserved
for it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akgflow.base.serial import from_data, to_data
from akgflow.budget.usage import AbortedSpend, Estimate, Usage
from akgflow.errors import PathError


@dataclass(frozen=True)
class Outstanding:
    """One call that went out."""

    id: str
    """The call's key and a number: a call may go out several times."""
    step: str
    """``JOB.STEP``."""
    model: str
    reserved: Usage
    """The most that it may take."""

    @property
    def key(self) -> str:
        """The call's key, the same whenever it goes out again."""
        return self.id.rpartition("#")[0]

    def aborted(self, reason: str) -> AbortedSpend:
        """What this call spent where its end is unknown."""
        return AbortedSpend(self.step, reason, self.model, self.reserved, call=self.id)


def reserved_usage(estimate: Estimate, *, priced: bool) -> Usage:
    """A reservation as what a call is taken to have used."""
    cost = estimate.usd if priced else None
    return Usage(estimate.prompt_tokens, estimate.reply_tokens, cost, estimated=True, reserved=estimate.tokens)


class CallLog:
    """The calls of one run that went out; one process at a time may write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out: dict[str, Outstanding] = {}
        self._times: Counter[str] = Counter()
        self._torn = False
        self._load()

    def send(self, key: str, step: str, model: str, reserved: Usage) -> Outstanding:
        """Log that a call goes out; on disk when this returns."""
        call = Outstanding(f"{key}#{self._times[key] + 1}", step, model, reserved)
        self._write(to_data(call))
        self._times[key] += 1
        self._out[call.id] = call
        return call

    def refuse(self, call: Outstanding) -> None:
        """Log that a server refused a call or was not reached: nothing is billed."""
        self._write({"refused": call.id})
        del self._out[call.id]

    def left(self, answered: Container[str], settled: Container[str]) -> Iterator[Outstanding]:
        """Calls of earlier sessions whose end is unknown.

        ``answered`` has the keys whose reply is kept, which was that of the last call; ``settled`` has ids.
        """
        for call in list(self._out.values()):
            last = call.id == f"{call.key}#{self._times[call.key]}"
            if call.id not in settled and not (last and call.key in answered):
                yield call

    def _load(self) -> None:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return
        *lines, last = raw.split(b"\n")
        # A torn line is what a killed process leaves: its call had not gone out yet.
        self._torn = bool(last)
        for number, line in enumerate(lines, 1):
            try:
                self._read(json.loads(line))
            except Exception as failed:
                raise PathError(
                    f"{self._path}:{number}: no entry of this file ({failed}): begin with --fresh"
                ) from None

    def _read(self, data: Any) -> None:
        if "refused" in data:
            self._out.pop(data["refused"], None)
            return
        call = from_data(data, Outstanding)
        self._out[call.id] = call
        self._times[call.key] += 1

    def _write(self, data: Any) -> None:
        text = json.dumps(data, allow_nan=False).encode() + b"\n"
        with self._path.open("r+b" if self._torn else "ab") as file:
            if self._torn:
                raw = file.read()
                file.seek(raw.rfind(b"\n") + 1)
                file.truncate()
                self._torn = False
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
