"""Judging in tests: a real executor with real processes, and a toolchain for candidates in plain PyTorch."""

import asyncio
import os
import shutil
import textwrap
from pathlib import Path
from unittest.mock import patch

import pytest

from akgflow import machine
from akgflow.config.types import Target
from akgflow.executors.local import LocalExecutor
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, Limits

CPU = Target("cpu", "cpu", "native")
DEVICES = ["cpu", pytest.param("gpu", marks=pytest.mark.gpu)]
"""For tests that hold on either."""


def target_of(device: str) -> Target:
    """The CPU, or this machine's first GPU."""
    if device == "cpu":
        return CPU
    (found, *_) = machine.detect().devices
    return Target("local_gpu", found.platform, found.arch, device=found.name)


def install_plain(folder: Path) -> None:
    """Make ``plain`` a toolchain for processes that have ``folder`` on PYTHONPATH, like an installed package."""
    info = folder / "akgflow_plain-1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("plain_toolchain.py"), folder)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: akgflow-plain\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[akgflow.toolchains]\nplain = plain_toolchain\n")


class _Runner(asyncio.Runner):
    """Starts judges with some variables of their own, and leaves this process's environment as it was."""

    def __init__(self, **variables: str) -> None:
        super().__init__()
        self.variables = variables

    def run(self, coro, **more):
        with patch.dict(os.environ, self.variables):
            return super().run(coro, **more)


class Bench:
    """One executor for many judgements; `judge` is synchronous, for table-driven tests."""

    def __init__(self, root: Path, cores: int | None = None) -> None:
        found = machine.detect()
        self.machine = machine.Machine(found.cpu, cores or found.cores, found.devices)
        packages = root.with_name(f"{root.name}-packages")
        install_plain(packages)
        secrets = {"OPENAI_API_KEY": "sk-not-for-candidates", "CUDA_TOKEN": "not-for-candidates"}
        self.runner = _Runner(PYTHONPATH=with_path(packages), **secrets)
        self.executor = LocalExecutor(self.machine, root)

    def judge(self, candidate, operator, **changes):
        """The verdict on a candidate's text for an operator's text (or its path)."""
        return self.runner.run(self.executor.judge(self.request(candidate, operator, **changes)))

    @staticmethod
    def request(candidate, operator, **changes):
        """A request with short limits, no timing and the plain toolchain, unless ``changes`` say otherwise."""
        path = operator if isinstance(operator, Path) else Path("operator.py")
        text = operator.read_text() if isinstance(operator, Path) else textwrap.dedent(operator)
        values = {
            "candidate": textwrap.dedent(candidate) if isinstance(candidate, str) else candidate,
            "operator_file": str(path),
            "operator": text,
            "toolchain": "plain",
            "target": CPU,
            "evidence": (Evidence.EXECUTED,),
            "time": False,
            "framework": "allow" if changes.get("toolchain", "plain") == "plain" else "forbid",
            "limits": Limits(build_seconds=60, run_seconds=30, memory_bytes=4 << 30),
        }
        return JudgeRequest(**(values | changes))

    def close(self) -> None:
        self.runner.run(self.executor.close())
        self.runner.close()


def with_path(folder: Path) -> str:
    """PYTHONPATH with ``folder`` in front."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
