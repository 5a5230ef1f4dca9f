"""``akgflow runs``: which there are, how old and large they are, and that none at work is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from documents import document
from filelock import FileLock
from written_suite import RIGHT, Written, written_problem, written_suite

from akgflow.runs.reader import latest_of

DAY = 86_400


def runs(space: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", "runs", *arguments]
    return subprocess.run(command, cwd=space, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_a_task_s_name_stands_for_its_latest_run() -> None:
    names = ("soft-max-22222222", "soft-33333333", "soft-max-11111111", "mine-4444/problems/soft", "mine-4444")
    known = {name: Path(name) for name in names}
    assert latest_of("soft-max", known) == Path("soft-max-22222222")
    assert latest_of("soft-max-11111111", known) == Path("soft-max-11111111")
    assert latest_of("soft", known) == Path("soft-33333333")
    assert latest_of("max", known) is None
    again = {name: Path(name) for name in ("soft-33333333-2", "soft-33333333")}
    assert latest_of("soft", again) == Path("soft-33333333-2"), "a later one of the same plan"


def aged(folder: Path, days: float) -> Path:
    then = time.time() - days * DAY
    for path in folder.rglob("*"):
        os.utime(path, (then, then))
    return folder


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A workspace whose runs lie elsewhere: a young run, one that is at work, an old one, and an old suite."""
    (tmp_path / "agents.yaml").write_text("version: 1\nruns: {folder: {env: NO_SUCH_VARIABLE, default: of/mine}}\n")
    folder, one = tmp_path / "of" / "mine", Written([RIGHT])
    aged(written_problem(folder / "young", "gemm", one), 1)
    aged(written_problem(folder / "busy", "gemm", one), 40)
    (folder / "busy" / ".lock").touch()
    aged(written_problem(folder / "old", "gemm", one), 50)
    aged(written_suite(folder / "suite", {"a": one, "b": one}), 60)
    return tmp_path


def names(done: subprocess.CompletedProcess[str], key: str) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [one["name"] for one in document(done.stdout)[key]]


@pytest.mark.thorough
def test_old_runs_are_removed_and_one_at_work_is_left(space: Path) -> None:
    with FileLock(space / "of" / "mine" / "busy" / ".lock"):
        done = runs(space, "list", "--json")
        assert names(done, "runs") == ["young", "busy", "old", "suite"]
        said = {one["name"]: one for one in document(done.stdout)["runs"]}
        assert [one["activity"] for one in said.values()] == ["finished", "at work", "finished", "finished"]
        assert (said["suite"]["kind"], said["suite"]["right"], said["suite"]["jobs"]) == ("suite", 2, 2)
        assert abs(said["old"]["age"] / DAY - 50) < 0.1 and said["old"]["bytes"] > 1_000

        unasked = runs(space, "clean", "--older-than", "30d")
        assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
        assert names(runs(space, "list", "--json"), "runs") == ["young", "busy", "old", "suite"]

        done = runs(space, "clean", "--older-than", "30d", "--yes", "--json")
        assert names(done, "removed") == ["old", "suite"]
        assert document(done.stdout)["left"] == {"busy": "it is at work"}
        named = runs(space, "clean", "busy", "--yes")
        assert (named.returncode, "busy: it is at work" in named.stdout) == (2, True)
    assert sorted(path.name for path in (space / "of" / "mine").iterdir()) == ["busy", "young"]


@pytest.mark.thorough
def test_what_is_removed_is_named(space: Path) -> None:
    done = runs(space, "clean", "--yes")
    assert (done.returncode, "--older-than 30d" in done.stderr) == (2, True)
    done = runs(space, "clean", "../mine", "--yes")
    assert (done.returncode, "there is no run or suite '../mine'" in done.stderr) == (2, True)
    assert names(runs(space, "clean", "young", "--older-than", "2d", "--yes", "--json"), "removed") == []
    assert names(runs(space, "clean", "young", "--yes", "--json"), "removed") == ["young"]


def test_other_commands_find_runs_there_and_a_wrong_folder_is_shown_with_its_place(space: Path) -> None:
    def show() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "akgflow", "show", "young"]
        return subprocess.run(command, cwd=space, capture_output=True, text=True, check=False)

    assert show().returncode == 0
    (space / "agents.yaml").write_text("version: 1\nruns: {foldr: of/mine}\n")
    done = show()
    assert done.returncode == 2 and "agents.yaml:2:8" in done.stderr and "did you mean 'folder'?" in done.stderr
