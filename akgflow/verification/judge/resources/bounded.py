"""Runs a tool around one more process of a candidate, which bounds itself, within a time; ends all that it leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from akgflow.verification.judge.candidate_process import BUILDS
from akgflow.verification.sandbox import process_tree
from akgflow.verification.sandbox.env_allowlist import scrubbed

WORDS = "words.txt"
"""The file in a tool's folder with all that was printed."""


def run(
    command: Sequence[str], folder: Path, scratch: Path, seconds: float, variables: Mapping[str, str] | None = None
) -> str:
    """What was printed. ``scratch`` is the candidate's folder, ``variables`` the tool's own. Raises `TimeoutError`."""
    own = {**(variables or {}), "HOME": str(scratch), "TMPDIR": str(scratch), "AKGFLOW_CACHE": str(scratch / BUILDS)}
    before = process_tree.children_of(os.getpid())
    with (folder / WORDS).open("wb") as words:
        process = subprocess.Popen(
            command,
            cwd=scratch,
            env=scrubbed(os.environ) | own,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"it did not finish within {seconds:.0f} s") from None
        finally:
            process_tree.end_below(process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _end_strays(before)
    return (folder / WORDS).read_text(encoding="utf-8", errors="replace")


def _end_strays(before: set[int]) -> None:
    """What outlived the tool has become the judge's child."""
    for pid in process_tree.children_of(os.getpid()) - before:
        process_tree.end_below(pid)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
