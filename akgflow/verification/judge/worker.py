"""``python -m akgflow.verification.judge.worker``: a judge that reads requests and writes verdicts, as JSON lines.

In: ``{"machine": …}`` once, then ``{"id", "request", "scratch"}`` and ``{"id", "granted": true}``.
In as well: ``{"id", "features"}``, an operator to look into; out: ``{"id", "features"}``.
Out: ``{"ready": true}``; ``{"id", "want": "machine"}`` to have the machine alone for a timing; ``{"id", "verdict"}``;
``{"id", "exhausted"}`` with what the machine is short of; or ``{"id", "bug"}`` with a traceback of the judge's own.
When the input ends, so does the judge with its candidates.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from akgflow.errors import machine_error
from akgflow.features import FeatureRequest
from akgflow.machine import Machine
from akgflow.serial import from_data, to_data
from akgflow.verdict import JudgeRequest


class Lines:
    """JSON lines in and out. A thread reads, so that the end of the input is noticed in the middle of a judgement."""

    def __init__(self, source: TextIO, sink: TextIO) -> None:
        self.source, self.sink = source, sink
        self.waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.source:
            self.waiting.put(json.loads(line))
        # The fork server sees its socket close, ends every candidate, and then itself.
        os._exit(0)

    def write(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.sink.write(json.dumps(message) + "\n")
        self.sink.flush()


def main() -> None:
    """Serve until the input ends."""
    # What the operator prints must not mix with the protocol.
    lines = Lines(sys.stdin, os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    machine = from_data(lines.waiting.get()["machine"], Machine)
    from akgflow.verification import sandbox
    from akgflow.verification.judge.candidate_process import ForkServer

    # Seeds and oracles lie in this process: no other of this user may look into it.
    sandbox.prctl(sandbox.PR_SET_DUMPABLE, 0)

    server = ForkServer()
    server.start()
    import torch

    from akgflow.verification.judge.judge import Judge
    from akgflow.verification.reference.features import features_of

    torch.set_num_threads(machine.cores)
    # torch rounds the inputs of float32 convolutions to TF32 unless it is told not to.
    torch.backends.cudnn.allow_tf32 = False
    judge = Judge(machine, server)
    lines.write({"ready": True})
    while True:
        message = lines.waiting.get()
        number = message["id"]

        @cache
        def grant(number: Any = number) -> None:
            lines.write({"id": number, "want": "machine"})
            lines.waiting.get()

        try:
            if "features" in message:
                found = features_of(from_data(message["features"], FeatureRequest))
                lines.write({"id": number, "features": to_data(found)})
                continue
            request = from_data(message["request"], JudgeRequest)
            verdict = judge.judge(request, Path(message["scratch"]), grant)
            lines.write({"id": number, "verdict": to_data(verdict)})
        except Exception as error:
            short = machine_error(error)
            said = {"exhausted": short.reason} if short else {"bug": traceback.format_exc()}
            lines.write({"id": number, **said})
        finally:
            judge.forget()


if __name__ == "__main__":
    main()
