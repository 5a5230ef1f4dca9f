"""Checking nodes against the JSON Schemas, with sentences instead of the validator's own words."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from akgflow.base import resources
from akgflow.base.platforms import meant_platform, not_supported
from akgflow.base.secrets import is_secret_name, is_secret_value
from akgflow.config._problems import Hint, Problems, nearest, quoted, suggestion
from akgflow.config._yaml import Node
from akgflow.errors import Mark

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

KINDS = ("agents", "hardware", "dsl", "task", "suite")
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def schema_text(kind: str) -> str:
    """The JSON Schema of ``kind`` (one of `KINDS`) as JSON text."""
    return resources.schema(kind).read_text(encoding="utf-8")


@cache
def _schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text(kind))
    taken: dict[str, Any] = _with_taken(schema, definitions := schema.setdefault("definitions", {}))
    taken["definitions"] = definitions | taken["definitions"]
    return taken


def _with_taken(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` with what it takes from another file in its place; what that refers to joins ``definitions``."""
    if isinstance(schema, list):
        return [_with_taken(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    file, hash_, path = str(schema.get("$ref", "")).partition("#")
    if not (file and hash_):
        return {key: _with_taken(value, definitions) for key, value in schema.items()}
    other: Any = _schema(file.partition(".")[0])
    for name, value in other["definitions"].items():
        definitions.setdefault(name, value)
    for step in path.strip("/").split("/"):
        other = other[step]
    return other


@cache
def _read_schema(kind: str) -> dict[str, Any]:
    """The schema of a document whose values from the environment are there: the choice between both is settled."""
    schema: dict[str, Any] = _settled(_schema(kind))
    return schema


def _settled(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_settled(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _settled(value) for key, value in schema.items()}
    if made.get("if") == {"$ref": "#/definitions/env"}:
        del made["if"]
        made |= {key: value for key, value in made.pop("else").items() if key != "description"}
    return made


@cache
def _validator(kind: str, *part: str) -> Draft7Validator:
    """Draft 7 with one rule for whole numbers (``2.0`` is none) and a uniqueness that takes linear time."""
    from jsonschema import Draft7Validator
    from jsonschema.validators import extend

    checker = Draft7Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    ours: Any = extend(Draft7Validator, {"uniqueItems": _unique_items}, type_checker=checker)  # type: ignore[no-untyped-call]
    whole = _read_schema(kind)
    schema = whole
    for step in part:
        schema = schema[step]
    made: Draft7Validator = ours({**schema, "definitions": whole["definitions"]} if part else schema)
    return made


def _unique_items(_: Any, wanted: bool, items: Any, __: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(items, list) and _first_repeated(items) is not None:
        yield ValidationError("an item is here twice")


def _first_repeated(items: Sequence[Any]) -> int | None:
    """The place of the first item that equals an earlier one."""
    seen: set[str] = set()
    for place, item in enumerate(items):
        key = json.dumps(item, sort_keys=True)
        if key in seen:
            return place
        seen.add(key)
    return None


def validate(root: Node, kind: str, problems: Problems, part: tuple[str, ...] = ()) -> None:
    """Add a problem for everything in ``root`` that does not fit the schema of ``kind``, or that ``part`` of it."""
    faults = [_fault(error, root, kind, part) for error in _validator(kind, *part).iter_errors(root.data())]
    typos: dict[tuple[str | int, ...], list[str]] = defaultdict(list)
    for fault in faults:
        typos[fault.path] += fault.unknown_keys[:_MAX_TYPOS]
    for fault in faults:
        if fault.keyword == "additionalProperties":
            _note_unknown(fault, problems)
        elif fault.node.broken:
            continue
        elif fault.keyword == "required":
            _note_missing(fault, typos[fault.path][:_MAX_TYPOS], problems)
        else:
            message, hint = _SENTENCES.get(fault.keyword, _otherwise)(fault)
            problems.add(fault.mark, message, hint)


_MAX_TYPOS = 20
"""Unknown keys of one mapping that may be a misspelt required one."""


def wants_text(kind: str, path: Sequence[str | int]) -> bool:
    """True where the schema of ``kind`` takes text and no number or truth value at ``path``."""
    here: Any = _schema(kind)
    for step in path:
        here = _child(kind, here, step)
        if not isinstance(here, dict):
            return False
    here = _deref(_schema(kind), here)
    kinds = here.get("else", here).get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    return "string" in kinds and not {"number", "integer", "boolean"} & kinds


def keys_at(kind: str, definition: str, key: str) -> tuple[str, ...]:
    """The keys that the schema of ``kind`` lists for one entry of a definition."""
    return tuple(_schema(kind)["definitions"][definition]["properties"][key]["properties"])


def options_at(kind: str, key: str) -> tuple[str, ...]:
    """The words that the schema of ``kind`` allows for one of its keys, or for each item of its list."""
    allowed = _schema(kind)["properties"][key]["else"]
    return tuple((allowed["items"]["else"] if "items" in allowed else allowed)["enum"])


def _child(kind: str, schema: Any, step: str | int) -> Any:
    """The schema of an entry or an item; of a step of a workflow, whichever kind knows the key."""
    here = _deref(_schema(kind), schema)
    if isinstance(step, int):
        return here.get("items")
    found = here.get("properties", {}).get(step, here.get("additionalProperties"))
    branches = [here[word] for word in ("then", "else") if word in here]
    return found or next((child for branch in branches if (child := _child(kind, branch, step))), None)


def _deref(whole: dict[str, Any], schema: Any) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = whole["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


@dataclass(frozen=True)
class _Fault:
    """One error of the validator: the keyword of the schema that does not hold, its value, and the node concerned."""

    keyword: str
    limit: Any
    value: Any
    path: tuple[str | int, ...]
    known: tuple[str, ...]
    description: str
    node: Node
    kind: str

    @property
    def unknown_keys(self) -> list[str]:
        """Keys that the schema does not list."""
        if self.keyword != "additionalProperties":
            return []
        return [name for name in self.value if name not in self.known]

    @property
    def mark(self) -> Mark:
        """Where to point: at the value, and at the key where the value as a whole is the matter."""
        if self.keyword == "uniqueItems":
            return _repeated(self.node).mark
        if self.keyword == "name":
            child = self.node.entries.get(self.value)
            return child.place if child else self.node.place
        return self.node.place if self.keyword in _ABOUT_KEYS else self.node.mark

    @property
    def what(self) -> str:
        """What the error is about, by name."""
        names = [step for step in self.path if isinstance(step, str)]
        name = quoted(names[-1]) if names else "the file"
        last = self.path[-1] if self.path else ""
        return f"item {last + 1} of {name}" if isinstance(last, int) else name

    @property
    def shown(self) -> str:
        """The value as the user knows it; never one from the environment or one that looks like a key."""
        value = self.value
        if self.node.env:
            return f"the value of the environment variable {self.node.env}"
        if isinstance(value, dict | list):
            return "a mapping" if isinstance(value, dict) else "a list"
        if isinstance(value, bool) or value is None:
            return "empty" if value is None else str(value).lower()
        if not isinstance(value, str):
            return f"the number {value}"
        names = (step for step in self.path if isinstance(step, str))
        if is_secret_value(value) or any(map(is_secret_name, names)):
            return "this text"
        return f"the text {value if len(value) <= 40 else value[:37] + '…'!r}"


def _fault(error: ValidationError, root: Node, kind: str, part: tuple[str, ...]) -> _Fault:
    names = "propertyNames" in error.absolute_schema_path
    schema = error.schema if isinstance(error.schema, dict) else {}
    return _Fault(
        keyword="name" if names else str(error.validator),
        limit=error.validator_value,
        value=error.instance,
        path=tuple(error.absolute_path),
        known=tuple(schema.get("properties", ())),
        description=_description(kind, [*part, *error.absolute_schema_path][:-1]),
        node=root.at(*error.absolute_path) or root,
        kind=kind,
    )


def _description(kind: str, path: Sequence[str | int]) -> str:
    """The sentence that an editor shows on hover at ``path`` of the schema."""
    whole = _read_schema(kind)
    here: Any = whole
    found = ""
    for step in path:
        here = _deref(whole, here[step])  # the validator leaves "$ref" out of its paths
        if isinstance(here, dict) and isinstance(here.get("description"), str):
            found = here["description"]
    return found.rstrip(".")


_ABOUT_KEYS = {"required", "not", "minProperties", "maxProperties"}


def _note_unknown(fault: _Fault, problems: Problems) -> None:
    # Keys of models that look like secrets are refused elsewhere, with what to do instead.
    models = fault.kind == "agents" and "models" in fault.path
    for name in fault.unknown_keys:
        if models and is_secret_name(name):
            continue
        what = f"{fault.what} knows no key {quoted(name)}"
        by_platform = fault.path[-1:] == ("platforms",)
        hint = _platform_hint(name, fault.known) if by_platform else suggestion(name, fault.known)
        problems.add(fault.node.entries[name].place, what, hint)


def _note_missing(fault: _Fault, typos: list[str], problems: Problems) -> None:
    for name in fault.limit:
        # A misspelt key is one mistake, not two.
        if name not in fault.value and not any(nearest(typo, [name]) for typo in typos):
            problems.add(fault.node.place, f"{fault.what} lacks {name!r}", "add it")


def _repeated(node: Node) -> Node:
    place = _first_repeated(node.data())
    return node if place is None else node.items[place]


Sentence = tuple[str, Hint]
_FORMS = {
    "h)$": "Write a time above zero, such as 45s, 2m or 1.5h.",
    "^[A-Za-z][A-Za-z0-9_-]*$": "Write letters, digits, - and _, a letter first.",
}
"""What a description leaves out, by the end of the pattern."""


def _type(fault: _Fault) -> Sentence:
    wanted = " or ".join(_TYPES[k] for k in ([fault.limit] if isinstance(fault.limit, str) else fault.limit))
    if not fault.path and fault.value is None:
        return "the file is empty", "start it with 'version: 1'"
    hint = "quote it" if wanted == "text" and isinstance(fault.value, bool | int | float) else ""
    if "a whole number" in wanted and isinstance(fault.value, float) and fault.value.is_integer():
        hint = f"write {int(fault.value)}"
    return f"{fault.what} must be {wanted}, not {fault.shown}", hint


def _enum(fault: _Fault) -> Sentence:
    options, word = [str(option) for option in fault.limit], str(fault.value)
    hint = _platform_hint(word, options) if fault.path[-1:] == ("platform",) else suggestion(word, options)
    return f"{fault.what} cannot be {fault.shown}", hint


def _platform_hint(word: str, options: Sequence[str]) -> Hint:
    """What to do about a word that is no platform: people write vendors (``nvidia``) and runtimes (``rocm``)."""
    meant = meant_platform(word)
    return f"did you mean {meant!r}?" if meant else not_supported(word) or suggestion(word, options)


def _unique(fault: _Fault) -> Sentence:
    item = _repeated(fault.node).data()
    return f"{fault.what} names {quoted(item) if isinstance(item, str) else item} twice", "keep one"


def _pattern(fault: _Fault) -> Sentence:
    form = next((words for end, words in _FORMS.items() if str(fault.limit).endswith(end)), "")
    return f"{fault.what} cannot be {fault.shown}", f"{fault.description} {form}".strip()


def _otherwise(fault: _Fault) -> Sentence:
    return f"{fault.what} does not fit ({fault.keyword}), being {fault.shown}", fault.description


def _bound(words: str) -> Callable[[_Fault], Sentence]:
    return lambda fault: (f"{fault.what} must {words} {fault.limit}, not {fault.shown}", "")


def _length(words: str) -> Callable[[_Fault], Sentence]:
    return lambda fault: (f"{fault.what} needs {words.format(fault.limit)}, and has {len(fault.value)}", "")


_SENTENCES: dict[str, Callable[[_Fault], Sentence]] = {
    "type": _type,
    "enum": _enum,
    "uniqueItems": _unique,
    "const": lambda fault: (f"{fault.what} must be {json.dumps(fault.limit)}, not {fault.shown}", ""),
    "pattern": _pattern,
    "name": lambda fault: (f"{quoted(fault.value)} is no name for an entry of {fault.what}", fault.description),
    "not": lambda fault: (f"{fault.what} does not belong here", fault.description),
    "minimum": _bound("be at least"),
    "maximum": _bound("be at most"),
    "exclusiveMinimum": _bound("be more than"),
    "minLength": _length("{} or more characters"),
    "maxLength": _length("{} or fewer characters"),
    "minItems": _length("{} or more items"),
    "maxItems": _length("{} or fewer items"),
    "minProperties": _length("{} or more entries"),
    "maxProperties": _length("{} or fewer entries"),
}
