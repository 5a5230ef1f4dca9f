"""Recordings: exact text, merging, strict replay, and what is said about a file that is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from model_bench import Bench, call, spec

from akgflow.budget.usage import Usage
from akgflow.errors import ConfigError
from akgflow.models import recording
from akgflow.models.base import Failure, ModelReply, ProviderError
from akgflow.models.recording import RecordedReply, read_recording, write_recording

REPLY = RecordedReply("triton-cpu", "code", 1, 1, "coder", 0, "openai/m", "print", 11, 7, 0.02, False, "stop", "pong")

NASTY = [
    "",
    " ",
    "\n",
    "\n\n\n",
    "\t",
    "plain",
    "ends with one\n",
    "ends with three\n\n\n",
    "  starts with blanks\n and goes on",
    "\n  starts with a newline",
    "\tstarts with a tab",
    "trailing blanks   \nand tabs\t\nwithin  \n",
    "last line is blanks\n    ",
    "# comment\n--- \n...\n%YAML 1.2\n- list\nkey: value\n? x\n| literal\n> folded\n&a *a !!tag\n",
    "carriage\r\nreturns\rhere",
    "null",
    "1e10",
    "true",
    "~",
    "'single' \"double\" \\back\\slash\\n",
    "unicode: é ß 中文 🚀 \u00a0nbsp \u200bzero",
    "separators \u2028 and \u2029 and \x85 end",
    "control \x00 \x1b[31m \x7f \ufeff bom",
    "```python\nclass ModelNew:\n    def forward(self):\n        return {'a': \"b\"}\n```\n",
    "x" * 5000 + " " + "y" * 5000,
]


def _loaders() -> list[type]:
    return [yaml.SafeLoader] + ([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])


@pytest.mark.parametrize("loader", _loaders())
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_text_comes_back_exactly(text: str, loader: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(REPLY, text=text, model=f"m {text}", finish_reason=text)
    path = tmp_path / "t.tape.yaml"
    write_recording(path, "t", [entry, replace(entry, attempt=2)])
    monkeypatch.setattr(recording, "_loader", lambda: loader)
    assert list(read_recording(path).replies.values()) == [entry, replace(entry, attempt=2)]


def test_random_text_comes_back_exactly(tmp_path: Path) -> None:
    draw = random.Random(7)
    parts = ["a", " ", "\n", "\t", "\r", ":", "#", "-", "'", '"', "\\", "é", "🚀", "\u2028", "\x85", "\x00", "`", "|"]
    entries = [replace(REPLY, attempt=n, text="".join(draw.choices(parts, k=draw.randrange(12)))) for n in range(400)]
    write_recording(tmp_path / "r.yaml", "t", entries)
    assert list(read_recording(tmp_path / "r.yaml").replies.values()) == entries


def test_a_recording_is_readable_by_people(tmp_path: Path) -> None:
    path = tmp_path / "t.tape.yaml"
    write_recording(path, "t", [replace(REPLY, text="Here:\n```python\nx = 1  \n```\n")])
    lines = path.read_text().splitlines()
    at = lines.index("    text: |4+")
    assert lines[at + 1 :] == ["        Here:", "        ```python", "        x = 1  ", "        ```"]
    assert '    fingerprint: "print"' in lines


def test_writing_merges_by_key_and_newer_wins(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "t.tape.yaml"
    write_recording(path, "t", [REPLY, replace(REPLY, attempt=2)])
    write_recording(path, "t", [replace(REPLY, attempt=2, text="new"), replace(REPLY, resend=1, text="again")])
    got = {(r.attempt, r.resend): r.text for r in read_recording(path).replies.values()}
    assert got == {(1, 0): "pong", (1, 1): "again", (2, 0): "new"}
    assert [p.name for p in path.parent.iterdir()] == ["t.tape.yaml"]  # no temporary file stays behind


def test_the_same_replies_give_the_same_file(tmp_path: Path) -> None:
    entries = [replace(REPLY, attempt=n) for n in (3, 1, 2)]
    write_recording(tmp_path / "a", "t", entries)
    write_recording(tmp_path / "b", "t", entries[::-1])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.tape.yaml"
    write_recording(path, "t", [REPLY])
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_recording(path, "t", [replace(REPLY, text="new")])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_of_another_task_is_not_overwritten(tmp_path: Path) -> None:
    write_recording(tmp_path / "x.yaml", "t", [REPLY])
    with pytest.raises(ConfigError, match="recording of task t, not of u"):
        write_recording(tmp_path / "x.yaml", "u", [REPLY])


def _edit(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    "edit, words",
    [
        (_edit("version: 1", "version: 2"), "version 2"),
        (_edit("version: 1\n", ""), "needs version, task, akgflow and replies"),
        (_edit('task: "t"', "task: 7"), "task must be a name"),
        (_edit("attempt: 1", "attempt: one"), "attempt"),
        (_edit("    sample: 1\n", ""), "sample"),
        (_edit("resend: 0", "resend: 0\n    extra: 1"), "extra"),
        (_edit('finish_reason: "stop"', 'finish_reason: "stop'), "not YAML"),
        (_edit("attempt: 2", "attempt: 1"), "recorded twice"),
        (lambda text: text[: text.index("text:")] + "text: 12\n", "text must be text"),
        (lambda text: "just words", "not a recording"),
        (lambda text: text[: text.index("replies:")] + "replies: [1]\n", "must be a mapping"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(edit: Callable[[str], str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.tape.yaml"
    write_recording(path, "t", [REPLY, replace(REPLY, attempt=2)])
    path.write_text(edit(path.read_text()))
    with pytest.raises(ConfigError) as caught:
        read_recording(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")


def test_replay_by_key(tmp_path: Path) -> None:
    entries = [replace(REPLY, attempt=n, text=f"reply {n}") for n in (1, 2)]
    write_recording(tmp_path / "t.tape.yaml", "t", [*entries, replace(REPLY, resend=1, text="again")])
    bench = Bench(spec(model="recorded/tape"), recordings=tmp_path)
    reply = bench.once(key=call(2))
    assert reply == ModelReply("reply 2", Usage(11, 7, 0.02, reserved=18), "openai/m", "recorded")
    assert bench.once(key=call(1, resend=1)).text == "again"


def test_a_changed_prompt_is_said(tmp_path: Path) -> None:
    write_recording(tmp_path / "t.tape.yaml", "t", [replace(REPLY, fingerprint="another")])
    reply = Bench(spec(model="recorded/tape"), recordings=tmp_path).once()
    assert reply.text == "pong"
    assert "the prompt has changed since the recording (job triton-cpu, step code" in reply.notes[0]


@pytest.mark.parametrize(
    "key",
    [
        call(job="cpp-cpu"),
        call(step="fix"),
        call(2),
        call(sample=2),
        call(agent="designer"),
        call(resend=1),
        call(task="u"),
    ],
    ids=str,
)
def test_a_call_without_a_recording_names_the_three_ways_out(key: object, tmp_path: Path) -> None:
    write_recording(tmp_path / "t.tape.yaml", "t", [REPLY])
    with pytest.raises(ProviderError) as caught:
        Bench(spec(model="recorded/tape"), recordings=tmp_path).once(key=key)
    message = str(caught.value)
    assert caught.value.failure is Failure.NO_RECORDING
    assert str(tmp_path) in message
    for word in ("AKGFLOW_MODEL=", "--set models.default.model=", "agents.yaml"):
        assert word in message


def test_a_recording_of_another_task_under_this_name_answers_nothing(tmp_path: Path) -> None:
    write_recording(tmp_path / "t.tape.yaml", "u", [REPLY])
    with pytest.raises(ProviderError, match="holds no reply"):
        Bench(spec(model="recorded/tape"), recordings=tmp_path).once()


@pytest.mark.parametrize("model", ["recorded/", "recorded", "recorded/../x", "recorded/a/b"])
def test_a_recording_needs_a_name(model: str, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="recorded/NAME"):
        Bench(spec(model=model), recordings=tmp_path).once()
