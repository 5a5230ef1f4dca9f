"""How a problem looks on a terminal."""

from __future__ import annotations

import pytest

from akgflow.config import format_problem
from akgflow.config._problems import masked
from akgflow.errors import Mark, Problem


@pytest.mark.parametrize(
    ("column", "snippet", "shown"),
    [
        (4, "a: bc", ["f.yaml:7:4: wrong: mend it", " 7 | a: bc", "   |    ^"]),
        (2, "\tx: 1", ["f.yaml:7:2: wrong: mend it", " 7 | \tx: 1", "   | \t^"]),
        (99, "short", ["f.yaml:7:99: wrong: mend it", " 7 | short", "   |      ^"]),
        (1, "   ", ["f.yaml:7:1: wrong: mend it"]),
        (1, "", ["f.yaml:7:1: wrong: mend it"]),
    ],
)
def test_the_caret_stands_under_its_place(column: int, snippet: str, shown: list[str]) -> None:
    problem = Problem(Mark("f.yaml", 7, column), "wrong", "mend it", snippet)
    assert format_problem(problem).splitlines() == shown


@pytest.mark.parametrize("column", [1, 50, 150, 300, 301])
def test_a_long_line_is_cut_around_its_place(column: int) -> None:
    line = "".join(chr(ord("a") + i % 26) for i in range(300))
    _, source, caret = format_problem(Problem(Mark("f", 1, column), "m", "", line)).splitlines()
    assert len(source) < 130
    if column <= 300:
        assert source[caret.index("^")] == line[column - 1]


def test_colour_changes_nothing_but_colour() -> None:
    import re

    problem = Problem(Mark("f.yaml", 1, 1), "wrong", "mend it", "a: 1")
    assert re.sub(r"\x1b\[\d+m", "", format_problem(problem, color=True)) == format_problem(problem)
    assert "\x1b" in format_problem(problem, color=True)


def test_a_problem_without_a_place_is_a_sentence() -> None:
    assert format_problem(Problem(None, "wrong")) == "wrong"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("api_key: abc", "api_key: ***"),
        ("  {model: x, api-key: 'abc', b: 1}", "  {model: x, api-key: ***, b: 1}"),
        ('"Authorization": "Bearer abc def"', '"Authorization": ***'),
        ("models.a.api_key=abc", "models.a.api_key=***"),
        ("x: sk-abcdefghijklmnopqrst", "x: ***"),
        ("max_tokens: 16000", "max_tokens: 16000"),
        ("api_key_env: OPENAI_API_KEY", "api_key_env: OPENAI_API_KEY"),
        ("tokens: 400k", "tokens: 400k"),
        ("a:\tb \x1b[2J", "a:\tb \ufffd[2J"),
    ],
)
def test_what_looks_like_a_key_is_not_shown(line: str, shown: str) -> None:
    assert masked(line) == shown
