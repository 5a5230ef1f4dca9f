"""Strict YAML: what scalars mean, what is refused, and where."""

from __future__ import annotations

from typing import Any

import pytest

from akgflow.config._problems import Problems
from akgflow.config._yaml import MAX_DEPTH, parse


def _parse(text: str) -> tuple[Any, list[str]]:
    problems = Problems()
    problems.know("f.yaml", text)
    node = parse(text, "f.yaml", problems)
    return (node.data() if node else None), [str(problem) for problem in problems.sorted()]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000),
        (".5", 0.5),
        ("5.", 5.0),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0x1f", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("0b11", "0b11"),
        ("180s", "180s"),
        ("400k", "400k"),
        ("=", "="),
        ('"1"', "1"),
        ("'true'", "true"),
        ("''", ""),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written: str, meant: object) -> None:
    data, said = _parse(f"a: {written}\n")
    assert said == []
    assert data == {"a": meant}
    assert type(data["a"]) is type(meant)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1", "the key 'a' is here twice: line 1 has it too"),
        ("a: {b: 1, b: 2}\n", "1:11", "the key 'b' is here twice"),
        ("a: &x 1\n", "1:4", "the anchor &x is not allowed"),
        ("a: 1\nb: *x\n", "2:4", "the alias *x is not allowed"),
        ("a:\n  <<: {c: 1}\n", "2:3", "the merge key '<<' is not allowed"),
        ("a: !!str 1\n", "1:4", "the tag"),
        ("a: !thing {}\n", "1:4", "the tag '!thing' is not allowed"),
        ("1: a\n", "1:1", "the key 1 is not text: quote it"),
        ("true: a\n", "1:1", "the key true is not text"),
        ("? [a]\n: 1\n", "1:3", "the key a collection is not text"),
        ("~: a\n", "1:1", "the key ~ is not text"),
        ("a: 010\n", "1:4", "010 may be octal, decimal or text: write 10"),
        ("a: .nan\n", "1:4", ".nan is not a finite number"),
        ("a: -.inf\n", "1:4", "-.inf is not a finite number"),
        ("a: 1e999\n", "1:4", "1e999 is too large"),
        (f"a: {'9' * 50}\n", "1:4", "a whole number this large"),
        (f"a: {'9' * 5000}\n", "1:4", "a number of 5000 characters is too long"),
        ("a: 1\n---\nb: 2\n", "2:1", "a second document"),
        ("a:\n\tb: 1\n", "2:1", "a tab stands where spaces must: indent with spaces"),
        ("a: [1, 2\nb: 3\n", "2:2", "not valid YAML"),
        ("a: b: c\n", "1:5", "not valid YAML: mapping values are not allowed here: quote"),
        ("a: [x.shape[0], 1]\n", "1:12", "quote values that hold any of"),
        ("a:\n   b: 1\n  c: 2\n", "3:3", "not valid YAML"),
        ("a: 'x\n", "2:1", "not valid YAML: found unexpected end of stream"),
        ("é: 1\nb: \x07\n", "2:4", "the character U+0007 is not printable"),
        ("[" * (MAX_DEPTH + 1), f"1:{MAX_DEPTH + 1}", f"nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_is_refused_and_where(text: str, where: str, what: str) -> None:
    _, said = _parse(text)
    assert len(said) == 1
    assert said[0].startswith(f"f.yaml:{where}: ")
    assert what in said[0]


def test_all_refusals_come_at_once() -> None:
    _, said = _parse("a: &x 1\nb: *x\na: 2\n1: 3\n")
    assert [line.split(":")[1] for line in said] == ["1", "2", "3", "4"]


def test_every_key_and_value_has_its_place() -> None:
    problems = Problems()
    node = parse("a:\n  - {b: 1}\n  - c\n", "f.yaml", problems)
    assert node is not None
    inner = node.at("a", 0, "b")
    assert inner is not None
    assert (str(inner.key), str(inner.mark)) == ("f.yaml:2:6", "f.yaml:2:9")
    assert node.at("a", 2) is None
    assert node.at("z", "y") is None


def test_an_empty_file_is_empty() -> None:
    assert _parse("") == (None, [])
    assert _parse("# nothing\n") == (None, [])


def test_a_hostile_file_is_refused_soon() -> None:
    _, said = _parse("{a: " * 200_000)
    assert len(said) == 1
    assert "nested deeper" in said[0]
