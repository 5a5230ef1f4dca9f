"""``python -m akgflow.verification.candidate.profile_worker FOLDER``: one call of a candidate, for a profiler.

One small kernel of our own runs first, inside the range that is looked at: the profiler connects and loads what it
needs, and its table begins with a launch that is known. Then this process bounds itself, and only then reads the
candidate, calls it once to build it and once to be looked at.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from akgflow.base.serial import from_data
from akgflow.operators.arguments import in_mode
from akgflow.terms import Evidence
from akgflow.verification import sandbox
from akgflow.verification.candidate import host, preparing
from akgflow.verification.sandbox.alone import confine
from akgflow.verification.shared import trusted_io
from akgflow.verification.shared.gradients import Differentiated, Wanted
from akgflow.verification.shared.memory import map_tensors
from akgflow.verification.shared.protocol import PROFILE_INPUTS, PROFILE_REQUEST, Load, Open, ProfileRequest


def main() -> None:
    """One call, looked at."""
    folder = Path(sys.argv[1])
    about = from_data(json.loads((folder / PROFILE_REQUEST).read_text(encoding="utf-8")), ProfileRequest)
    question = torch.load(folder / PROFILE_INPUTS, weights_only=True)
    on_gpu, scratch = about.on_gpu, Path(about.scratch)
    one = torch.ones(1, device="cuda" if on_gpu else "cpu")
    with _looked_at(on_gpu):
        one.add_(1)
    confine(scratch, on_gpu=on_gpu)
    model, device = _model(about, question, scratch)
    inputs, keywords = map_tensors((tuple(question["inputs"]), question["keywords"]), lambda t: t.to(device))
    with torch.no_grad():
        model(*inputs, **keywords)
        with _looked_at(on_gpu):
            model(*inputs, **keywords)


@contextlib.contextmanager
def _looked_at(on_gpu: bool) -> Iterator[None]:
    """The range of the profiler."""
    if not on_gpu:
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.profiler.start()
    yield
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()


def _model(about: ProfileRequest, question: dict[str, Any], scratch: Path) -> tuple[Any, str]:
    """The candidate's model with the judge's parameters, and the device that it runs on."""
    here, _ = socket.socketpair()
    process = host.Host(scratch, trusted_io.bind(here))
    # This process cannot see the folders that toolchains prepare: it builds what it needs itself.
    process.open(Open(about.toolchain, Evidence.EXECUTED, about.target, (), guarded=False))
    process.load(Load(str(scratch / "profiled.py"), "ModelNew"))
    model = getattr(process.module, process.entry)(*question["args"], **question["kwargs"])
    model = in_mode(model, question["mode"])
    state = {name: tensor.to(process.device) for name, tensor in question["state"].items()}
    host.load_state(model, state, process.device, about.stand_in)
    if question["prepares"]:
        preparing.prepare(model, state)
    wanted = question["wanted"]
    called = model if wanted is None else Differentiated(model, Wanted(**wanted), strict=True)
    return called, process.device


if __name__ == "__main__":
    sandbox.poison_allocations(True)
    main()
