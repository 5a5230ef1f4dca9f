"""A judge in a process of its own: it reads requests and writes verdicts, as JSON lines.

The lines are those of `akgflow.verification.worker_protocol`: `Start` is the first, and `Ready` the answer. When the
input ends, so does the judge with its candidates.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import TextIO

from akgflow.errors import machine_error
from akgflow.verification import worker_protocol as worker
from akgflow.verification.worker_protocol import Message, Ready, Start, from_line, to_line

UNREADABLE = 3
"""The exit code after a line that is no message."""


class Lines:
    """JSON lines in and out. A thread reads, so that the end of the input is noticed in the middle of a judgement."""

    def __init__(self, source: TextIO, sink: TextIO) -> None:
        self.source, self.sink = source, sink
        self.waiting: queue.Queue[Message] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # The fork server sees its socket close, ends every candidate, and then itself.
        try:
            for line in self.source:
                self.waiting.put(from_line(line))
        except ValueError:
            # Who asks would wait for an answer for ever.
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(UNREADABLE)
        os._exit(0)

    def write(self, message: Message) -> None:
        """Send one message."""
        self.sink.write(to_line(message))
        self.sink.flush()


def main() -> None:
    """Serve until the input ends."""
    # What the operator prints must not mix with the protocol.
    lines = Lines(sys.stdin, os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    start = lines.waiting.get()
    assert isinstance(start, Start), "an executor begins with the machine"
    machine = start.machine
    from akgflow.verification import sandbox
    from akgflow.verification.judge.candidate_process import ForkServerClient

    # This process holds seeds and oracles: no other process of this user may look into it.
    sandbox.prctl(sandbox.PR_SET_DUMPABLE, 0)

    server = ForkServerClient()
    server.start()
    import torch

    from akgflow.verification.judge.judge import Judge
    from akgflow.verification.reference.tracing.from_shapes.features import features_of

    torch.set_num_threads(machine.cores)
    judge = Judge(machine, server)
    lines.write(Ready())
    while True:
        message = lines.waiting.get()
        assert isinstance(message, worker.Judge | worker.Look | worker.Reproduce | worker.Rank), (
            "an executor asks for one thing at a time"
        )
        number = message.id

        @cache
        def grant(number: int = number) -> None:
            lines.write(worker.WantMachine(number))
            lines.waiting.get()

        try:
            if isinstance(message, worker.Look):
                lines.write(worker.Looked(number, features_of(message.request)))
            elif isinstance(message, worker.Reproduce):
                lines.write(worker.Found(number, judge.reproduce(message.request, Path(message.scratch))))
            elif isinstance(message, worker.Rank):
                lines.write(worker.InOrder(number, judge.rank(message.request, Path(message.scratch), grant)))
            else:
                lines.write(worker.Judged(number, judge.judge(message.request, Path(message.scratch), grant)))
        except Exception as error:
            short = machine_error(error)
            lines.write(worker.Exhausted(number, short.reason) if short else worker.Bug(number, traceback.format_exc()))
        finally:
            judge.forget()
