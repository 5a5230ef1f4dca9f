"""Generates a first candidate in C++ without a model: a module of what ``torch.compile`` generates for an operator.

That happens in another process (``python -m akgflow.torch_compile``), which loads torch and traces the operator;
nothing is compiled or called there. Importing this package is light: it only starts that process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

from akgflow.base.serial import from_data, to_data
from akgflow.features import FeatureRequest
from akgflow.operators.text import parts_of
from akgflow.verification.sandbox.env_allowlist import scrubbed

TOOLCHAIN = "cpp"
"""The toolchain that builds what is generated."""
SECONDS = 300.0
"""For all cases of an operator together; one takes a few."""
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
"""By event loop: the problems of a suite begin together, and each generator holds a core and loads torch."""


@dataclass(frozen=True)
class Generated:
    """A module with ``ModelNew`` in the form of the C++ toolchain, or why there is none."""

    source: str = ""
    why: str = ""


async def generate(request: FeatureRequest, scratch: Path) -> Generated:
    """The module that ``torch.compile``'s C++ makes for all cases of an operator; whatever fails is in ``why``.

    ``scratch`` is an empty folder for what torch leaves. In one event loop, half as many go on at once as there are
    cores; the others wait.
    """
    if parts_of(request.operator).backward is not None:
        return Generated(why="gradients are judged, and what is generated here has none")
    most = max(1, len(os.sched_getaffinity(0)) // 2)
    async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(most)):
        own = {"TORCHINDUCTOR_CACHE_DIR": str(scratch), "OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "akgflow.torch_compile"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=scrubbed(os.environ, "HOME", "TMPDIR") | own,
            cwd=scratch,
            start_new_session=True,
        )
        try:
            asked = json.dumps(to_data(replace(request, operator_file=os.path.abspath(request.operator_file))))
            out, words = await asyncio.wait_for(_answer(process, asked), SECONDS)
        except TimeoutError:
            return Generated(why=f"torch.compile did not generate its code within {SECONDS:.0f} s")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        tail = words.decode(errors="replace").strip().splitlines()[-1:] or ["no words"]
        return Generated(why=f"torch.compile's generator ended with code {process.returncode}: {tail[0]}")
    return from_data(json.loads(out), Generated)


async def _answer(process: asyncio.subprocess.Process, asked: str) -> tuple[bytes, bytes]:
    """What a process writes to both of its outputs, given one line; its input stays open, and it ends with that."""
    assert process.stdin and process.stdout and process.stderr, "they are pipes"
    process.stdin.write(asked.encode() + b"\n")
    out, words, _ = await asyncio.gather(process.stdout.read(), process.stderr.read(), process.wait())
    return out, words
