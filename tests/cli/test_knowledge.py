"""``akgflow knowledge``: messages, files and exit codes, as a person sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from documents import document
from known import entry, timed
from small_task import OPERATOR, RIGHT, WRONG

from akgflow.knowledge import Lesson, Store

LESSON = Lesson("INCORRECT_NUMERICAL", "off by 2", "negative values pass")
ENTRY = entry("scale", OPERATOR, RIGHT, timed(1.5), lessons=(LESSON,))
JUDGED = ("--operator", "scale.py", "--dsl", "cpp", "--target", "cpu", "--case", "rows=8,columns=16", "--no-time")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"scale.py": OPERATOR, "right.py": RIGHT, "wrong.py": WRONG}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def akgflow(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", "knowledge", *args]
    return subprocess.run(command, cwd=folder, env={**os.environ}, capture_output=True, text=True, check=False)


@pytest.mark.thorough
def test_looking_at_it(folder: Path, knowledge: Path) -> None:
    assert "no entries in" in akgflow(folder, "list").stdout
    Store(knowledge).add(ENTRY)
    listed = akgflow(folder, "list", "--dsl", "cpp").stdout
    assert ENTRY.id in listed and "1.50x [1.35, 1.65] over eager on some CPU" in listed
    assert document(akgflow(folder, "list", "--dsl", "triton", "--json").stdout)["entries"] == []
    (row,) = document(akgflow(folder, "list", "--json").stdout)["entries"]
    assert (row["id"], row["speedup"], row["interval"], row["lessons"]) == (
        ENTRY.id,
        1.5,
        [1.35, 1.6500000000000001],
        1,
    )
    shown = akgflow(folder, "show", ENTRY.id[:5]).stdout
    for words in (RIGHT.strip(), OPERATOR.strip(), "pointwise 2", "negative values pass", "judged"):
        assert words in shown
    assert document(akgflow(folder, "show", ENTRY.id, "--json").stdout)["digest"] == ENTRY.digest


@pytest.mark.thorough
def test_a_right_file_is_judged_and_added_and_a_wrong_one_is_not(folder: Path, knowledge: Path) -> None:
    shown = akgflow(folder, "add", "wrong.py", *JUDGED)
    assert shown.returncode == 1 and "not added: wrong.py: INCORRECT_NUMERICAL" in shown.stdout
    assert Store(knowledge).entries() == []
    shown = akgflow(folder, "add", "right.py", *JUDGED, "--json")
    assert shown.returncode == 0, shown.stderr
    (kept,) = Store(knowledge).entries()
    assert document(shown.stdout) == {"added": [kept.id], "known": [], "refused": {}}
    assert (kept.verdict.status, kept.features.inputs) == ("PASSED", ((8, 16),))


@pytest.mark.thorough
def test_what_was_exported_is_a_claim_until_it_is_judged(folder: Path, knowledge: Path) -> None:
    Store(knowledge).add(ENTRY)
    wrong = replace(ENTRY, source=WRONG)
    Store(knowledge).add(wrong)
    assert "exported: 2 entries to all.jsonl" in akgflow(folder, "export", "all.jsonl").stdout
    for one in (ENTRY, wrong):
        assert "forgotten" in akgflow(folder, "forget", one.id).stdout
    assert akgflow(folder, "import", "all.jsonl").returncode == 0
    assert {one.trust for one in Store(knowledge).entries()} == {"imported"}
    assert "others' claim" in akgflow(folder, "show", ENTRY.id).stdout
    shown = akgflow(folder, "import", "all.jsonl", "--judge", "--no-time")
    assert shown.returncode == 1 and f"not added: {wrong.id}: INCORRECT_NUMERICAL" in shown.stdout
    trust = {one.id: one.trust for one in Store(knowledge).entries()}
    assert trust == {ENTRY.id: "judged", wrong.id: "imported"}
    assert Store(knowledge).get(ENTRY.id).verdict != ENTRY.verdict


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("show", "abc"), "there is no entry 'abc'"),
        (("forget", "abc"), "there is no entry 'abc'"),
        (("add", "right.py"), "a candidate is judged first: give --operator FILE, --dsl and --target"),
        (("add", "."), "is not the folder of a run"),
        (("add", ".", "--dsl", "cpp"), "give no option with it"),
        (("add", "right.py", "--operator", "scale.py", "--dsl", "cp", "--target", "cpu"), "did you mean 'cpp'?"),
        (("import", "right.py"), "is not an export"),
        (("list", "--set", "knowledge.use=sometimes"), "'sometimes'"),
        (("list", "--set", "knowledge.embedding_model=default"), "knows no key 'embedding_model'"),
        (("list", "--set", "knowledge.exampels=1"), "'examples'"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(folder: Path, args: tuple[str, ...], words: str) -> None:
    shown = akgflow(folder, *args)
    assert shown.returncode == 2
    assert words in shown.stderr and "Traceback" not in shown.stderr
