"""From the text of a reply to what the agent was asked for, strictly: what does not fit goes back with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Never

from akgflow.agents.blocks import blocks, outdented
from akgflow.agents.edits import EditError, apply_edits, has_edits
from akgflow.agents.malformed import MalformedReply, NothingFound
from akgflow.agents.modules import check_module, find_module, modules
from akgflow.agents.reasoning import read_answer
from akgflow.config.types import DslPack, ReplyForm
from akgflow.models.base import CUT_SHORT, ENDLESS, TOO_LONG
from akgflow.sketch import check

_OBJECT = re.compile(r"\{")
_MOST_OBJECTS = 200
"""Opening braces at which a JSON object in prose is looked for."""


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
    if finish_reason in (CUT_SHORT, ENDLESS):
        raise MalformedReply("it was cut off at max_tokens before it ended; answer more briefly")
    if finish_reason == TOO_LONG or len(text.encode("utf-8", "replace")) > form.max_bytes:
        raise MalformedReply(f"it is longer than {form.max_bytes} bytes; answer more briefly")
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if not text.strip():
        raise MalformedReply("it is empty")
    if form.format == "code":
        return Parsed(_code(text, form, dsl, module), {})
    if form.format == "sketch":
        return Parsed(read_answer(text, _sketch), {})
    if form.format == "json":
        body, fields = read_answer(text, lambda answer: _json(answer, form))
        return Parsed(body, fields)
    return Parsed(read_answer(text, _text), {})


def _text(answer: str) -> str:
    if not answer.strip():
        raise NothingFound("it is empty")
    return answer.strip()


def _code(text: str, form: ReplyForm, dsl: DslPack | None, module: str) -> str:
    tags = frozenset({dsl.name.lower()} if dsl else ())

    def read(answer: str) -> str:
        if not (form.edits and has_edits(answer)):
            return find_module(answer, form.must_define, tags)
        try:
            return _edited(answer, form, module)
        except MalformedReply:
            whole = modules(answer, form.must_define, tags)
            if len(whole) != 1:
                raise
            return whole[0].code

    kept = [(found.start, found.end) for found in modules(text, form.must_define, tags)]
    return read_answer(text, read, kept)


def _edited(text: str, form: ReplyForm, module: str) -> str:
    if not module:
        raise MalformedReply(
            "it holds edits, and there is no module yet; put the whole module into one ```python block"
        )
    try:
        code = apply_edits(text, module)
    except EditError as wrong:
        raise MalformedReply(str(wrong)) from None
    check_module(code, form.must_define, "with the edits, ")
    return code


def _sketch(answer: str) -> str:
    """The one sketch that the checker accepts: in a fenced block, or the whole answer."""
    if not answer.strip():
        raise NothingFound("it is empty")
    found = [outdented(block.body).strip("\n") for block in blocks(answer) if block.closed] or [answer.strip()]
    sound = list(dict.fromkeys(body for body in found if not check(body)))
    if len(sound) == 1:
        return sound[0]
    if len(found) > 1:
        which = f"{len(sound)} of them sketches" if sound else "none of them a sketch that fits its form"
        raise MalformedReply(f"it holds {len(found)} fenced blocks, {which}; put the sketch into exactly one")
    findings = "\n".join(map(str, check(found[0])))
    raise MalformedReply(f"the sketch does not fit its form (line:column):\n{findings}")


def _json(answer: str, form: ReplyForm) -> tuple[str, Mapping[str, Any]]:
    """The one object that fits: the whole answer, a fenced block of it, or an object in its prose."""
    if not answer.strip():
        raise NothingFound("it is empty")
    fenced = [block.body for block in blocks(answer) if block.closed]
    bodies = fenced or [answer]
    good, reasons = _fitting(bodies, form)
    if not good:
        good, _ = _fitting(_objects(answer), form)
    if len(good) == 1:
        return good[0]
    if good:
        raise MalformedReply(f"it holds {len(good)} different JSON objects; answer with exactly one")
    if len(bodies) > 1:
        raise MalformedReply(f"none of its {len(bodies)} fenced blocks fits; the last: {reasons[-1]}")
    raise MalformedReply(reasons[-1])


def _fitting(bodies: Sequence[str], form: ReplyForm) -> tuple[list[tuple[str, Mapping[str, Any]]], list[str]]:
    """The different objects that fit, each with its text; and why the others do not."""
    good: dict[str, tuple[str, Mapping[str, Any]]] = {}
    reasons = []
    for body in bodies:
        try:
            data = _object(body, form)
            good.setdefault(json.dumps(data, sort_keys=True), (body.strip(), data))
        except MalformedReply as wrong:
            reasons.append(wrong.reason)
    return list(good.values()), reasons


def _objects(text: str) -> list[str]:
    """The texts of the JSON objects in prose, those inside others left out."""
    found, end = list[str](), 0
    for match in islice(_OBJECT.finditer(text), _MOST_OBJECTS):
        if match.start() < end:
            continue
        try:
            _, end = json.JSONDecoder().raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        found.append(text[match.start() : end])
    return found


def _object(body: str, form: ReplyForm) -> Mapping[str, Any]:
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
