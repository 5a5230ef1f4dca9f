"""Edits instead of a whole module: applied strictly, and what is said where they do not apply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akgflow.agents import MalformedReply, parse_reply
from akgflow.config.types import DslPack, ReplyForm

TRITON = DslPack("triton", "Triton", "triton", {})
MENDS = ReplyForm("code", ("ModelNew",), edits=True)
MODULE = """\
import torch

BLOCK = 64
WARPS = 4


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = x + 1
        return y
"""


def edit(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


def mended(text: str, module: str = MODULE, form: ReplyForm = MENDS) -> str:
    return parse_reply(text, form, TRITON, module=module).text


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (edit("BLOCK = 64\n", "BLOCK = 128\n"), "BLOCK = 64", "BLOCK = 128"),
        ("The tail.\n```\n" + edit("BLOCK = 64\n", "BLOCK = 32\n") + "```\nDone.", "BLOCK = 64", "BLOCK = 32"),
        (
            edit("        y = x + 1\n        return y\n", "        return x + 1\n"),
            "y = x + 1\n        return y",
            "return x + 1",
        ),
        (edit("WARPS = 4\n", ""), "WARPS = 4\n", ""),
        (edit("BLOCK = 64\n", "BLOCK = 64\nSTAGES = 2\n"), "BLOCK = 64", "BLOCK = 64\nSTAGES = 2"),
        ("<think>first</think>\n" + edit("WARPS = 4\n", "WARPS = 8\n"), "WARPS = 4", "WARPS = 8"),
        (edit("WARPS = 4\n", "WARPS = 8\n").replace("\n", "\r\n"), "WARPS = 4", "WARPS = 8"),
    ],
    ids=["one line", "fenced and explained", "two lines", "taken out", "added", "after reasoning", "crlf"],
)
def test_an_edit_is_applied(text: str, old: str, new: str) -> None:
    assert mended(text) == MODULE.replace(old, new)


def test_several_edits_are_found_in_the_module_as_it_was() -> None:
    text = edit("WARPS = 4\n", "BLOCK = 64\n") + "and\n" + edit("BLOCK = 64\n", "WARPS = 4\n")
    assert mended(text) == MODULE.replace("BLOCK = 64\nWARPS = 4", "WARPS = 4\nBLOCK = 64")


def test_the_whole_module_is_taken_as_well() -> None:
    assert mended(f"```python\n{MODULE}```") == MODULE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (edit("BLOCK = 65\n", "x\n"), "edit 1 (BLOCK = 65) does not stand in the module; send the whole module"),
        (edit("BLOCK = 6\n", "x\n"), "does not stand in the module"),
        (edit("LOCK = 64\n", "x\n"), "does not stand in the module"),
        (edit("y = x + 1\n", "y = x\n"), "does not stand in the module"),
        (edit("", "x = 1\n"), "the search text of edit 1 is empty"),
        (edit("\n", "x = 1\n"), "the search text of edit 1 is empty"),
        (edit("BLOCK = 64\nWARPS = 4\n", "a = 1\n") + edit("WARPS = 4\n", "b = 1\n"), "two edits overlap at line 4"),
        (edit("BLOCK = 64\n", "BLOCK = 64\n"), "the edits change nothing"),
        (edit("BLOCK = 64\n", "BLOCK = \n"), "with the edits, its code is not valid Python: line 3"),
        (edit("class ModelNew(torch.nn.Module):\n", "class Model(torch.nn.Module):\n"), "does not define ModelNew"),
        ("<<<<<<< SEARCH\nBLOCK = 64\n=======\nBLOCK = 1\n", "not closed by >>>>>>> REPLACE"),
        ("<<<<<<< SEARCH\nBLOCK = 64\n>>>>>>> REPLACE\n", "an edit has no line ======="),
        ("<<<<<<< SEARCH\n<<<<<<< SEARCH\n", "an edit begins within another one"),
    ],
    ids=lambda value: value.split("\n")[1][:24] if "\n" in value else None,
)
def test_an_edit_that_does_not_apply_is_malformed(text: str, reason: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        mended(text)
    assert reason in caught.value.reason


def test_a_search_text_that_stands_twice_is_ambiguous() -> None:
    with pytest.raises(MalformedReply, match="stands 2 times in the module"):
        mended(edit("BLOCK = 64\n", "BLOCK = 1\n"), MODULE + "BLOCK = 64\n")


def test_there_is_nothing_to_edit_at_first_nor_where_edits_are_not_allowed() -> None:
    with pytest.raises(MalformedReply, match="there is no module yet"):
        mended(edit("BLOCK = 64\n", "BLOCK = 1\n"), "")
    with pytest.raises(MalformedReply, match="no code block"):
        mended(edit("BLOCK = 64\n", "BLOCK = 1\n"), form=replace(MENDS, edits=False))
