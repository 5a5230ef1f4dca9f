"""What killed owners leave is swept; what a living one works in is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from openai_server import OpenAIServer
from plain_workspace import PLAIN_RIGHT, plain_workspace, wrong_then_right

from akgflow.executors.scratch import Scratch, sweep, temporary

HOLD = """
import sys, time
from pathlib import Path
from akgflow.executors.scratch import Scratch
made = Scratch(Path(sys.argv[1]))
(made.path / "left").mkdir()
(made.path / "left" / "file").write_text("x")
print("ready", flush=True)
time.sleep(600)
"""


def owner(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.thorough
def test_a_folder_is_swept_when_its_owner_was_killed_and_not_before(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    process = owner(folder)
    sweep([folder, tmp_path / "nothing"])
    assert (folder / "left" / "file").exists()
    with pytest.raises(BlockingIOError):
        Scratch(folder)
    end(process)
    (folder / "left").chmod(0)
    sweep([folder])
    assert not folder.exists()


def test_a_new_owner_starts_empty_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "scratch" / "old").mkdir(parents=True)
    (tmp_path / "scratch" / "file").write_text("x")
    made = Scratch(tmp_path / "scratch")
    assert list(made.path.iterdir()) == []
    (made.path / "new").write_text("x")
    made.close()
    assert not made.path.exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    (tmp_path / "scratch").symlink_to(tmp_path / "mine")
    sweep([tmp_path / "scratch"])
    assert (tmp_path / "mine" / "file").exists()


def test_sweeping_and_owning_side_by_side(tmp_path: Path) -> None:
    stop = threading.Event()

    def sweeper() -> None:
        while not stop.is_set():
            sweep(tmp_path.glob("*"))

    thread = threading.Thread(target=sweeper)
    thread.start()
    try:
        for number in range(200):
            made = Scratch(tmp_path / str(number % 3))
            (made.path / "file").write_text("x")
            assert (made.path / "file").read_text() == "x"
            made.close()
    finally:
        stop.set()
        thread.join()


def test_temporary_ones_of_killed_processes_go_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine, (left, lives) = temporary(), (tmp_path / f"akgflow-judge-{name}" for name in ("left", "lives"))
    dead, alive = owner(left), owner(lives)
    end(dead)
    other = temporary()
    assert {path.name for path in tmp_path.iterdir()} == {mine.path.name, other.path.name, lives.name}
    end(alive)
    mine.close()
    other.close()


@pytest.mark.thorough
def test_what_killed_runs_left_is_gone_after_the_next_and_a_living_run_keeps_its_own(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.default = wrong_then_right()
    plain_workspace(tmp_path, openai_server.url)
    environ = {**os.environ, "TEST_KEY": "k"}
    run = [sys.executable, "-m", "akgflow", "run", "scale", "--json"]

    def start(*options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*run, *options], cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def works(count: int, process: subprocess.Popen[bytes]) -> None:
        while len(list(tmp_path.glob("runs/*/scratch/*"))) < count:
            assert process.poll() is None
            time.sleep(0.01)

    killed = start("--fresh")
    works(1, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    (old,) = tmp_path.glob("runs/*/scratch")
    assert list(old.iterdir())
    (old.parent / "best").mkdir(exist_ok=True)
    (old.parent / "best" / ".candidate.py.1-abc.part").write_text("half")
    living = start("--fresh")
    while old.exists():
        assert living.poll() is None
        time.sleep(0.01)
    works(1, living)
    (own,) = tmp_path.glob("runs/*/scratch")
    (tmp_path / "k.py").write_text(PLAIN_RIGHT)
    verify = [sys.executable, "-m", "akgflow", "verify", "k.py", "--task", "scale", "--dsl", "plain", "--target", "cpu"]
    assert subprocess.run([*verify, "--no-time"], cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert living.poll() is not None or own.exists()
    assert living.wait(300) == 0
    assert not list(tmp_path.glob("runs/*/scratch"))
    assert start("--run-dir", str(old.parent)).wait(300) == 0
    assert not list(tmp_path.rglob("*.part"))
