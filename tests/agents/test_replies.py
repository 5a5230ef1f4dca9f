"""Replies: what is accepted, and the sentence that goes back with what is not."""

from __future__ import annotations

import random

import pytest

from akgflow.agents import MalformedReply, parse_reply
from akgflow.config.types import DslPack, ReplyForm

TRITON = DslPack("triton", "Triton", "triton", {})
CODE = ReplyForm("code", ("ModelNew",))
JSON = ReplyForm(
    "json",
    fields={
        "decision": {"type": "string", "enum": ["redesign", "recode", "stop"]},
        "reason": {"type": "string", "minLength": 1},
        "tries": {"type": "integer", "minimum": 0},
    },
)
MODULE = "import torch\n\nclass ModelNew(torch.nn.Module):\n    pass\n"
OTHER = MODULE.replace("pass", "x = 1")
GOOD = '{"decision": "recode", "reason": "tail", "tries": 1}'


def _fenced(code: str, tag: str = "python", fence: str = "```") -> str:
    return f"{fence}{tag}\n{code}{fence}"


@pytest.mark.parametrize(
    "text",
    [
        _fenced(MODULE),
        _fenced(MODULE, ""),
        _fenced(MODULE, "Python"),
        _fenced(MODULE, "triton"),
        _fenced(MODULE, fence="~~~"),
        _fenced(MODULE, "python title=x", "`````"),
        f"Here it is:\n\n{_fenced(MODULE)}\n\nIt uses tiles.",
        f"Run:\n```bash\npip list\n```\nThe module:\n{_fenced(MODULE)}",
        f"<think>\nmaybe ```python\nx = 1\n``` no\n</think>\n\n{_fenced(MODULE)}",
        f"so the tile is 64\n</think>\n{_fenced(MODULE)}",
        f"<thinking>hm</thinking>{chr(10)}{_fenced(MODULE)}",
        _fenced(MODULE).replace("\n", "\r\n"),
        "  " + _fenced(MODULE),
    ],
    ids=range(13),
)
def test_code_is_found(text: str) -> None:
    assert parse_reply(text, CODE, TRITON).text == MODULE


@pytest.mark.parametrize(
    "code",
    [
        "class ModelNew: pass\n",
        "def ModelNew(): pass\n",
        "ModelNew = object\n",
        "A, ModelNew = 1, 2\n",
        "ModelNew: type = object\n",
        "try:\n    class ModelNew: pass\nfinally:\n    pass\n",
        "if True:\n    class ModelNew: pass\n",
        "s = '\\d'\nclass ModelNew: pass\n",  # an invalid escape warns and is no error
    ],
)
def test_a_name_may_be_defined_in_any_way(code: str) -> None:
    assert parse_reply(_fenced(code), CODE, TRITON).text == code


def test_longer_fences_may_hold_shorter_ones() -> None:
    code = 'class ModelNew:\n    """\n    ```\n    x\n    ```\n    """\n'
    assert parse_reply(_fenced(code, fence="````"), CODE, TRITON).text == code


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("I cannot do this.", "no code block"),
        (_fenced(MODULE) + "\n" + _fenced(OTHER), "2 different modules that define ModelNew"),
        ("```\na\n```\n```\nb\n```", "none of its 2 code blocks is a module that defines ModelNew"),
        (_fenced("x = 1\n") + "\n" + _fenced("class ModelNew\n"), "code block 2 of 2, the code is not valid Python"),
        (MODULE + "def broken(:\n    pass\n", "no code block"),
        ("```python\n" + MODULE, "never closed"),
        (_fenced(""), "empty"),
        (_fenced("class ModelNew\n"), "line 1 (class ModelNew): expected ':'"),
        (_fenced("x = 1\n"), "does not define ModelNew at top level"),
        (_fenced("def f():\n    class ModelNew: pass\n"), "does not define ModelNew"),
        (_fenced("class Model: pass\n# ModelNew\n"), "does not define ModelNew"),
        (_fenced("x = '\0'\n"), "not valid Python"),
        (_fenced("x = " + "(" * 5000 + ")" * 5000 + "\n"), "not valid Python"),
        (_fenced("x = " + "-" * 100_000 + "1\n"), "not valid Python"),
        ("<think>so many thoughts", "reasoning only"),
        ("<think>done</think>", "reasoning only and no answer"),
        (f"a draft\n{_fenced(MODULE)}\n</think>\n{_fenced('class ModelNew' + chr(10))}", "not valid Python"),
        ("x" * 200_001, "longer than 200000 bytes"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_malformed_code(text: str, reason: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        parse_reply(text, CODE, TRITON)
    assert reason in caught.value.reason
    assert len(caught.value.reason) < 400


@pytest.mark.parametrize("form", [CODE, JSON, ReplyForm("text")])
def test_a_reply_that_was_cut_off(form: ReplyForm) -> None:
    with pytest.raises(MalformedReply, match="cut off at max_tokens"):
        parse_reply(_fenced(MODULE), form, TRITON, finish_reason="length")


SKETCH = ReplyForm("sketch")
SOUND = "sizes(N)\nx: input[N, f32]\ny: output[N, f32]\nfor i in each(N):\n    store(y[i], load(x[i], own))"


@pytest.mark.parametrize(
    "text",
    [
        *(SOUND, f"```sketch\n{SOUND}\n```", f"Here:\n```python\n{SOUND}\n```\nIt copies."),
        "1. The sketch:\n\n" + "\n".join("   " + line for line in f"```\n{SOUND}\n```".split("\n")),
        f"The operator:\n```python\ny = x\n```\nThe sketch:\n~~~ sketch\n{SOUND}\n~~~",
        f"<think>hm</think>\n{SOUND}",
        f"so it copies\n</think>\n```sketch\n{SOUND}\n```",
    ],
)
def test_a_sound_sketch_is_taken(text: str) -> None:
    assert parse_reply(text, SKETCH).text == SOUND


def test_a_sketch_that_does_not_fit_goes_back_with_all_findings() -> None:
    with pytest.raises(MalformedReply) as caught:
        parse_reply(f"```\n{SOUND.replace('x[i]', 'z[i]').replace('y[i]', 'y[i, 0]')}\n```", SKETCH)
    assert "5:11: y is [N]: give 1 indices" in caught.value.reason
    assert "2:1: x is never loaded" in caught.value.reason
    with pytest.raises(MalformedReply, match="2 fenced blocks, 2 of them sketches"):
        parse_reply(f"```\n{SOUND}\n```\n```\n{SOUND.replace('(N)', '(M)').replace('[N', '[M')}\n```", SKETCH)
    with pytest.raises(MalformedReply, match="2 fenced blocks, none of them a sketch"):
        parse_reply("```\na\n```\n```\nb\n```", SKETCH)


def test_text_is_taken_as_it_is() -> None:
    assert parse_reply("<think>x</think>\n  A sketch.\n", ReplyForm("text")).text == "A sketch."


@pytest.mark.parametrize(
    "text",
    [
        *(GOOD, f"  {GOOD}\n", f"```json\n{GOOD}\n```", f"My view:\n```\n{GOOD}\n```\n", f"<think>a</think>{GOOD}"),
        *(f"I say {GOOD} and no more.", f"{GOOD}\n\n{GOOD}", f"a {{b}} c {GOOD}", f"hm\n</think>\n\n{GOOD}"),
        f"- so\n\n  ```json\n  {GOOD}\n  ```\nThe line:\n```cpp\nx = {{}};\n```",
    ],
)
def test_json_is_found(text: str) -> None:
    assert parse_reply(text, JSON).fields == {"decision": "recode", "reason": "tail", "tries": 1}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("no", "not one JSON object"),
        (f"{GOOD} {GOOD.replace('tail', 'head')}", "2 different JSON objects"),
        ("[1]", "not an object"),
        ("null", "not an object"),
        ("{}", "lacks decision, reason, tries"),
        (GOOD.replace("recode", "retry"), "decision: 'retry' is not one of"),
        (GOOD.replace('"tail"', "7"), "reason: 7 is not of type 'string'"),
        (GOOD.replace('"tail"', '""'), "reason: ''"),
        (GOOD.replace("1}", "-1}"), "tries: -1 is less than"),
        (GOOD.replace("1}", "true}"), "tries: True is not of type"),
        (GOOD.replace("1}", "NaN}"), "NaN is not JSON"),
        (GOOD.replace("1}", '1, "mood": "good"}'), "'mood', which was not asked for"),
        (GOOD.replace("1}", '1, "tries": 2}'), "'tries' stands twice"),
        (f"```json\n{GOOD}\n```\n```json\n{GOOD.replace('tail', 'head')}\n```", "2 different JSON objects"),
        ("```json\n[1]\n```\n```json\n{}\n```", "none of its 2 fenced blocks fits; the last: its JSON does not fit"),
        ("<think>a</think>", "reasoning only"),
        ("[" * 100_000, "JSON"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_malformed_json(text: str, reason: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        parse_reply(text, JSON)
    assert reason in caught.value.reason


def test_nothing_but_malformed_reply_is_ever_raised() -> None:
    draw = random.Random(5)
    parts = ["```", "```python", "~~~", "\n", "{", "}", '"', ":", "class ModelNew", "pass", " ", "<think>", "</think>"]
    parts += ["\x00", "🚀", "\ud800", "\r", "[", "NaN", "1", ",", "\\", "def f(", ")", "\t"]
    outcomes = set()
    for _ in range(3000):
        text = "".join(draw.choices(parts, k=draw.randrange(40)))
        for form in (CODE, JSON, ReplyForm("text")):
            try:
                parse_reply(text, form, TRITON)
                outcomes.add((form.format, True))
            except MalformedReply:
                outcomes.add((form.format, False))
    assert ("text", True) in outcomes and ("code", False) in outcomes
