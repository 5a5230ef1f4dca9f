"""Reads what command-line agents print: the bare answer, or JSON in the forms that are in use, with its usage.

The names are those of ``claude -p --output-format json``, ``codex exec --json``, ``gemini --output-format json``, and
of the OpenAI protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from akgflow.base.text import lines
from akgflow.models._events import as_count

_TEXTS = ("result", "response", "text", "content", "output", "message", "item")
_INPUT = ("input_tokens", "prompt_tokens", "cache_creation_input_tokens")
_CACHED = "cache_read_input_tokens"
_OUTPUT = ("output_tokens", "completion_tokens")
_DEEPEST = 4
"""Levels at which a text may stand below the top of a document."""


class NoAnswer(Exception):
    """The output holds no answer; the text continues a sentence that begins with the command's name."""


@dataclass(frozen=True)
class Printed:
    """``prompt_tokens`` include ``cached_tokens``; 0 where no figures were given. ``usd`` is what the agent claims."""

    text: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = None
    cut: bool = False


def read_output(text: str, form: str) -> Printed:
    """The answer in what a command printed in the form ``text``, ``json`` or ``jsonl``. Raises `NoAnswer`."""
    if form == "text":
        return Printed(text)
    documents = list(_documents(text, form))
    failed = next((one for one in documents if one.get("is_error") is True or one.get("error")), None)
    answers = [found for one in documents if (found := _text(one))]
    if failed is not None or not answers:
        said = _text(failed) or str(failed.get("error")) if failed else "its JSON holds no answer"
        raise NoAnswer(f"reports a failure: {said}" if failed else f"printed no answer: {said}")
    usages = [one for document in documents if (one := _usage(document))]
    usage = usages[-1] if usages else {}
    usd = next((one["total_cost_usd"] for one in reversed(documents) if "total_cost_usd" in one), None)
    cached = as_count(usage.get(_CACHED)) or 0
    known = isinstance(usd, int | float) and not isinstance(usd, bool) and 0 <= usd < 1e6
    return Printed(
        answers[-1],
        sum(as_count(usage.get(name)) or 0 for name in _INPUT) + cached,
        cached,
        sum(as_count(usage.get(name)) or 0 for name in _OUTPUT),
        float(usd) if known and usd is not None else None,
        any(one.get("stop_reason") == "max_tokens" for one in documents),
    )


def _documents(text: str, form: str) -> Iterator[Mapping[str, Any]]:
    """JSON objects: the whole text or, with ``jsonl``, each line that is one."""
    for part in [text] if form == "json" else [line for line in lines(text) if line.strip()]:
        try:
            data = json.loads(part)
        except (ValueError, RecursionError):
            if form == "json":
                raise NoAnswer(f"printed something that is not JSON: {part.strip()[:200]}") from None
            continue
        for one in data if isinstance(data, list) else [data]:
            if isinstance(one, dict):
                yield one


def _text(data: Any, deep: int = 0) -> str:
    """The answer in a document: the text under one of the known names, however it is wrapped."""
    if isinstance(data, str):
        return data
    if deep >= _DEEPEST:
        return ""
    if isinstance(data, list):
        return "".join(_text(one, deep + 1) for one in data)
    if not isinstance(data, dict):
        return ""
    if isinstance(choices := data.get("choices"), list) and choices:
        return _text(choices[0], deep + 1)
    return next((found for name in _TEXTS if (found := _text(data.get(name), deep + 1))), "")


def _usage(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for holder in (document, document.get("message"), document.get("response")):
        usage = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(usage, dict):
            return usage
    return {}
