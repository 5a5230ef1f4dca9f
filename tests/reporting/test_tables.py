"""Tables at the widths that terminals have: no line is longer than one, no word is broken, nothing is left out."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.text import Text

from akgflow.reporting._console import console
from akgflow.reporting._tables import Row, show_table

NAMES = ("dsl", "target", "outcome", "evidence", "what is wrong", "notes")
LONG = "output 0 at [898, 4]: got 2.594008, expected 2.59403; 1 of 10800 elements are wrong: shifted along dimension 0"
PATH = "/a/folder/of/somebody/with/a/name/that/is/longer/than/any/line/of/eighty/columns/could/ever/hold/kernel.py"
ROWS = [
    Row(("triton", "nvidia_h200", Text("met", style="green"), "executed, compiled", "", "")),
    Row(("cuda_c", "amd_mi300x", Text("gate failed", style="red"), "executed", LONG, "")),
    Row(("cpp", "cpu", Text("met", style="green"), "executed", f"see {PATH}", ""), "bold", apart=True),
]


def printed(width, monkeypatch, names=NAMES, rows=ROWS, **how):
    text = io.StringIO()
    out = console(text)
    monkeypatch.setattr(out, "_width", width)
    show_table(names, rows, out, **how)
    return text.getvalue().splitlines()


def words(rows):
    values = [value.plain if isinstance(value, Text) else value for row in rows for value in row.values]
    return {word for value in values for word in value.split()}


@pytest.mark.parametrize("width", [40, 80, 100, 120, 160, 200, 300])
def test_every_word_is_whole_at_every_width(width, monkeypatch):
    found = printed(width, monkeypatch, heads=2)
    assert words(ROWS) <= set(re.split(r"\s+", "\n".join(found)))
    too_long = [line for line in found if cell_len(line.rstrip()) > width and PATH not in line]
    assert too_long == []


def test_a_wide_terminal_shows_a_row_a_line_and_a_narrow_one_a_block(monkeypatch):
    wide, narrow = (printed(width, monkeypatch, rows=ROWS[:2], heads=2) for width in (200, 80))
    assert [line.split()[0] for line in wide if "triton" in line or "cuda_c" in line] == ["triton", "cuda_c"]
    assert next(line for line in wide if "dsl" in line).split()[:2] == ["dsl", "target"]
    assert narrow[1:4] == ["triton  nvidia_h200", "    outcome        met", "    evidence       executed, compiled"]
    assert narrow[5] == "cuda_c  amd_mi300x"


def test_a_column_that_is_empty_is_left_out(monkeypatch):
    head = next(line for line in printed(200, monkeypatch) if "dsl" in line)
    assert "notes" not in head and "what is wrong" in head


def test_what_is_the_same_as_above_is_named_once_in_a_table_and_always_in_blocks(monkeypatch):
    rows = [Row(("cpp", "cpu", "m=1")), Row(("cpp", "cpu", "m=2")), Row(("cpp", "gpu", "m=1"))]
    wide, narrow = (printed(w, monkeypatch, ("dsl", "target", "shape"), rows, heads=3, merged=2) for w in (80, 14))
    assert [line.split() for line in wide if "m=" in line] == [["cpp", "cpu", "m=1"], ["m=2"], ["cpp", "gpu", "m=1"]]
    assert [line for line in narrow if line] == ["cpp  cpu  m=1", "cpp  cpu  m=2", "cpp  gpu  m=1"]


def test_wide_characters_count_as_two_columns(monkeypatch):
    rows = [Row(("名" * 30, "b"))]
    assert all(cell_len(line.rstrip()) <= 80 for line in printed(80, monkeypatch, ("a", "b"), rows))
    assert "名" * 30 in "\n".join(printed(40, monkeypatch, ("a", "b"), rows))
