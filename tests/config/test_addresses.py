"""``api_base`` is an address of a server, and nothing else; what it holds is never shown where it may be a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_task import make_workspace

from akgflow.config import load
from akgflow.errors import ConfigError, Problem


def problems(folder: Path, address: str, env: dict[str, str] | None = None) -> tuple[Problem, ...]:
    task = make_workspace(folder, address)
    try:
        load(str(task), env=env or {})
    except ConfigError as wrong:
        return wrong.problems
    return ()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (r'"http://host/v1\n"', "blanks or control characters"),
        (r'"http://host/v1\nX-Evil: 1"', "blanks or control characters"),
        (r'"http://ho st/v1"', "blanks or control characters"),
        (r'"http://host\x07/v1"', "blanks or control characters"),
        (r'"http://host\u200b/v1"', "blanks or control characters"),
        (r'"http://host\u2028/v1"', "blanks or control characters"),
        ("http://user:hunter2pw@host/v1", "looks like a key"),
        ("http://hunter2pw@host/v1", "looks like a key"),
        ("http://:hunter2pw@host/v1", "looks like a key"),
        ("http://@host/v1", "a user or a password"),
        ("http://host/v1?api_key=hunter2pw", "a key in its query"),
        ("host:8000/v1", "'api_base' cannot be"),
        ("localhost", "'api_base' cannot be"),
        ("ftp://host/v1", "'api_base' cannot be"),
        (r'"\nhttp://host/v1"', "'api_base' cannot be"),
        ("//host/v1", "'api_base' cannot be"),
        ("http://", "names no host"),
        ("http:///v1", "names no host"),
        ("http://:8000/v1", "names no host"),
        ("http://[::1/v1", "is no address"),
        ("http://host:99999/v1", "is no address"),
        ("http://host:port/v1", "is no address"),
        ("http://host:0/v1", "names no host"),
        ("http://ho$t/v1", "names no host"),
        ("{env: NOWHERE}", "the environment variable NOWHERE is not set"),
    ],
)
def test_what_is_no_address_is_said_at_its_place(address: str, words: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, address)
    assert str(problem).startswith(f"{tmp_path}/agents.yaml:5:") or "agents.yaml:5:" in str(problem)
    assert words in problem.message
    assert "hunter2pw" not in f"{problem}{problem.snippet}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://host/v1\nX-Evil: 1", "holds unprintable characters"),
        ("http://user:hunter2pw@host/v1", "looks like a key"),
        ("http://@host/v1", "a user or a password"),
        ("localhost:8000", "cannot be the value of the environment variable BASE"),
    ],
)
def test_the_same_from_the_environment(value: str, words: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "{env: BASE}", {"BASE": value})
    assert words in problem.message and "agents.yaml:5:" in str(problem)
    assert "hunter2pw" not in f"{problem}{problem.snippet}"


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8000/v1",
        "https://api.example.com",
        "http://127.0.0.1:1/v1/",
        "http://[::1]:8000/v1",
        "https://my_gateway.internal./v1?api-version=2024-06-01",
        "https://münchen.example/v1",
        "null",
    ],
)
def test_addresses(address: str, tmp_path: Path) -> None:
    assert problems(tmp_path, f"'{address}'" if address != "null" else address) == ()
