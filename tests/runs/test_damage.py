"""A damaged run: no traceback, a sentence about what is whole, and nothing whole is lost or paid for again."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from documents import document
from openai_server import OpenAIServer
from plain_workspace import PLAIN_RIGHT, plain_workspace, wrong_then_right
from sampling import sampled

from akgflow.cli._main import _guarded
from akgflow.errors import ExitCode

SEED = 20_261
KNOWN = {ExitCode.DONE, ExitCode.GATE_FAILED, ExitCode.CONFIG}
JOB = "plain-cpu"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer()
    server.default = wrong_then_right()
    yield server
    server.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> Path:
    """A workspace with one finished run."""
    space = tmp_path_factory.mktemp("whole")
    plain_workspace(space, server.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_KEY", "k")
        patch.setenv("AKGFLOW_KNOWLEDGE", str(space / "knowledge.sqlite"))
        patch.chdir(space)
        assert _guarded(["run", "scale", "--json"]) == ExitCode.DONE
    return space


@pytest.fixture
def run(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That run, as it was, for a test to damage; the workspace is the current folder."""
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(whole / "knowledge.sqlite"))
    monkeypatch.chdir(whole)
    (folder,) = (whole / "runs").iterdir()
    kept = whole / "kept"
    shutil.copytree(folder, kept)
    yield folder
    for left in (whole / "runs").iterdir():
        shutil.rmtree(left)
    kept.rename(folder)


def said(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    capsys.readouterr()
    code = _guarded(list(args))
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err + shown.out, shown.err
    return int(code), shown.out, shown.err


def keys(folder: Path) -> list[str]:
    return [json.loads(line)["key"] for line in (folder / "journal.jsonl").read_text().split("\n") if line]


def repaired(capsys: pytest.CaptureFixture[str], folder: Path, server: OpenAIServer) -> int:
    """Repair and go on; the number of calls that this asked for. The result is as good as the first one."""
    before = len(server.requests)
    code, out, err = said(capsys, "run", "scale", "--repair", "--json")
    assert code == ExitCode.DONE, err
    (job,) = document(out)["jobs"]
    assert [attempt["status"] for attempt in job["attempts"]] == ["INCORRECT_NUMERICAL", "PASSED"]
    assert (folder / "best" / JOB / "candidate.py").read_text().strip() == PLAIN_RIGHT.strip()
    for args in (("show", folder.name), ("matrix", "scale")):
        assert said(capsys, *args)[0] == ExitCode.DONE
    # The store takes no kernel that the framework may have computed.
    assert said(capsys, "knowledge", "add", str(folder))[0] == ExitCode.GATE_FAILED
    return len(server.requests) - before


def with_middle(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Damages the line of the first model call."""

    def damage(folder: Path) -> None:
        path = folder / "journal.jsonl"
        lines = path.read_bytes().split(b"\n")
        at = next(i for i, line in enumerate(lines) if b'"call ' in line)
        lines[at] = change(lines[at])
        path.write_bytes(b"\n".join(lines))

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            with_middle(lambda line: line[: len(line) // 2]),
            "cannot be used: it is no JSON",
        ),
        (with_middle(lambda line: line.replace(b"sketch", b"sk\xfftch", 1)), "its digest does not fit"),
        (with_middle(lambda line: b'{"not": "ours"}'), "it is no journal entry ('not')"),
        (with_middle(lambda line: b"[]"), "it is no JSON object"),
        (with_middle(lambda line: b"\xff\xfe"), "it is no JSON"),
        (with_middle(lambda line: b'{"key": "call a", "seconds": 1, "data": 5}'), "does not hold what 'call a' is"),
        (with_middle(lambda line: b'{"key": 1, "seconds": 1, "data": 5}'), "it is no journal entry ('key')"),
        (with_middle(lambda line: b'{"key": "call a", "key": "b", "seconds": 1, "data": 5}'), "stands twice"),
        (with_middle(lambda line: b'{"key": "x", "seconds": NaN, "data": 5}'), "it is no journal entry ('seconds')"),
        (with_middle(lambda line: b"[" * 100_000), "it is no JSON"),
    ],
)
def test_a_damaged_line_is_named_and_only_what_it_held_is_asked_again(
    run: Path,
    server: OpenAIServer,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    words: str,
) -> None:
    (run / "result.json").unlink()
    count = len(keys(run))
    damage(run)
    damaged = (run / "journal.jsonl").read_bytes()
    for args in (("run", "scale"), ("show", run.name), ("knowledge", "add", str(run))):
        code, _, err = said(capsys, *args)
        assert code == ExitCode.CONFIG
        assert words in err and f"{count - 1} of {count} steps" in err and "--repair" in err
    assert (run / "journal.jsonl").read_bytes() == damaged
    assert repaired(capsys, run, server) == 1
    assert (run / "journal.jsonl.damaged-1").read_bytes() == damaged


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[]", b'{"task": ', b"\xff\xfe\x00", b"[" * 100_000, b"5"])
@pytest.mark.parametrize("name", ["result.json", "plan.json", f"best/{JOB}/verdict.json"])
def test_a_file_that_is_made_from_the_journal_is_made_again_and_nothing_is_asked(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    (run / name).write_bytes(content)
    reads = ("show", run.name) if name == "result.json" else ("matrix", "scale", "--run", str(run))
    code, _, err = said(capsys, *reads)
    assert code == ExitCode.CONFIG
    assert f"{name} is damaged" in err and "--repair" in err and "whole steps" in err
    assert repaired(capsys, run, server) == 0
    assert (run / f"{name}.damaged-1").read_bytes() == content


@pytest.mark.parametrize("name", ["plan.json", "operator.py", f"best/{JOB}/candidate.py", f"best/{JOB}", "best"])
def test_what_is_gone_is_made_again_and_nothing_is_asked(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    for args in (("show", run.name), ("matrix", "scale"), ("knowledge", "add", str(run)), ("run", "scale")):
        assert said(capsys, *args)[0] in KNOWN
    assert repaired(capsys, run, server) == 0


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["journal.jsonl", "result.json", "plan.json", ".identity", "operator.py", "best"])
def test_a_folder_for_a_file_and_a_file_for_a_folder(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = run / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.write_text("a file") if name == "best" else path.mkdir()
    for args in (("show", run.name), ("matrix", "scale"), ("knowledge", "add", str(run)), ("run", "scale")):
        assert said(capsys, *args)[0] in KNOWN
    calls = repaired(capsys, run, server)
    assert calls == (4 if name == "journal.jsonl" else 0)
    assert run.joinpath(f"{name}.damaged-1").exists()


def test_lines_that_were_swapped_or_end_otherwise_are_whole(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "result.json").unlink()
    path = run / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1]
    path.write_bytes(b"\r\n\n".join(reversed(lines)))
    before = len(server.requests)
    assert said(capsys, "run", "scale", "--json")[0] == ExitCode.DONE
    assert len(server.requests) == before


def test_a_journal_of_an_older_akgflow_is_read(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "result.json").unlink()
    path = run / "journal.jsonl"
    entries = [json.loads(line) for line in path.read_text().split("\n") if line]
    for entry in entries:
        del entry["digest"]
    path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))
    before = len(server.requests)
    assert said(capsys, "run", "scale", "--json")[0] == ExitCode.DONE
    assert len(server.requests) == before


def hurt(path: Path, dice: random.Random) -> None:
    """One random damage."""
    raw = bytearray(path.read_bytes())
    lines = bytes(raw).split(b"\n")
    kind = dice.choice(["flip", "flips", "cut", "hole", "swap", "twice", "insert"])
    if kind in ("flip", "flips"):
        for _ in range(1 if kind == "flip" else 20):
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    elif kind == "cut":
        del raw[dice.randrange(len(raw)) :]
    elif kind == "hole":
        start = dice.randrange(len(raw))
        del raw[start : start + dice.randrange(1, 3000)]
    elif kind == "insert":
        raw[dice.randrange(len(raw)) :] += dice.randbytes(dice.randrange(1, 200))
    else:
        a, b = dice.randrange(len(lines)), dice.randrange(len(lines))
        if kind == "twice":
            lines.insert(a, lines[b])
        lines[a], lines[b] = lines[b], lines[a]
        raw = bytearray(b"\n".join(lines))
    path.write_bytes(raw)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", sampled(range(16), 0, 1))
def test_random_damage_loses_no_whole_line_and_repeats_no_whole_call(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    dice = random.Random(SEED + seed)
    lines = set((run / "journal.jsonl").read_bytes().split(b"\n")[:-1])
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.name != ".lock"]
    hurt(run / "journal.jsonl" if seed % 2 else dice.choice(files), dice)
    if dice.random() < 0.5:
        (run / "result.json").unlink()
    for args in (("show", run.name), ("matrix", "scale"), ("knowledge", "add", str(run)), ("list", "tasks")):
        assert said(capsys, *args)[0] in KNOWN
    whole = lines & set((run / "journal.jsonl").read_bytes().split(b"\n"))
    paid = sum(1 for line in whole if b'"key": "call ' in line)
    before = len(server.requests)
    assert said(capsys, "run", "scale", "--repair", "--json")[0] == ExitCode.DONE
    assert len(server.requests) - before <= 4 - paid
    assert whole <= set((run / "journal.jsonl").read_bytes().split(b"\n"))


@pytest.mark.thorough
def test_a_real_process_ends_with_a_sentence(run: Path) -> None:
    (run / "journal.jsonl").write_bytes(b"\x00\xff\n" + (run / "journal.jsonl").read_bytes())
    (run / "result.json").write_bytes(b"{}")
    for args in (["run", "scale"], ["run", "scale", "--json"], ["show"], ["show", "--json"], ["matrix", "scale"]):
        done = subprocess.run(
            [sys.executable, "-m", "akgflow", *args], capture_output=True, env={**os.environ}, check=False
        )
        assert done.returncode in KNOWN and b"Traceback" not in done.stderr
        if "--json" in args:
            assert document(done.stdout)["problems"]
