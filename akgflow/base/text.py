"""Text that others wrote: models, candidates, compilers, editors.

It enters through `received`: from then on it is valid Unicode, and every file, hash and request can
hold it. It leaves for a terminal or a prompt through `visible`: nothing in it steers the terminal or hides from the
reader. Between the two it stays as it was. `lines` splits it where compilers and editors do; ``str.splitlines`` also
splits at characters that mean nothing to them, such as U+2028 in a string literal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What shows nothing, or changes how its neighbours are shown: C0 and C1 controls, zero-width and bidirectional marks
# (Unicode TR 36), line and paragraph separators, byte order marks, annotations, tags, halves of surrogate pairs.
# Joiners (U+200C, U+200D) stay: scripts and emoji are written with them.
_UNSEEN = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_STEERS = re.compile(f"[\x00-\x08\x0b-\x1f{_UNSEEN}]")
_ESCAPED_IN_JSON = re.compile(f"[{_UNSEEN}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def received(text: str | bytes) -> str:
    """``text`` as valid Unicode; bytes are UTF-8, with or without a byte order mark.

    What is no character becomes U+FFFD; two halves of a surrogate pair that follow one another become theirs.
    """
    if isinstance(text, bytes):
        return text.decode("utf-8-sig", "replace")
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def received_data(data: Any) -> Any:
    """JSON data with every text in it `received`."""
    if isinstance(data, str):
        return received(data)
    if isinstance(data, dict):
        return {received_data(key): received_data(value) for key, value in data.items()}
    if isinstance(data, list):
        return [received_data(value) for value in data]
    return data


def visible(text: str) -> str:
    r"""``text`` with everything that steers a terminal, or hides, written out: ``\x1b``, ``\u202e``.

    Newlines and tabs stay, and a carriage return before a newline goes.
    """
    return _STEERS.sub(_written_out, text.replace("\r\n", "\n"))


def escaped_in_json(text: str) -> str:
    r"""JSON text with the same characters as ``\uXXXX``; they occur in its strings only."""
    return _ESCAPED_IN_JSON.sub(_as_json, text)


def python_text(text: str) -> str:
    """A text as a literal over several lines that reads like it."""
    escaped = visible(text.replace("\\", "\\\\").replace("\r", "\\r")).replace('"""', '\\"\\"\\"')
    ends = escaped[:-1] + '\\"' if escaped.endswith('"') else escaped
    return f'"""\\\n{ends}"""'


def named_values(values: Mapping[str, object]) -> str:
    """``m=512, n=16``: values by name, such as those of a case or of a kernel's constants."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def lines(text: str, *, keep_ends: bool = False) -> list[str]:
    r"""Lines as ``\n``, ``\r\n`` and ``\r`` end them, and nothing else does."""
    found = _LINE.findall(text)
    return found if keep_ends else [line.rstrip("\r\n") for line in found]


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _as_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def counted(number: int, what: str) -> str:
    """``1 call``, ``2 calls``."""
    return f"{number:,} {what}{'s' * (number != 1)}"
