"""Text that others wrote: it enters as valid Unicode, lies on disk as it is, and steers no terminal."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from known import entry
from small_task import OPERATOR, RIGHT

from akgflow.agents import describe
from akgflow.base.atomic import write_json, write_text
from akgflow.base.serial import of_others, to_json
from akgflow.base.text import lines, received, visible
from akgflow.config import read_text
from akgflow.errors import ConfigError
from akgflow.knowledge import from_lines, to_lines
from akgflow.search.novelty import normal_form
from akgflow.search.tunables import with_values
from akgflow.terms import Status
from akgflow.verdict import Environment, Verdict

NO_LINE_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
STEERING = [
    char
    for char in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(char) in ("BN", "LRM", "RLO")
    if char not in "\n\t"
]
HOSTILE = "a\x1b[2J\x1b]0;t\x07\x1b[32mPASSED\r\n\x85\u2028\u202e\ud800b\x9b31m"


@pytest.mark.parametrize(
    ("came", "is_then"),
    [
        ("plain", "plain"),
        ("half \ud800 half", "half \ufffd half"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        (b"\xef\xbb\xbfmark", "mark"),
        (b"latin \xe9", "latin \ufffd"),
        ("\u2028\x1b kept", "\u2028\x1b kept"),
    ],
)
def test_what_enters_is_valid_unicode_and_else_as_it_was(came: str | bytes, is_then: str) -> None:
    assert received(came) == is_then
    received(came).encode()


def test_no_character_that_steers_a_terminal_is_shown_as_it_is() -> None:
    left = [char for char in STEERING if char in visible(f"a{char}b") and unicodedata.category(char) != "Cf"]
    assert left == []
    assert visible(HOSTILE) == r"a\x1b[2J\x1b]0;t\x07\x1b[32mPASSED" + "\n" + r"\x85\u2028\u202e\ud800b\x9b31m"
    for kept in ("naïve", "日本", "👩‍💻", "a\tb\nc", "שלום"):
        assert visible(kept) == kept


def test_lines_end_where_compilers_end_them() -> None:
    text = f"a{NO_LINE_ENDS}b\r\nc\rd\n\ne"
    assert lines(text) == [f"a{NO_LINE_ENDS}b", "c", "d", "", "e"]
    assert "".join(lines(text, keep_ends=True)) == text
    assert lines("") == [] and lines("a\n") == ["a"]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_one_form_that_every_reader_and_encoding_takes(tmp_path: Path, indent: int | None) -> None:
    value = {"text": " ".join(STEERING) + "日本"}
    text = to_json(value, indent)
    assert json.loads(text) == value
    assert len(text.splitlines()) == (1 if indent is None else 3)
    assert "日本" in text and text.encode()
    assert to_json(value, indent, ascii_only=True).isascii()
    write_json(tmp_path / "v.json", value)
    assert json.loads((tmp_path / "v.json").read_bytes()) == value
    assert of_others(text)["text"].encode()


def test_a_file_is_written_whatever_the_text_and_left_whole_when_that_fails(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    write_text(path, HOSTILE)
    assert path.read_bytes().decode() == HOSTILE.replace("\ud800", "\\ud800")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path / "folder", "x")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", path.name]


def test_a_file_that_is_no_utf8_is_named_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "k.py").write_bytes(b"a = 1\nb = '\xe9'\n")
    with pytest.raises(ConfigError, match=r"k\.py:2:6: the file is not UTF-8 text \(the byte 0xe9\)"):
        read_text(tmp_path / "k.py", "the file")


@pytest.mark.parametrize("char", NO_LINE_ENDS)
def test_a_constant_is_changed_where_it_stands(char: str) -> None:
    source = f'# {char} a comment\nNOTE = """{char}"""\nTILE = 32\n'
    assert with_values(source, {"TILE": 64}) == source.replace("32", "64")


@pytest.mark.parametrize("char", NO_LINE_ENDS)
def test_exported_kernels_come_back(char: str) -> None:
    one = entry("scale", OPERATOR, f'{RIGHT}\nNOTE = "{char}"\n')
    (back,) = from_lines(lines("\n".join(to_lines([one]))), "file")
    assert back.source == one.source
    assert "".join(to_lines([one])).splitlines() == ["".join(to_lines([one]))]


def test_a_line_that_only_unicode_ends_is_no_line_of_a_kernel() -> None:
    assert normal_form("def (: // \u2028 y = 1;") != normal_form("def (: //\ny = 1;")


def test_the_next_prompt_shows_what_it_would_hide() -> None:
    verdict = Verdict(Status.RUNTIME_ERROR, HOSTILE, "cpu", (), Environment("cpu"), "", log=f"first\n{HOSTILE}")
    told = describe(verdict)
    assert visible(told) == told and "\\x1b[2J" in told
    assert describe(replace(verdict, message="plain", log="")) == "RUNTIME_ERROR: plain"
