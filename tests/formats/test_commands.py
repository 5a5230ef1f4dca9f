"""The commands: exit codes, and what is printed where."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from documents import document
from foreign import ALL, EXAMPLES

from akgflow.errors import ExitCode


def akgflow(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "akgflow", *map(str, args)], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_import_says_what_became_a_task_and_what_did_not(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    shutil.copytree(EXAMPLES / "kernelbot", tmp_path / "bot")
    shutil.copytree(EXAMPLES / "robust", tmp_path / "robust")
    (tmp_path / "bot/square_sum/task.yml").write_text("lang: cu\n")
    done = akgflow("import", "bot", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
    assert "bot/square_sum/task.yml:1:1: the task is in 'cu'" in done.stderr
    done = akgflow("import", ".", "--dsl", "cpp", "--json", cwd=tmp_path)
    assert done.returncode == ExitCode.DONE, done.stderr
    told = document(done.stdout)
    assert (len(told["tasks"]), len(told["refused"])) == (1, 1)
    assert akgflow("plan", "gated", cwd=tmp_path).returncode == ExitCode.DONE


def test_verify_takes_a_solution_and_writes_traces(tmp_path: Path) -> None:
    example = ALL[1]
    done = akgflow(
        *("verify", EXAMPLES / example.right, "--operator", EXAMPLES / example.problem, "--format", example.format),
        *("--dsl", example.dsl, "--target", "cpu", "--no-time", "--trace", "traces.jsonl"),
        cwd=tmp_path,
    )
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    found = [json.loads(line) for line in (tmp_path / "traces.jsonl").read_text().splitlines()]
    assert [one["solution"] for one in found] == ["rowsum_triton"] * 2
    assert [one["workload"]["uuid"] for one in found] == ["rowsum-0", "rowsum-1"]


def test_a_format_that_the_problem_has_not_is_said(tmp_path: Path) -> None:
    done = akgflow(
        *("verify", EXAMPLES / ALL[0].right, "--operator", EXAMPLES / ALL[0].problem, "--format", "kernelbot"),
        *("--dsl", "cpp", "--target", "cpu"),
        cwd=tmp_path,
    )
    assert done.returncode == ExitCode.CONFIG
    assert "is no problem of kernelbot" in done.stderr
