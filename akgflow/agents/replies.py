"""From the text of a reply to what the agent was asked for, strictly: what does not fit goes back with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Never

from akgflow.agents.edits import EditError, apply_edits, has_edits
from akgflow.config import PythonError, definitions, parse_python
from akgflow.config.types import DslPack, ReplyForm
from akgflow.models.base import TOO_LONG
from akgflow.sketch import check

_PYTHON = frozenset({"python", "py", "python3"})
_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$")
_REASONING = re.compile(r"\A\s*<(think|thinking|reasoning)>(?P<inside>.*?)</\1>", re.DOTALL | re.IGNORECASE)
_REASONING_OPEN = re.compile(r"\A\s*<(think|thinking|reasoning)>", re.IGNORECASE)
# Some servers take the opening tag into the prompt, so that the reply begins in the middle of the reasoning.
_REASONING_END = re.compile(r"\A(?:(?!^[ \t]*(?:```|~~~)).)*?^[ \t]*</think>[ \t]*$", re.DOTALL | re.MULTILINE)


class MalformedReply(Exception):
    """The reply is not in the form that was asked for; ``reason`` is a sentence that the model can act on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Parsed:
    """What an agent answered: ``text`` is prose or the code itself; ``fields`` is filled for ``json`` only."""

    text: str
    fields: Mapping[str, Any]


def parse_reply(
    text: str, form: ReplyForm, dsl: DslPack | None = None, finish_reason: str = "stop", module: str = ""
) -> Parsed:
    """Read a reply in ``form``; ``dsl`` says which language a code block is in where the form leaves it to the DSL.

    ``module`` is what edits change, where the form allows them. Raises `MalformedReply`, and nothing else, whatever a
    model writes.
    """
    if finish_reason == "length":
        raise MalformedReply("it was cut off at max_tokens before it ended; answer more briefly")
    if finish_reason == TOO_LONG or len(text.encode("utf-8", "replace")) > form.max_bytes:
        raise MalformedReply(f"it is longer than {form.max_bytes} bytes; answer more briefly")
    text = _without_reasoning(text)
    if not text.strip():
        raise MalformedReply("it is empty")
    if form.format == "code":
        edited = form.edits and has_edits(text)
        return Parsed(_edited(text, form, module) if edited else _code(text, form, dsl), {})
    if form.format == "sketch":
        return Parsed(_sketch(text), {})
    if form.format == "json":
        return Parsed(text.strip(), _json(text, form))
    return Parsed(text.strip(), {})


def _without_reasoning(text: str) -> str:
    """The reply after a leading ``<think>`` block."""
    if match := _REASONING.match(text):
        return text[match.end() :]
    if _REASONING_OPEN.match(text):
        raise MalformedReply("it holds reasoning only and no answer after it")
    match = _REASONING_END.match(text)
    return text[match.end() :] if match else text


@dataclass(frozen=True)
class _Block:
    tag: str
    body: str


def _blocks(text: str) -> Iterator[_Block]:
    """Fenced blocks as CommonMark reads them: a fence is closed by one of its kind that is at least as long."""
    opened: re.Match[str] | None = None
    body: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _FENCE.match(line.rstrip())
        if opened is None:
            opened, body = match, []
        elif match and match["fence"].startswith(opened["fence"]) and not match["info"]:
            info = opened["info"].split()
            yield _Block(info[0].lower() if info else "", "\n".join(body) + "\n")
            opened = None
        else:
            body.append(line)
    if opened is not None:
        raise MalformedReply("its code block is opened and never closed")


def _code(text: str, form: ReplyForm, dsl: DslPack | None) -> str:
    tags = _PYTHON | ({dsl.name.lower()} if dsl else frozenset())
    blocks = list(_blocks(text))
    tagged = [block for block in blocks if block.tag in tags]
    chosen = tagged if len(blocks) > 1 else blocks
    if len(chosen) != 1:
        found = f"{len(blocks)} code blocks, {len(tagged)} of them marked ```python" if blocks else "no code block"
        raise MalformedReply(f"it holds {found}; put the whole module into exactly one ```python block")
    code = chosen[0].body
    if not code.strip():
        raise MalformedReply("its code block is empty")
    _check_python(code, form.must_define)
    return code


def _edited(text: str, form: ReplyForm, module: str) -> str:
    if not module:
        raise MalformedReply(
            "it holds edits, and there is no module yet; put the whole module into one ```python block"
        )
    try:
        code = apply_edits(text, module)
    except EditError as wrong:
        raise MalformedReply(str(wrong)) from None
    _check_python(code, form.must_define, "with the edits, ")
    return code


def _sketch(text: str) -> str:
    """A sketch that the checker accepts: in one fenced block, or the whole reply."""
    blocks = list(_blocks(text))
    if len(blocks) > 1:
        raise MalformedReply(f"it holds {len(blocks)} fenced blocks; put the sketch into exactly one")
    body = blocks[0].body.strip("\n") if blocks else text.strip()
    findings = check(body)
    if findings:
        raise MalformedReply("the sketch does not fit its form (line:column):\n" + "\n".join(map(str, findings)))
    return body


def _check_python(code: str, must_define: tuple[str, ...], when: str = "") -> None:
    try:
        defined = definitions(parse_python(code).body)
    except PythonError as wrong:
        shown = f" ({wrong.text[:120]})" if wrong.text else ""
        place = f"line {wrong.line}{shown}: " if wrong.text else ""
        raise MalformedReply(f"{when}its code is not valid Python: {place}{wrong}") from None
    missing = [name for name in must_define if name not in defined]
    if missing:
        raise MalformedReply(f"{when}its module does not define {' and '.join(missing)} at top level")


def _json(text: str, form: ReplyForm) -> Mapping[str, Any]:
    blocks = list(_blocks(text))
    if len(blocks) > 1:
        raise MalformedReply(f"it holds {len(blocks)} fenced blocks; answer with exactly one JSON object")
    body = blocks[0].body if blocks else text
    try:
        data = json.loads(body, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except RecursionError:
        raise MalformedReply("its JSON is nested too deeply") from None
    except ValueError as wrong:
        raise MalformedReply(f"it is not one JSON object: {wrong}") from None
    if not isinstance(data, dict):
        raise MalformedReply("it is JSON, but not an object")
    _check_fields(data, form.fields)
    return data


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return data


def _no_constants(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _check_fields(data: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    from jsonschema import Draft7Validator

    missing = [name for name in fields if name not in data]
    extra = [name for name in data if name not in fields]
    reasons = []
    if missing:
        reasons.append(f"it lacks {', '.join(missing)}")
    if extra:
        reasons.append(f"it has {', '.join(repr(name) for name in extra)}, which was not asked for")
    for name, schema in fields.items():
        if name in data:
            reasons += [f"{name}: {error.message}" for error in Draft7Validator(schema).iter_errors(data[name])]
    if reasons:
        raise MalformedReply("its JSON does not fit: " + "; ".join(reasons)[:600])
