"""Every exit code of the table in docs/commands.md, from a real process; no other number is ever returned."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import OpenAIServer
from plain_workspace import PLAIN_WRONG, plain_workspace, wrong_then_right
from sampling import sampled
from small_task import RIGHT, make_workspace

from akgflow.errors import ExitCode

PAGE = (Path(__file__).parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")
COMMAND = (sys.executable, "-m", "akgflow")
NO_TIME = ("--target", "cpu", "--no-time")

# What no test should wait for to come about by itself: something of ours that is broken.
BUG = "import akgflow.api.tasks as tasks, akgflow.cli\ntasks.workspace_root = lambda _: 1 / 0\nakgflow.cli.main()"
BLIND = """
from dataclasses import replace
import akgflow.cli
from akgflow.executors.local import LocalExecutor
from akgflow.terms import Status
judge = LocalExecutor.judge
async def blind(self, request):
    return replace(await judge(self, request), status=Status.PASSED)
LocalExecutor.judge = blind
akgflow.cli.main()
"""


class Here:
    """A workspace whose model is a server on loopback, and processes in it."""

    def __init__(self, folder: Path, server: OpenAIServer) -> None:
        self.folder, self.server = folder, server
        server.default = wrong_then_right()

    def start(self, *args: str, command: tuple[str, ...] = COMMAND, **env: str) -> subprocess.Popen[str]:
        """Start the command."""
        environ = {**os.environ, "TEST_KEY": "k", **env}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*command, *args], cwd=self.folder, env=environ, text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Its exit code and what it said on standard error."""
        out, err = process.communicate(timeout=300)
        return process.returncode, out + err


def done(here: Here) -> tuple[int, str]:
    return here.ended(here.start("list", "targets"))


def gate_failed(here: Here) -> tuple[int, str]:
    (here.folder / "k.py").write_text(PLAIN_WRONG)
    return here.ended(here.start("verify", "k.py", "--task", "scale", "--dsl", "plain", *NO_TIME))


def config(here: Here) -> tuple[int, str]:
    return here.ended(here.start("plan", "scael"))


def bug(here: Here) -> tuple[int, str]:
    return here.ended(here.start("list", "targets", command=(sys.executable, "-c", BUG)))


def prerequisite(here: Here) -> tuple[int, str]:
    (here.folder / "k.py").write_text(RIGHT)
    asked = here.start("verify", "k.py", "--task", "scale", "--dsl", "cpp", *NO_TIME, PATH=str(here.folder))
    return here.ended(asked)


def budget(here: Here) -> tuple[int, str]:
    return here.ended(here.start("run", "scale", "--set", "budget.tokens=10"))


def untrusted(here: Here) -> tuple[int, str]:
    cache = str(here.folder / "cache")
    return here.ended(here.start("run", "scale", command=(sys.executable, "-c", BLIND), AKGFLOW_CACHE=cache))


def exhausted(here: Here) -> tuple[int, str]:
    few = ("sh", "-c", 'ulimit -n 12; exec "$@"', "sh", *COMMAND)
    (here.folder / "k.py").write_text(RIGHT)
    return here.ended(here.start("verify", "k.py", "--task", "scale", "--dsl", "cpp", *NO_TIME, command=few))


def interrupted(here: Here) -> tuple[int, str]:
    process = here.start("run", "scale")
    while not here.server.requests:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    return here.ended(process)


WAYS: dict[ExitCode, tuple[Callable[[Here], tuple[int, str]], str]] = {
    ExitCode.DONE: (done, "nvidia_h200"),
    ExitCode.GATE_FAILED: (gate_failed, "INCORRECT_NUMERICAL"),
    ExitCode.CONFIG: (config, "did you mean 'scale'?"),
    ExitCode.BUG: (bug, "ZeroDivisionError"),
    ExitCode.PREREQUISITE: (prerequisite, "no C++ compiler was found"),
    ExitCode.BUDGET: (budget, "budget"),
    ExitCode.UNTRUSTED: (untrusted, "the operator itself, forbidden"),
    ExitCode.EXHAUSTED: (exhausted, "no file descriptors left"),
    ExitCode.INTERRUPTED: (interrupted, "interrupted: akgflow run scale goes on where it stopped"),
}


@pytest.mark.parametrize("code", sampled(ExitCode, ExitCode.DONE, ExitCode.INTERRUPTED), ids=str)
def test_a_real_process_ends_with_it(tmp_path: Path, openai_server: OpenAIServer, code: ExitCode) -> None:
    plain_workspace(tmp_path, openai_server.url)
    way, words = WAYS[code]
    found, said = way(Here(tmp_path, openai_server))
    assert found == code, said
    assert words in said
    assert ("Traceback" in said) == (code is ExitCode.BUG)


def test_the_manual_and_the_help_list_the_codes_that_there_are() -> None:
    table = PAGE[PAGE.index("Exit codes are stable") :]
    listed = re.findall(r"^\| (\d+) \|", table.partition("\n## ")[0], re.M)
    assert [int(code) for code in listed] == sorted(ExitCode)
    shown = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    codes = re.findall(r"(?:^|\s)(\d+) [a-z]", shown[shown.index("Exit codes") : shown.index("Options")])
    assert sorted(map(int, codes)) == sorted(ExitCode)


@pytest.mark.parametrize("args", [["run", "scale"], ["verify", "k.py", "--task", "scale", "--dsl", "cpp", *NO_TIME]])
def test_a_compiler_that_is_not_there_is_a_missing_prerequisite(tmp_path: Path, args: list[str]) -> None:
    make_workspace(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / "k.py").write_text(RIGHT)
    environ = {**os.environ, "TEST_KEY": "k", "PATH": str(tmp_path)}
    ended = subprocess.run([*COMMAND, *args], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == ExitCode.PREREQUISITE
    assert "install g++" in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "runs").exists()
