"""Standard streams that are closed, full or left by their reader: a documented exit code and one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sampling import sampled
from small_task import make_workspace

COMMANDS = (
    "list targets",
    "list tasks --json",
    "plan scale",
    "plan scale --json",
    "schema task",
    "validate",
    "show",
    "knowledge list",
    "knowledge list --json",
    "--help",
    "run --help",
    "--version",
    "plan nothing",
)
CODES = {command: 2 if command in ("show", "plan nothing") else 0 for command in COMMANDS}
SOME = sampled(COMMANDS, "list targets", "plan scale --json", "show", "--help")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space")
    make_workspace(folder, "http://127.0.0.1:9/v1")
    return folder


def shell(space: Path, line: str, **env: str) -> tuple[int, str, str]:
    """A line for the shell, in which ``akgflow`` is the command; the exit code of that command itself."""
    command = f'"{sys.executable}" -m akgflow'
    script = f"set -o pipefail; {line.replace('akgflow', command, 1)}; exit ${{PIPESTATUS[0]}}"
    environ = {**os.environ, **env}
    done = subprocess.run(
        ["bash", "-c", script], cwd=space, env=environ, capture_output=True, text=True, errors="replace", check=False
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", SOME)
def test_a_closed_standard_output_is_said_before_anything_is_done(space: Path, command: str) -> None:
    code, _, err = shell(space, f"akgflow {command} >&-")
    assert code == 2 and err.count("\n") == 1 and "standard output is closed" in err


@pytest.mark.parametrize("command", SOME)
def test_a_full_disk_behind_standard_output_is_one_sentence(space: Path, command: str) -> None:
    code, _, err = shell(space, f"akgflow {command} >/dev/full")
    assert code == 2
    if CODES[command] == 0 or "--json" in command:
        assert err.count("\n") == 1 and "standard output cannot be written (No space left on device)" in err


@pytest.mark.parametrize("command", SOME)
@pytest.mark.parametrize("reader", sampled(["head -1", "true"], "true"))
def test_a_reader_that_leaves_changes_no_exit_code(space: Path, command: str, reader: str) -> None:
    code, _, err = shell(space, f"akgflow {command} | {reader}")
    assert code == CODES[command]
    assert bool(err) == bool(code)


@pytest.mark.thorough
@pytest.mark.parametrize("stream", sampled(["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"], "2>&-"))
def test_the_other_streams_are_not_needed(space: Path, stream: str) -> None:
    for command in ("list targets", "plan scale --json", "plan nothing"):
        plain = shell(space, f"akgflow {command}")
        code, out, _ = shell(space, f"akgflow {command} {stream}")
        assert (code, out) == plain[:2]


@pytest.mark.parametrize("encoding", sampled(["ascii", "latin-1", "utf-8", "cp1252"], "ascii"))
def test_any_encoding_takes_what_is_printed(space: Path, encoding: str) -> None:
    (space / "tasks" / "other.yaml").write_text(
        (space / "tasks" / "scale.yaml").read_text().replace("name: scale", 'name: other\ndescription: "日本 é"')
    )
    for command in ("plan scale", "list tasks", "list workflows", "plan other --json", "plan nöthing", "--help"):
        code, out, err = shell(space, f"akgflow {command}", PYTHONIOENCODING=encoding, PYTHONUTF8="0", LC_ALL="C")
        assert code == (2 if command == "plan nöthing" else 0), err
        assert bool(out) == (code == 0)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("run scale --run-dir /proc/akgflow", "/proc/akgflow"),
        ("run scale --run-dir /dev/null/run", "/dev/null"),
        ("init /proc/space", "/proc/space"),
        ("knowledge export /proc/store.jsonl", "/proc"),
        ("run scale -w unwritable", "unwritable/runs"),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_sentence(space: Path, args: str, words: str) -> None:
    if not (space / "unwritable").exists():
        make_workspace(space / "unwritable", "http://127.0.0.1:9/v1")
        (space / "unwritable" / "runs").write_text("a file where a folder should be")
    code, _, err = shell(space, f"akgflow {args}", TEST_KEY="k")
    assert code == 2 and words in err and err.count("\n") <= 2


@pytest.mark.parametrize("option", ["verify k.py", "matrix scale --candidate cpp=k.py", "knowledge add k.py"])
def test_a_candidate_that_is_no_utf8_is_named_with_the_place(space: Path, option: str) -> None:
    (space / "k.py").write_bytes(b"x = 1\ny = '\xe9'\n")
    of = {"verify": "--task scale", "matrix": "", "knowledge": "--operator tasks/operators/scale.py"}[option.split()[0]]
    where = "" if option.startswith("matrix") else "--dsl cpp --target cpu"
    code, _, err = shell(space, f"akgflow {option} {of} {where}")
    assert code == 2 and "k.py:2:6: the candidate is not UTF-8 text (the byte 0xe9)" in err
