"""What a task and a command say about shapes: sizes that the operator has, in ranges that hold some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from akgflow import api
from akgflow.config import check_operator, parse_cases
from akgflow.config.checks.shapes import parse_shapes
from akgflow.config.prompts.context import PromptContext
from akgflow.errors import ConfigError
from akgflow.machine import Machine
from akgflow.operators.shapes.guarantee import Guarantee, SizeRange

if TYPE_CHECKING:
    from conftest import Place


def test_a_guarantee_is_read(place: Place) -> None:
    place.write("tasks/small.yaml", place.task + "shapes: {m: 1..8192, k: {multiple_of: 8, max: 4096}, n: 7}\n")
    task = place.load().task
    assert task.shapes == Guarantee(sizes={"m": SizeRange(1, 8192), "k": SizeRange(8, 4096, 8), "n": SizeRange(7, 7)})
    assert place.load(overrides=["shapes=fixed"]).task.shapes == Guarantee(fixed=True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("shapes: {mm: 1..9}", "tasks/small.yaml:11:10: the operator has no size 'mm': did you mean 'm'?"),
        ("shapes: {m: 9..1}", "tasks/small.yaml:11:13: no size of 'm' is in this range: 9..1"),
        ("shapes: {m: {multiple_of: 8, min: 9, max: 15}}", "no size of 'm' is in this range: 9..15, multiples of 8"),
        ("shapes: {m: 1-9}", "tasks/small.yaml:11:13: 'm' cannot be the text '1-9': Sizes that a kernel must serve"),
        ("shapes: {m: {maximum: 9}}", "'m' knows no key 'maximum': did you mean 'max'?"),
        ("shapes: {m: 0}", "'m' must be at least 1, not the number 0"),
        ("shapes: fixd", "'shapes' cannot be the text 'fixd'"),
        ("shapes: {}", "'shapes' needs 1 or more entries, and has 0"),
        ('shapes: {"m[x]": 1..9}', "'m[x]' is no name for an entry of 'shapes'"),
        ("gates: {shapes: genral}", "'shapes' cannot be the text 'genral'"),
        ("shapes: fixed\ngates: {shapes: general}", "12:17: this gate asks for other shapes than the stated ones"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(place: Place, more: str, said: str) -> None:
    place.write("tasks/small.yaml", place.task + more + "\n")
    lines = place.said()
    assert len(lines) == 1 and said in lines[0], lines


def test_a_secret_case_is_in_no_prompt(place: Place) -> None:
    place.write("tasks/small.yaml", place.task.replace("cases:", "cases:\n  - {m: 7777, n: 3, secret: true}"))
    loaded = place.load(overrides=["shapes.m=1..99"])
    assert loaded.task.cases == ({"m": 256, "n": 256},)
    assert loaded.task.secret_cases == ({"m": 7777, "n": 3},)
    context = PromptContext.of(
        loaded.task, loaded.workspace.dsls["triton"], loaded.workspace.targets["cpu"], Machine("cpu", 1)
    )
    assert context.shapes == "m: 1..99"
    assert "7777" not in str(context.variables())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fixed", Guarantee(fixed=True)),
        ("m=1..8192,k=8..4096:8", Guarantee(sizes={"m": SizeRange(1, 8192), "k": SizeRange(8, 4096, 8)})),
        ("shape[1]=5", Guarantee(sizes={"shape[1]": SizeRange(5, 5)})),
    ],
)
def test_the_option(text: str, wanted: Guarantee) -> None:
    assert parse_shapes(text) == wanted


@pytest.mark.parametrize("text", ["", "m", "m=", "m=1..", "m=1..9,m=2", "m=9..1", "m=0..4", "m=1..9:0"])
def test_the_option_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ConfigError, match="--shapes:1:"):
        parse_shapes(text)


def test_an_operator_says_what_is_varied_without_running(tmp_path: Path) -> None:
    file = tmp_path / "op.py"
    text = "B = 4\nshape = (B, 2 ** 7)\n1 / 0\nclass Model: ...\ndef get_inputs():\n    return [shape]\n"
    file.write_text(text + "def get_init_inputs():\n    return []\n")
    assert api.sizes(file) == "varied from shape[1]=128, B=4"
    command = [sys.executable, "-m", "akgflow", "validate", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path)
    assert said.stdout == f"{file}: varied from shape[1]=128, B=4\n"


def test_a_case_sets_elements_of_globals_and_what_get_inputs_writes(tmp_path: Path) -> None:
    file = tmp_path / "op.py"
    file.write_text(
        "import torch\nshape = (4, 8)\nclass Model(torch.nn.Module):\n    pass\n"
        "def get_inputs():\n    n = 3\n    return [torch.randn(n, *shape, 16)]\ndef get_init_inputs():\n    return []\n"
    )
    check_operator(file, parse_cases(["shape[1]=4,n=5,number_16=8,dtype=float16"]))
    for case, words in {
        "shap[1]=4": "takes no 'shap",
        "number_17=3": "takes no 'number_17'",
        "number_16=2.5": "a whole number",
        "shape[x]=4": "no name for an entry",
    }.items():
        with pytest.raises(ConfigError, match=words):
            check_operator(file, parse_cases([case]))
