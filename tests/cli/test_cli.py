"""The command as its users meet it: output, messages and exit codes of a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import document
from openai_server import OpenAIServer
from sampling import sampled
from small_task import BROKEN, RIGHT, make_workspace

from akgflow.base import resources

NOWHERE = "http://127.0.0.1:9/v1"
VERIFY = ["verify", "k.py", "--dsl=cpp", "--target=cpu"]


def akgflow(*args: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """One call of the command in ``cwd``."""
    return subprocess.run(
        [sys.executable, "-m", "akgflow", *map(str, args)],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_workspace(tmp_path, NOWHERE)
    return tmp_path


def test_help_lists_the_commands_and_the_exit_codes(tmp_path: Path) -> None:
    shown = akgflow("--help", cwd=tmp_path)
    assert shown.returncode == 0
    for word in ("run", "plan", "validate", "verify", "show", "list", "schema", "doctor", "init", "130"):
        assert word in shown.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["rnu", "x"], "did you mean 'run'?"),
        (["plan"], "Missing argument 'TASK'"),
        (["plan", "scael"], "did you mean 'scale'?"),
        (["plan", "scale", "--set", "budget.usd"], "an override is PATH=VALUE"),
        (["plan", "scale", "--set", "budget.usd=much"], "--set budget.usd=much:1:"),
        (["plan", "scale", "--set", "matrix.target=[cup]"], "did you mean 'cpu'?"),
        (["verify", "k.py", "--operator", "tasks/operators/scale.py", "--dsl", "cp", "--target", "cpu"], "'cpp'"),
        (["verify", "k.py", "--dsl", "cpp", "--target", "cpu"], "either --operator FILE or --task TASK"),
        (
            ["verify", "k.py", "--task", "scale", "--dsl", "cpp", "--target", "nvidia_h200"],
            "cpp cannot be judged for nvidia_h200 (platform cuda): it runs on cpu",
        ),
        (
            ["verify", "k.py", "--operator", "tasks/operators/scale.py", "--dsl=cpp", "--target=cpu", "--case=row=3"],
            "did you mean 'rows'?",
        ),
        ([*VERIFY, "--task", "scale", "--dtype", "bflaot16"], "did you mean 'bfloat16'?"),
        ([*VERIFY, "--operator", "tasks/operators/scale.py", "--dtype", "int8"], "no number type 'int8'"),
        ([*VERIFY, "--task", "scale", "--case", "rows=2.0"], "wants a whole number for 'rows', not a number: 2.0"),
        ([*VERIFY, "--task", "scale", "--case", "rows=2,dtype=float61"], "did you mean 'float64'?"),
        ([*VERIFY, "--task", "scale", "--case", "row=2"], "the operator takes no 'row': did you mean 'rows'?"),
        ([*VERIFY, "--task", "scale", "--case", "rows"], "a case is NAME=VALUE"),
        ([*VERIFY, "--task", "scale", "--case", "rows=.inf"], "is not a finite number"),
        (["verify", "pipe", *VERIFY[2:], "--task", "scale"], "the candidate 'pipe' cannot be read: is a pipe"),
        (["matrix", "scale", "--candidate", "cpp=k.py", "--dtype", "flaot16"], "did you mean 'float16'?"),
        (["matrix", "scale", "--candidate", "cpp=pipe"], "the candidate 'pipe' cannot be read: is a pipe"),
        (["show", "tasks"], "is not a run's folder"),
        (["show"], "akgflow run TASK makes one"),
        (["show", "scale-1"], "there is no run 'scale-1'"),
        (["init", "."], "already holds"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(workspace: Path, args: list[str], words: str) -> None:
    (workspace / "k.py").write_text(RIGHT)
    os.mkfifo(workspace / "pipe")
    shown = akgflow(*args, cwd=workspace)
    assert shown.returncode == 2
    assert words in shown.stderr
    assert "Traceback" not in shown.stderr


def test_all_problems_of_all_files_come_at_once_with_their_places(workspace: Path) -> None:
    (workspace / "hardware.yaml").write_text("version: 1\ntargets:\n  mine: {platform: cuda, arhc: sm_90a}\n")
    task = workspace / "tasks" / "scale.yaml"
    task.write_text(task.read_text().replace("kind: generate", "kind: generat"))
    shown = akgflow("validate", cwd=workspace)
    assert shown.returncode == 2
    assert "hardware.yaml:3:26" in shown.stderr
    assert "'arch'" in shown.stderr
    assert "tasks/scale.yaml:3:7" in shown.stderr
    assert "'generate'" in shown.stderr
    as_json = akgflow("validate", "--json", cwd=workspace)
    places = {problem["mark"]["file"] for problem in document(as_json.stdout)["problems"]}
    assert places == {"hardware.yaml", "tasks/scale.yaml"}


def test_a_plan_says_what_runs_and_what_cannot(workspace: Path) -> None:
    args = ("plan", "scale", "--set", "matrix.target=[cpu, amd_mi300x]")
    shown = akgflow(*args, cwd=workspace)
    assert shown.returncode == 0
    assert "executed" in shown.stdout
    assert "cpp does not run on platform hip (it runs on cpu)" in shown.stdout
    data = document(akgflow(*args, "--json", cwd=workspace).stdout)
    assert [bool(job["impossible"]) for job in data["plan"]["jobs"]] == [False, True]
    assert not (workspace / "runs").exists()


def test_a_target_added_to_hardware_yaml_alone_is_listed_planned_and_compiled_for(workspace: Path) -> None:
    (workspace / "hardware.yaml").write_text(
        "version: 1\ntargets:\n"
        "  nvidia_l40s: {platform: cuda, arch: sm_89, title: NVIDIA L40S, facts: {smem_kib: 99}}\n"
    )
    assert "nvidia_l40s" in akgflow("list", "targets", cwd=workspace).stdout
    matrix = "matrix={dsl: [triton], target: [nvidia_l40s]}"
    assert "nvidia_l40s" in akgflow("plan", "scale", "--set", matrix, cwd=workspace).stdout
    candidate = workspace / "k.py"
    candidate.write_text(
        (Path(__file__).parents[1] / "support" / "scale_triton.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    shown = akgflow(
        *("verify", candidate, "--task", "scale", "--dsl", "triton", "--target", "nvidia_l40s", "--json"), cwd=workspace
    )
    verdict = document(shown.stdout)
    assert shown.returncode == 0, verdict
    assert verdict["evidence"] == ["interpreted", "compiled"]
    assert {found["arch"] for found in verdict["resources"]} == {"sm_89"}
    assert all(found["registers"] > 0 for found in verdict["resources"])


JUDGED = [(RIGHT, 0, "PASSED"), (BROKEN, 1, "COMPILE_ERROR")]


@pytest.mark.parametrize(("source", "code", "status"), sampled(JUDGED, JUDGED[0]))
def test_verify_judges_a_file_without_a_model(workspace: Path, source: str, code: int, status: str) -> None:
    (workspace / "k.py").write_text(source)
    args = ("--dsl", "cpp", "--target", "cpu", "--no-time")
    shown = akgflow("verify", "k.py", "--task", "scale", *args, cwd=workspace)
    assert shown.returncode == code
    assert status in shown.stdout
    if status == "COMPILE_ERROR":
        assert "error:" in shown.stdout


@pytest.mark.thorough
def test_a_missing_key_is_exit_code_4_and_names_the_variable(workspace: Path) -> None:
    env = dict.fromkeys(("TEST_KEY", "AKGFLOW_MODEL"), "")
    shown = akgflow("run", "scale", cwd=workspace, **env)
    assert shown.returncode == 4
    assert "TEST_KEY" in shown.stdout + shown.stderr


@pytest.mark.thorough
def test_a_missing_recording_names_the_ways_to_a_real_provider(workspace: Path) -> None:
    shown = akgflow("run", "scale", "--set", "models.default.model=recorded/none", cwd=workspace)
    assert shown.returncode == 4
    for way in ("AKGFLOW_MODEL", "--set models.default.model=", "agents.yaml"):
        assert way in shown.stdout + shown.stderr


def test_a_path_that_cannot_be_used_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown = akgflow("init", "file/workspace", cwd=tmp_path)
    assert shown.returncode == 2
    assert "file/workspace cannot be used: Not a directory" in shown.stderr and "Traceback" not in shown.stderr


def test_init_makes_a_workspace_that_validates(tmp_path: Path) -> None:
    assert akgflow("init", "mine", cwd=tmp_path).returncode == 0
    shown = akgflow("validate", cwd=tmp_path / "mine")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "gemm_migrate" in shown.stdout


@pytest.mark.thorough
def test_a_source_that_does_not_compile_stops_before_any_model_is_asked(tmp_path: Path) -> None:
    assert akgflow("init", "mine", cwd=tmp_path).returncode == 0
    kernel = tmp_path / "mine" / "tasks" / "kernels" / "gemm.cu"
    text = kernel.read_text()
    kernel.write_text(text.replace("__syncthreads();", "__syncthread();", 1))
    line = text[: text.index("__syncthreads();")].count("\n") + 1
    shown = akgflow("run", "gemm_migrate", cwd=tmp_path / "mine")
    assert shown.returncode == 2
    assert f"gemm.cu:{line}:1: the source kernel cannot be migrated as it is" in shown.stderr
    assert "__syncthread" in shown.stderr
    assert not list((tmp_path / "mine" / "runs").glob("*/jobs"))


@pytest.mark.parametrize("kind", ["agents", "hardware", "dsl", "task", "suite"])
def test_schema_prints_the_schema(tmp_path: Path, kind: str) -> None:
    assert json.loads(akgflow("schema", kind, cwd=tmp_path).stdout) == json.loads(resources.schema(kind).read_text())


def test_doctor_says_what_is_here(tmp_path: Path, openai_server: OpenAIServer) -> None:
    workspace = tmp_path / "space"
    make_workspace(workspace, openai_server.url)
    shown = akgflow("doctor", cwd=workspace, TEST_KEY="sk-hidden")
    assert "C++ compiler" in shown.stdout
    assert "TEST_KEY is set" in shown.stdout
    assert "sk-hidden" not in shown.stdout
    assert shown.returncode == 0
