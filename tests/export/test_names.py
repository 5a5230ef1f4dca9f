"""Names of packages and operands from whatever tasks, jobs and parameters are called."""

from __future__ import annotations

import keyword
import sys
import tomllib

import pytest
import torch

from akgflow.errors import ConfigError
from akgflow.export.files import inline, toml
from akgflow.export.names import check_package_name, operand_names, package_name

HOSTILE = [
    *(
        "",
        "-",
        "2nd",
        "class",
        "torch",
        "json",
        "软件",
        "ﬁne",
        "a" * 300,
        'x"; import os',
        "../../etc",
        "É-cole",
        "a__b",
    ),
    *("a__b", "\x1b[31m", "match", "a\nb", "_", "Ünïcode task", "{{ 7 * 7 }}", "%s", "tests"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_name_gives_a_package_that_can_be_imported(name: str) -> None:
    for found in (package_name(name), package_name(name, "cpp-cpu")):
        assert check_package_name(found) == found
        assert found.isidentifier() and found.isascii() and not keyword.iskeyword(found)
        assert found not in sys.stdlib_module_names
        assert package_name(name) == package_name(name)


def test_names_that_lose_letters_stay_apart() -> None:
    assert len({package_name(name) for name in ("软件", "硬件", "été", "ete")}) == 4


@pytest.mark.parametrize("name", ["a-b", "A", "a__b", "_a", "9", "torch", "json", "class", "", "a b", "é", "a" * 61])
def test_a_chosen_name_that_cannot_be_one_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="such as"):
        check_package_name(name)


def test_operands_have_names_that_schemas_take() -> None:
    names = [
        "x",
        "self",
        "Tensor",
        "int",
        "in",
        "linear.weight",
        "linear_weight",
        "λ",
        "0.bias",
        "a b",
        "a-b",
        "",
        "settings",
    ]
    found = operand_names(names)
    assert list(found) == names and len(set(found.values())) == len(names)
    listed = ", ".join(f"Tensor {name}" for name in found.values())
    schema = torch._C.parse_schema(f'a::b({listed}, *, str settings="") -> Tensor')
    assert [one.name for one in schema.arguments][:-1] == list(found.values())


@pytest.mark.parametrize("text", [*HOSTILE, "\u2028", "\x7f", "\ud800", "\\u0041", '"""', "\x00", "\U0001f600"])
def test_text_in_toml_and_markdown_stays_text(text: str) -> None:
    read = tomllib.loads(f"a = {toml(text)}\nb = {toml([text, 'c'])}\n")
    assert read == {"a": text.replace("\ud800", "\ufffd"), "b": [text.replace("\ud800", "\ufffd"), "c"]}
    assert "\n" not in inline(text) and "`" not in inline(text).replace("\\`", "")
