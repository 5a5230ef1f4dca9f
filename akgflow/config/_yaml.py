"""Strict YAML, composed straight from PyYAML's events.

No resolver or constructor of PyYAML takes part: a plain scalar means what YAML 1.2's core schema says (``1e-3`` is a
number, ``on`` and ``12:30`` and dates are text), and every value keeps its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from akgflow.config._problems import LINE_END, Problems, quoted
from akgflow.config.types import Scalar
from akgflow.errors import Mark

MAX_DEPTH = 40
MAX_NODES = 20_000
"""Values in one file: ten times what the largest shipped one has."""
_LONGEST_NUMBER = 100
"""Characters; what is longer is converted in more than linear time."""
_EXPLAINED = 50_000
"""Characters up to which a broken text is read once more by the slower parser, which says better what is wrong."""
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML 1.1 forbids. Surrogates are among them: Python reads other bytes than UTF-8 as these."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What an escape can write, and neither a path nor a message of ours can hold."""
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POWER = re.compile(r"([-+]?(?:0|[1-9][0-9]*))[eE]\+?([0-9]{1,2})")
"""A whole number however it is counted: ``1e6`` is one, and fits where ``2.0`` does not."""
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Node:
    """One value and its place: a scalar, None, a dict of nodes or a list of nodes.

    ``key`` is the place of the key that holds it, ``literal`` true for ``|`` blocks, ``env`` the environment
    variable that the value came from, ``broken`` true where the value could not be had and a problem says so.
    """

    value: Scalar | dict[str, Node] | list[Node] | None
    mark: Mark
    key: Mark | None = None
    literal: bool = False
    env: str = ""
    broken: bool = False

    @property
    def entries(self) -> dict[str, Node]:
        """The mapping's entries; empty where it is not a mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The sequence's items; empty where it is not a sequence."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str | None:
        """The value where it is text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def place(self) -> Mark:
        """The key's place where there is a key, otherwise the value's."""
        return self.key or self.mark

    def data(self) -> Any:
        """Plain dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {name: child.data() for name, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.data() for child in self.value]
        return self.value

    def at(self, *path: str | int) -> Node | None:
        """The node at ``path`` below this one."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            if isinstance(step, str):
                node = node.entries.get(step)
            else:
                node = node.items[step] if 0 <= step < len(node.items) else None
        return node


class _Refused(Exception):
    """Reading cannot continue; the problem is noted already."""


class ScalarError(ValueError):
    """A plain scalar that has no safe meaning; the text says what to write."""


def parse(text: str, file: str, problems: Problems, column: int = 0) -> Node | None:
    """Compose one document; None where its syntax is broken. ``column`` shifts the places on the first line."""
    composer = _Composer(file, problems, column)
    if stray := _NOT_PRINTABLE.search(text):
        _note_stray(stray, text, composer)
        return None
    try:
        try:
            return composer.compose(yaml.parse(text, Loader=_fast_loader()))
        except yaml.YAMLError:
            if len(text) > _EXPLAINED:
                raise
            return composer.compose(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark, message, hint = _explain(error)
        problems.add(composer.shifted(*mark), f"not valid YAML: {message}", hint)
    except _Refused:
        pass
    return None


def _note_stray(stray: re.Match[str], text: str, composer: _Composer) -> None:
    before = LINE_END.split(text[: stray.start()])
    mark = composer.shifted(len(before) - 1, len(before[-1]))
    if "\ud800" <= stray[0] <= "\udfff":
        composer.problems.add(mark, "not valid YAML: a byte that is no UTF-8", "remove it")
    else:
        what = f"not valid YAML: the character U+{ord(stray[0]):04X} is not printable"
        composer.problems.add(mark, what, "remove it")


def resolve(text: str) -> Scalar | None:
    """What a plain scalar means; raises `ScalarError` where that is not safe to say."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > _LONGEST_NUMBER:
        if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text) or _LEADING_ZERO.fullmatch(text):
            raise ScalarError(f"a number of {len(text)} characters is too long: quote it if it is text")
        return text
    if _LEADING_ZERO.fullmatch(text):
        raise ScalarError(
            f'{text} may be octal, decimal or text: write {text.lstrip("+-").lstrip("0") or "0"} or "{text}"'
        )
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is not a finite number: leave the entry out for no limit, or quote it for text")
    if _INTEGER.fullmatch(text):
        whole = int(text, 0) if len(text) < 30 else 1 << 64
        if abs(whole) >= 1 << 63:
            raise ScalarError("a whole number this large does not fit 64 bits: quote it if it is text")
        return whole
    if (power := _POWER.fullmatch(text)) and abs(whole := int(power[1]) * 10 ** int(power[2])) < 1 << 63:
        return whole
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ScalarError(f"{text} is too large for a number: quote it if it is text")
        return number
    return text


class _Composer:
    def __init__(self, file: str, problems: Problems, column: int) -> None:
        self._file = file
        self.problems = problems
        self._column = column
        self._nodes = 0

    def shifted(self, line: int, column: int) -> Mark:
        """A `Mark` from places that count from 0."""
        return Mark(self._file, line + 1, column + 1 + (self._column if line == 0 else 0))

    def compose(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        self._nodes = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._refuse(event, "a second document", "one file holds one document: remove the '---'")
                root = self._node(next(events), events, 1)
        return root or Node(None, Mark(self._file, 1, 1))

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        mark = self._mark(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(event, f"more than {MAX_NODES:,} keys and values", "split the file, or shorten it")
        if isinstance(event, yaml.AliasEvent):
            self._note(event, f"the alias *{event.anchor} is not allowed", "write the value out, or use 'extends'")
            return Node(None, mark, broken=True)
        if event.anchor is not None:
            self._note(event, f"the anchor &{event.anchor} is not allowed", "write values out, or use 'extends'")
        if event.tag is not None:
            self._note(event, f"the tag {event.tag!r} is not allowed", "remove it; quote what must be text")
        if isinstance(event, yaml.ScalarEvent):
            value, broken = self._scalar(event)
            return Node(value, mark, literal=event.style == "|", broken=broken)
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(events, depth), mark)
        return Node(self._mapping(events, depth), mark)

    def _scalar(self, event: Any) -> tuple[Scalar | None, bool]:
        """A value, and whether a problem says already that it is none."""
        if not event.implicit[0]:
            if stray := _NO_TEXT.search(event.value):
                self._note(event, f"no text can hold the character U+{ord(stray[0]):04X}", "remove its escape")
            return str(event.value), False
        try:
            return resolve(event.value), False
        except ScalarError as error:
            self._note(event, str(error))
            return str(event.value), True

    def _sequence(self, events: Iterator[Any], depth: int) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            found.append(self._node(event, events, depth + 1))
        return found

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = replace(self._node(next(events), events, depth + 1), key=key.mark)
            if isinstance(event, yaml.AliasEvent):
                continue
            if not isinstance(key.value, str):
                shown = quoted(event.value)[1:-1] if isinstance(event, yaml.ScalarEvent) else "a collection"
                self._note(event, f"the key {shown or '(empty)'} is not text", "quote it")
            elif key.value == "<<" and event.implicit[0]:
                self._note(event, "the merge key '<<' is not allowed", "use 'extends' where the entry knows it")
            elif key.value in found:
                first = found[key.value].place.line
                self._note(event, f"the key {quoted(key.value)} is here twice", f"line {first} has it too; keep one")
            else:
                found[key.value] = value
        return found

    def _mark(self, event: Any) -> Mark:
        return self.shifted(event.start_mark.line, event.start_mark.column)

    def _note(self, event: Any, message: str, hint: str = "") -> None:
        self.problems.add(self._mark(event), message, hint)

    def _refuse(self, event: Any, message: str, hint: str) -> None:
        self._note(event, message, hint)
        raise _Refused


def _fast_loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _explain(error: yaml.YAMLError) -> tuple[tuple[int, int], str, str]:
    """Line and column from 0, what is wrong, what to do."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return (0, 0), str(error), ""
    mark = error.problem_mark
    message = error.problem or "syntax error"
    if r"'\t'" in message:
        return (mark.line, mark.column), "a tab stands where spaces must", "indent with spaces"
    return (mark.line, mark.column), message, _syntax_hint(message)


def _syntax_hint(message: str) -> str:
    if message.startswith(("expected ',' or", "expected the node content", "mapping values", "found character")):
        return "quote values that hold any of [ ] { } , : # & * ! | > % @"
    if "block end" in message or "expected ':'" in message:
        return "check the indentation and the ':' after each key"
    return ""
