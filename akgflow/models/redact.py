"""Keeps keys out of every sentence that a provider's failure puts before a person, a journal or a log."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

HIDDEN = "***"
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH", re.IGNORECASE)
_SECRET_SHAPE = re.compile(
    r"(?i:\bbearer\s+)[^\s\"',;]+"
    r"|\b(?:sk|pk|gsk|xai|hf|ghp|AIza)[-_A-Za-z0-9*.]{8,}"
    r"|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"
)
# A secret shorter than this would blank out ordinary words.
_SHORTEST = 6


def redact(text: str, extra: Iterable[str] = ()) -> str:
    """``text`` without the values of secret-looking environment variables, ``extra`` values and key-shaped words."""
    values = [value for name, value in os.environ.items() if _SECRET_NAME.search(name)]
    for value in sorted({*values, *extra}, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return _SECRET_SHAPE.sub(HIDDEN, text)


def brief(text: str, limit: int = 300) -> str:
    """``text`` on one line, cut to ``limit`` characters. Redact first: a cut key is no longer recognised."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
