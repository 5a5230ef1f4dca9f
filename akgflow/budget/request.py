"""What a request may hold beside its messages that changes how much is replied, how often, or what it costs.

`_RULES` is the one table. The names are those of the OpenAI and Anthropic protocols and of what vLLM, SGLang,
llama.cpp, Ollama, Gemini, Bedrock, Cohere, Hugging Face, DashScope and OpenRouter take in the body of a request. They
are compared without case, ``_`` and ``-``, for ``maxOutputTokens`` and ``max_output_tokens`` are one setting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

LENGTHS = ("max_tokens", "max_completion_tokens")
"""Parameters that say how long a reply may be, and are reserved."""
MORE_ROOM = 2
"""By what the length of a reply is multiplied that is asked for again because it was cut off."""
_BODY = "extra_body"
_TOP_LEVEL = frozenset({*LENGTHS, "stream", "service_tier", "model", "messages"})
"""Parameters with a place beside the body, which are harmless there."""


class Effect(StrEnum):
    """What a setting does beside the reservation."""

    LENGTH = "length"
    THINKING = "thinking"
    REPLIES = "replies"
    OURS = "ours"
    BILLED = "billed"


class _Rule(NamedTuple):
    """``names`` is matched against the whole name; ``deep`` where the setting counts at any depth of the body."""

    effect: Effect
    names: re.Pattern[str]
    deep: bool


_RULES = (
    _Rule(
        Effect.THINKING,
        re.compile(r"(max)?(thinking|reasoning|thought)s?(max)?(budget|tokens?)+|budgettokens|thinkbudget"),
        True,
    ),
    _Rule(
        Effect.LENGTH,
        re.compile(
            r"(?!.*(prompt|input|context|ctx|model|image|video|pixel))"
            r"(max|min)\w*(tokens?|length|len|outputs?)(tosample|togenerate|count|total)?"
            r"|n(um)?predict|(num)?tokensto(sample|generate)|tokenlimit|maxnew|ignoreeos"
            r"|(output|response|reply|generation|completion)(tokens?|length|len|limit)"
        ),
        True,
    ),
    _Rule(
        Effect.REPLIES,
        re.compile(
            r"n|bestof|nbest|(num|n)(returnsequences|candidates|completions|generations|samples)|candidatecount"
        ),
        True,
    ),
    _Rule(
        Effect.OURS,
        re.compile(
            r"models?|messages|prompt|input|contents?|system|stream(options)?|tools?|functions?|fallbacks|route"
        ),
        False,
    ),
    _Rule(
        Effect.BILLED,
        re.compile(
            r"prediction|modalities|audio|plugins|websearch(options)?|enablesearch|search(parameters|options)?|echo"
            r"|servicetier|background"
        ),
        False,
    ),
)
_SCHEMAS = re.compile(
    r"(guided|structured|json|regex|grammar)\w*|(response)?(format|schema)|logitbias|metadata|tools|functions"
)
"""Settings whose insides are names of somebody's data, not of the protocol."""

_REFUSALS = {
    Effect.LENGTH: (
        "sets how long a reply may be, past what is reserved for it",
        "write it as params.max_tokens, which each call names and reserves",
    ),
    Effect.THINKING: ("must be a whole number of tokens, for as many are reserved", "write a number from 0"),
    Effect.REPLIES: (
        "asks for several replies, and one is read and reserved",
        "remove it; a step of a workflow takes 'samples'",
    ),
    Effect.OURS: ("replaces what akgflow sends itself", "remove it; the model, its fallbacks and its params say it"),
    Effect.BILLED: ("is billed beside the tokens that are reserved", "remove it, or use the parameter of that name"),
}


class Setting(NamedTuple):
    """One setting that matters: where it is in the params, what it does, and its value."""

    path: tuple[str | int, ...]
    effect: Effect
    value: Any

    @property
    def refusal(self) -> tuple[str, str] | None:
        """What is wrong and what to do; None where the setting is reserved for."""
        if self.effect is Effect.THINKING and _is_count(self.value):
            return None
        what, hint = _REFUSALS[self.effect]
        return f"{'.'.join(map(str, self.path))} {what}", hint


def settings(params: Mapping[str, Any]) -> Iterator[Setting]:
    """Every setting of a model's params that the table knows."""
    for name, value in params.items():
        if name == _BODY:
            yield from _inside(value, (name,), body=True)
        elif name not in _TOP_LEVEL and not _SCHEMAS.fullmatch(_plain(name)):
            yield from _named(name, value, (), body=True)


def refusals(params: Mapping[str, Any]) -> list[tuple[Setting, str, str]]:
    """Settings that pass beside the reservation: each with what is wrong and what to do."""
    found = ((setting, setting.refusal) for setting in settings(params))
    return [(setting, *refusal) for setting, refusal in found if refusal]


def thinking_tokens(params: Mapping[str, Any]) -> int:
    """Tokens of thinking that a request allows, reserved beside the reply: some providers bill both in full."""
    budgets = [one.value for one in settings(params) if one.effect is Effect.THINKING and _is_count(one.value)]
    return max(budgets, default=0)


def sent_text(params: Mapping[str, Any]) -> str:
    """What of the params a provider may put into the prompt: schemas, templates and the like; empty where none is."""
    sent = {name: params[name] for name in (_BODY, "response_format") if params.get(name)}
    return json.dumps(sent, ensure_ascii=False, default=str) if sent else ""


def _inside(value: Any, path: tuple[str | int, ...], *, body: bool = False) -> Iterator[Setting]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named(str(name), inner, path, body=body)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _inside(inner, (*path, index))


def _named(name: str, value: Any, path: tuple[str | int, ...], *, body: bool) -> Iterator[Setting]:
    """One entry: itself where the table names it, else what is inside. ``body`` at the top of a request's body."""
    plain, here = _plain(name), (*path, name)
    rule = next((rule for rule in _RULES if (rule.deep or body) and rule.names.fullmatch(plain)), None)
    if rule is not None and value is not None:
        thinks = any(re.search("think|reason", _plain(str(step))) for step in path)
        effect = Effect.THINKING if rule.effect is Effect.LENGTH and thinks else rule.effect
        yield Setting(here, effect, value)
    elif not _SCHEMAS.fullmatch(plain):
        yield from _inside(value, here, body=plain == _plain(_BODY))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10_000_000
