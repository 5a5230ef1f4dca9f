"""What looks like a secret stays out of messages, files and environments."""

from __future__ import annotations

import pytest

from akgflow.base.secrets import brief, is_secret_name, is_secret_value, may_hold_secret, redact


@pytest.mark.parametrize(
    ("name", "secret", "perhaps"),
    [
        ("api_key", True, True),
        ("x-api-key", True, True),
        ("Authorization", True, True),
        ("HF_TOKEN", True, True),
        ("PASSPHRASE", True, True),
        ("OPENAI_KEY", False, True),
        ("SSH_AUTH_SOCK", False, True),
        ("max_tokens", False, True),
        ("prompt_cache_key", False, True),
        ("PATH", False, False),
        ("CUDA_HOME", False, False),
    ],
)
def test_names(name: str, secret: bool, perhaps: bool) -> None:
    assert (is_secret_name(name), may_hold_secret(name)) == (secret, perhaps)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("sk-abcdefghijklmnopqrst", True),
        ("Bearer abc", True),
        ("http://user:password@host/v1", True),
        ("http://user@host/v1", True),
        ("AKIAABCDEFGHIJKLMNOPQ", True),
        ("openai/risk-averse-model-of-the-year", False),
        ("http://host:8000/v1", False),
        ("basic multiplication", False),
    ],
)
def test_values(text: str, secret: bool) -> None:
    assert is_secret_value(text) is secret


@pytest.mark.parametrize(
    "text",
    [
        "key 8f2d-very-private said",
        "Authorization: Bearer abc.def-123",
        "Incorrect API key: sk-proj-abcdefgh12345678",
        "AIzaSyA1234567890 refused",
        "proxy http://user:hunter22@proxy:8080 refused",
        "header extra-secret sent",
        "x-api-key: abcdefgh was refused",
        '{"api_key": "abcdefgh"}',
        "Authorization: Basic abcdefgh",
        "https://abcdefgh@host/v1 refused",
        "key sk-abcdefgh****wxyz is wrong",
        "github_pat_abcdefgh123 and xoxb-abcdefgh123",
    ],
)
def test_secrets_are_blanked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "8f2d-very-private")
    got = redact(text, ["extra-secret", ""])
    assert "***" in got
    for secret in ("8f2d", "abc.def", "abcdefgh", "SyA1234", "hunter22", "extra-secret"):
        assert secret not in got


def test_ordinary_words_stay() -> None:
    text = "model default (openai/risk-averse-7b) at http://127.0.0.1:8000/v1 answered 500: disk-full"
    assert redact(text) == text


def test_brief_is_one_line() -> None:
    assert brief("a\n  b\tc") == "a b c"
    assert len(brief("x" * 1000)) == 300
