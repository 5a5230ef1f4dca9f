"""What looks like a secret, and texts without it: the one list for files, messages, logs and environments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

HIDDEN = "***"
_WORDS = r"key|token|secret|passw(?:or)?d|passphrase|credential|auth"
_MAY_HOLD = re.compile(_WORDS, re.IGNORECASE)
_NAMES = re.compile(
    r"(^|_)((api|access|private|secret|auth)_?key|secret|token|password|passwd|passphrase|authorization|credentials?)$"
)
# Keys as providers hand them out, the values of authorization headers, and user and password in an address.
_PREFIXES = r"(?:sk|pk|rk|gsk|xai|hf|gh[opsu]|github_pat|glpat|xox[abprs]|nvapi|tgp|r8)[-_]|AIza|AKIA|eyJ[A-Za-z0-9]"
_HEADER = r"(?i:\bbearer\s+|\bauthorization[\"']?\s*[:=]\s*[\"']?basic\s+)[^\s\"',;]+"
_ADDRESS = r"(?<=://)[^/@\s\"']+(?=@)"
_VALUE = re.compile(rf"\b(?:{_PREFIXES})[-_A-Za-z0-9.]{{16,}}|{_HEADER}|{_ADDRESS}", re.IGNORECASE)
# In what a server says a key is often cut or starred out in its middle.
_SHOWN_VALUE = re.compile(rf"\b(?:{_PREFIXES})[-_A-Za-z0-9*.]{{8,}}|{_HEADER}|{_ADDRESS}")
# A word is looked at from its beginning only, and given up as a whole: a long line takes time once for each character.
_SETTING = re.compile(r"""(?<![A-Za-z0-9_-])([A-Za-z0-9_-]++)(["']?\s*+[:=]\s*+)([^\s,}][^,}]*+)""")
_SAID = re.compile(r"""((?i:key|secret|password|passwd|passphrase)["']?\s*[:=]\s*["']?)([^\s,;}"']{6,})""")
# A secret shorter than this would blank out ordinary words.
_SHORTEST = 6
_LONGEST_NAME = 100


def is_secret_name(name: str) -> bool:
    """True for the name of what holds a key: ``api_key``, ``Authorization``, ``HF_TOKEN``; not ``max_tokens``."""
    return len(name) <= _LONGEST_NAME and _NAMES.search(name.lower().replace("-", "_")) is not None


def may_hold_secret(name: str) -> bool:
    """True for the name of a variable whose value is better not shown, and not handed on: ``MY_KEYS``, ``AUTH_URL``."""
    return _MAY_HOLD.search(name) is not None


def is_secret_value(text: str) -> bool:
    """True for text in the usual form of a key."""
    return _VALUE.search(text) is not None


def masked(line: str) -> str:
    """A line of a file without the values of settings that hold keys, and without what is shaped like a key."""

    def hide(found: re.Match[str]) -> str:
        return found[1] + found[2] + HIDDEN if is_secret_name(found[1]) else found[0]

    return _without_values(_SETTING.sub(hide, line))


def redact(text: str, extra: Iterable[str] = ()) -> str:
    """What somebody else said, without key-shaped words and values of secret-looking variables and of ``extra``."""
    values = [value for name, value in os.environ.items() if may_hold_secret(name)]
    for value in sorted({*values, *extra}, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return _without_values(text)


def _without_values(text: str) -> str:
    return _SHOWN_VALUE.sub(HIDDEN, _SAID.sub(rf"\1{HIDDEN}", text))


def brief(text: str, limit: int = 300) -> str:
    """``text`` on one line, cut to ``limit`` characters. Redact first: a cut key is no longer recognised."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
