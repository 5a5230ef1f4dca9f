"""Replies as models write them: the one module is found in any combination of forms, and two are never mixed up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from akgflow.agents import MalformedReply, parse_reply
from akgflow.config.types import DslPack, ReplyForm

TRITON = DslPack("triton", "Triton", "triton", {})
CODE = ReplyForm("code", ("ModelNew",))
EDITS = ReplyForm("code", ("ModelNew",), edits=True)
PLAIN = "import torch\n\n\nclass ModelNew(torch.nn.Module):\n    def forward(self, x):\n        return x + 1\n"
CPP = 'import torch\n\nCPP = r"""\nvoid f() {\n  g();\n}\n"""\n\n\nclass ModelNew(torch.nn.Module):\n    pass\n'
DOCUMENTED = (
    '"""Adds.\n\nUse:\n\n    ```python\n    ModelNew()(x)\n    ```\n"""\nimport torch\n\n\n'
    "class ModelNew(torch.nn.Module):\n    pass\n"
)
MODULES = (PLAIN, CPP, DOCUMENTED)

BEFORE = (
    "",
    "Here it is.\n\n",
    "# The kernel\n\nIt's a *tile* of 64 (see below):\n\n",
    "Install:\n\n```bash\npip install triton\n```\n\n",
    "The operator was:\n\n```python\nclass Model(torch.nn.Module):\n    pass\n```\n\n",
    "`helpers.py`:\n\n```python\ndef helper():\n    return 1\n```\n\n`model.py`:\n\n",
    "With ```x``` inline and a ``` in prose:\n\n",
)
AFTER = (
    "",
    "\n\nIt's right: each program takes a tile (of 64).\n",
    "\n\nOutput:\n\n~~~\ntensor([1.])\n~~~\n",
    "\n\nUse:\n\n```python\nfrom model import ModelNew\n\nModelNew()(x)\n```\n",
    "\n\n- fast\n- right\n\n```\nnot closed",
    "\n\n```json\n{}\n```",
)
DRAFT = "class ModelNew:\n    draft = 1\n"
REASONING: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: f"<think>\nlet me see\n</think>\n\n{text}",
    lambda text: f"<thinking>a ```python\n{DRAFT}``` draft</thinking>{text}",
    lambda text: f"the tile is 64\n</think>\n{text}",
    lambda text: f"the tile is 64.</think>\n\n{text}",
    lambda text: f"first:\n```python\n{DRAFT}```\nno, better\n</think>\n{text}",
    lambda text: f"an open fence:\n```python\n{DRAFT}\n</think>\n\n{text}",
    lambda text: f"<think>a</think>\n<think>b</think>\n{text}",
)


def _indented(text: str, by: str) -> str:
    return "\n".join(by + line if line else line for line in text.split("\n"))


def _fence(code: str, mark: str, info: str) -> str:
    return f"{mark}{info}\n{code}{mark}"


def fences(code: str) -> list[str]:
    """The module in every kind of fence."""
    infos = ("", "python", "Python", " py", "python title=model.py", "{.python}", "python:model.py", "triton", "text")
    made = [_fence(code, mark, info) for mark in ("```", "~~~", "`````") for info in infos]
    plain = _fence(code, "```", "python")
    made += [_indented(plain, by) for by in ("  ", "   ", "     ", "        ", "\t")]
    made += ["  " + plain, _fence(code, "```", "python").replace("\n```", "\n   ```")]
    made += ["1. The module:\n\n" + _indented(plain, "   "), "- " + _indented(plain, "  ").lstrip()]
    made += ["\n".join(("> " + line).rstrip() for line in plain.split("\n"))]
    made += [_fence(f"Here:\n\n{plain}\n", "```", "markdown"), _fence(f"{plain}\n", "````", "md")]
    return made


def _kept_apart(code: str) -> str:
    """The module up to what an indented block does to the inside of its strings."""
    return "\n".join(line.strip() for line in code.strip().split("\n"))


def _read(text: str, form: ReplyForm = CODE) -> str:
    return parse_reply(text, form, TRITON).text


@pytest.mark.parametrize("code", MODULES, ids=("plain", "cpp", "documented"))
def test_the_module_is_found_in_every_fence(code: str) -> None:
    for text in fences(code):
        found = _read(text)
        assert _kept_apart(found) == _kept_apart(code), text
        compile(found, "m", "exec")


@pytest.mark.parametrize("seed", range(8))
def test_the_module_is_found_whatever_stands_around_it(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(60):
        code = draw.choice(MODULES)
        text = draw.choice(REASONING)(draw.choice(BEFORE) + draw.choice(fences(code)) + draw.choice(AFTER))
        if draw.random() < 0.2:
            text = text.replace("\n", "\r\n")
        if draw.random() < 0.1:
            text = "\ufeff" + text
        form = draw.choice((CODE, EDITS))
        assert _kept_apart(_read(text, form)) == _kept_apart(code), text


@pytest.mark.parametrize("code", MODULES, ids=("plain", "cpp", "documented"))
@pytest.mark.parametrize("before", ["", "Here is the module:\n\n", "<answer>\n", "It's this (as asked):\n"])
@pytest.mark.parametrize(
    "after", ["", "\nIt's right.\n", "</answer>", "\n```\nout\n```\n", "\nNotes:\n  - fast (64)\n  - it's right\n"]
)
def test_a_module_without_fences_is_found(code: str, before: str, after: str) -> None:
    for reasoned in REASONING[:5]:
        text = reasoned(before + code + after)
        assert _read(text).strip() == code.strip(), text


@pytest.mark.parametrize("seed", range(4))
def test_of_two_different_modules_none_is_taken(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(30):
        one, two = draw.choice(fences(PLAIN)), draw.choice(fences(PLAIN.replace("+ 1", "+ 2")))
        text = draw.choice(REASONING)(f"{draw.choice(BEFORE)}{one}\n\nOr:\n\n{two}{draw.choice(AFTER)}")
        with pytest.raises(MalformedReply, match="2 different modules that define ModelNew"):
            _read(text)


def test_one_module_sent_twice_is_one() -> None:
    text = f"{_fence(PLAIN, '```', 'python')}\n\nOnce more:\n\n{_fence(PLAIN, '~~~', '')}"
    assert _read(text) == PLAIN


def test_a_closing_tag_inside_the_module_is_text_of_it() -> None:
    code = PLAIN.replace("return x + 1", 'return x  # not "</think>"').replace('"</think>"', "</think>")
    assert _read(_fence(code, "```", "python")) == code


def test_a_module_that_stands_in_reasoning_alone_is_taken_where_no_answer_follows() -> None:
    assert _read(f"<think>\nok\n{_fence(PLAIN, '```', 'python')}\n") == PLAIN
    assert _read(f"ok\n{_fence(PLAIN, '```', 'python')}\n</think>\n\nDone.") == PLAIN


def test_a_whole_module_beside_edits_that_cannot_be_applied_is_taken() -> None:
    edit = "<<<<<<< SEARCH\nnot there\n=======\nx\n>>>>>>> REPLACE\n"
    text = f"{edit}\nThe whole:\n{_fence(PLAIN, '```', 'python')}"
    assert parse_reply(text, EDITS, TRITON, module=DRAFT).text == PLAIN
    assert parse_reply(text, EDITS, TRITON).text == PLAIN


HOSTILE = (
    "> " * 50_000 + "x",
    "```python\nModelNew\n```\n" * 5_000,
    "".join(f"```\nModelNew = {n}\n{'x = 1' + chr(10) * 500}" for n in range(60)),
    "1. " * 60_000,
    " " * 190_000 + "`",
)


@pytest.mark.thorough
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_arrangement_of_fences_takes_long(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(MalformedReply):
        _read(text)
    assert time.process_time() - begun < 10
