"""The walk over a template's syntax tree: attributes, filters and tests, also in branches that no rendering takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from akgflow.config._problems import quoted, suggest
from akgflow.config.prompts.environment import prompt_environment
from akgflow.config.prompts.shapes import (
    TEXT,
    UNKNOWN,
    Items,
    NoAttribute,
    Pair,
    Scalar,
    Shape,
    Table,
    attribute,
    called,
    element,
    variables,
)

if TYPE_CHECKING:
    from jinja2 import nodes


class Fault(NamedTuple):
    """Something wrong in a template: the line of the template, the word to point at, what it is, what to do."""

    line: int
    word: str
    message: str
    hint: str


class StepRead(NamedTuple):
    """A template reads ``steps.NAME``; ``optional`` where it asks whether it is there."""

    name: str
    line: int
    optional: bool


_SHOWS = frozenset(
    ("tojson", "pprint", "string", "join", "format", "urlencode", "filesizeformat", "escape", "e", "safe")
)
_EDITS = frozenset(
    ("trim", "upper", "lower", "capitalize", "title", "replace", "indent", "center", "truncate", "wordwrap")
)
_GIVES_TEXT = _SHOWS | _EDITS
_SAME = frozenset(("list", "sort", "reverse", "unique", "select", "reject", "selectattr", "rejectattr"))
_ONE = frozenset(("first", "last", "random", "min", "max"))
_BY_ATTRIBUTE = frozenset(("map", "sort", "unique", "groupby", "sum", "min", "max", "join"))
"""Filters whose ``attribute=`` names one of the items' attributes."""


class Walk:
    """One walk; ``faults`` and ``steps`` are what it found."""

    def __init__(self, facts: frozenset[str], guarded: frozenset[str]) -> None:
        self.faults: list[Fault] = []
        self.steps: list[StepRead] = []
        self._facts, self._guarded = facts, guarded
        self._scopes: list[dict[str, Shape]] = [dict(variables())]
        environment = prompt_environment()
        self._filters, self._tests = environment.filters, environment.tests

    def visit(self, node: nodes.Node) -> Shape:
        """What is known of the node's value; nothing where it is a statement."""
        name = f"_{type(node).__name__.lower()}"
        seen: Shape | None = getattr(self, name, self._children)(node)
        return seen or UNKNOWN

    def _children(self, node: nodes.Node) -> Shape:
        for child in node.iter_child_nodes():
            self.visit(child)
        return UNKNOWN

    @contextmanager
    def _scope(self, names: Mapping[str, Shape] = MappingProxyType({})) -> Iterator[None]:
        self._scopes.append(dict(names))
        yield
        self._scopes.pop()

    def _bind(self, target: nodes.Node, shape: Shape) -> None:
        from jinja2 import nodes

        if isinstance(target, nodes.Name):
            # A name that is set twice may hold either.
            before = self._scopes[-1].get(target.name)
            self._scopes[-1][target.name] = shape if before in (None, shape) else UNKNOWN
        elif isinstance(target, nodes.Tuple):
            parts: Sequence[Shape] = [UNKNOWN] * len(target.items)
            if isinstance(shape, Pair) and len(target.items) == 2:
                parts = [TEXT, shape.value]
            for inner, part in zip(target.items, parts, strict=True):
                self._bind(inner, part)

    # Statements

    def _for(self, node: nodes.For) -> None:
        item = element(self.visit(node.iter))
        with self._scope({"loop": UNKNOWN}):
            self._bind(node.target, item)
            for inner in (*([node.test] if node.test else []), *node.body):
                self.visit(inner)
        with self._scope():
            for inner in node.else_:
                self.visit(inner)

    def _assign(self, node: nodes.Assign) -> None:
        self._bind(node.target, self.visit(node.node))

    def _assignblock(self, node: nodes.AssignBlock) -> None:
        with self._scope():
            self._children(node)
        self._bind(node.target, TEXT)

    def _with(self, node: nodes.With) -> None:
        given = [self.visit(value) for value in node.values]
        with self._scope():
            for target, shape in zip(node.targets, given, strict=True):
                self._bind(target, shape)
            for inner in node.body:
                self.visit(inner)

    def _macro(self, node: nodes.Macro) -> None:
        for default in node.defaults:
            self.visit(default)
        given = (*(argument.name for argument in node.args), "caller", "varargs", "kwargs")
        with self._scope(dict.fromkeys(given, UNKNOWN)):
            for inner in node.body:
                self.visit(inner)
        self._scopes[-1][node.name] = UNKNOWN

    def _callblock(self, node: nodes.CallBlock) -> None:
        self.visit(node.call)
        with self._scope(dict.fromkeys((argument.name for argument in node.args), UNKNOWN)):
            for inner in node.body:
                self.visit(inner)

    # Expressions

    def _name(self, node: nodes.Name) -> Shape:
        return next((scope[node.name] for scope in reversed(self._scopes) if node.name in scope), UNKNOWN)

    def _const(self, node: nodes.Const) -> Shape:
        return Scalar(type(node.value)) if isinstance(node.value, str | int | float) else UNKNOWN

    def _getattr(self, node: nodes.Getattr) -> Shape:
        return self._attribute(node, self.visit(node.node), node.attr)

    def _getitem(self, node: nodes.Getitem) -> Shape:
        from jinja2 import nodes

        owner = self.visit(node.node)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._attribute(node, owner, node.arg.value)
        self.visit(node.arg)
        if isinstance(node.arg, nodes.Slice) or owner == TEXT:
            return owner
        if isinstance(owner, Items):
            return owner.item
        return owner.value if isinstance(owner, Table) else UNKNOWN

    def _attribute(self, node: nodes.Getattr | nodes.Getitem, owner: Shape, name: str) -> Shape:
        if path_of(node.node) == "steps" and owner == variables()["steps"] and not hasattr(dict, name):
            self.steps.append(StepRead(name, node.lineno, f"steps.{name}" in self._guarded))
        try:
            return attribute(owner, name, self._facts)
        except NoAttribute as wrong:
            if not (isinstance(owner, Table) and path_of(node) in self._guarded):
                what = f"{path_of(node.node) or 'this value'} has no attribute {quoted(name)}"
                self.faults.append(Fault(node.lineno, name, what, suggest(name, wrong.options)))
            return UNKNOWN

    def _call(self, node: nodes.Call) -> Shape:
        method = self.visit(node.node)
        for inner in (*node.args, *node.kwargs):
            self.visit(inner)
        return called(method)

    def _condexpr(self, node: nodes.CondExpr) -> Shape:
        self.visit(node.test)
        one = self.visit(node.expr1)
        other = self.visit(node.expr2) if node.expr2 else UNKNOWN
        return one if one == other else UNKNOWN

    def _either(self, node: nodes.BinExpr) -> Shape:
        one, other = self.visit(node.left), self.visit(node.right)
        return one if one == other else UNKNOWN

    _or = _and = _either

    def _concat(self, node: nodes.Concat) -> Shape:
        self._children(node)
        return TEXT

    def _test(self, node: nodes.Test) -> Shape:
        self._known(node, "test", node.name, self._tests)
        self._children(node)
        return Scalar(bool)

    def _filter(self, node: nodes.Filter) -> Shape:
        self._known(node, "filter", node.name, self._filters)
        given = self.visit(node.node) if node.node is not None else UNKNOWN
        for inner in (*node.args, *node.kwargs):
            self.visit(inner)
        words = [_text_of(argument) for argument in node.args]
        if node.name in ("map", "select", "reject") and words and words[0]:
            kind, known = ("filter", self._filters) if node.name == "map" else ("test", self._tests)
            self._known(node, kind, words[0], known)
        if node.name in ("selectattr", "rejectattr") and len(words) > 1 and words[1]:
            self._known(node, "test", words[1], self._tests)
        named = {str(pair.key): _text_of(pair.value) for pair in node.kwargs}
        by = named.get("attribute") if node.name in _BY_ATTRIBUTE else None
        if node.name in ("selectattr", "rejectattr", "groupby") and words:
            by = words[0]
        if node.name == "attr" and words and words[0]:
            return self._path(node, given, words[0])
        inner_shape = self._path(node, element(given), by) if by else UNKNOWN
        return _filtered(node.name, given, inner_shape)

    def _path(self, node: nodes.Filter, shape: Shape, path: str) -> Shape:
        for name in path.split("."):
            try:
                shape = attribute(shape, name, self._facts) if not name.isdigit() else UNKNOWN
            except NoAttribute as wrong:
                what = f"what the filter {node.name!r} is given has no attribute {quoted(name)}"
                self.faults.append(Fault(node.lineno, name, what, suggest(name, wrong.options)))
                return UNKNOWN
        return shape

    def _known(self, node: nodes.Node, kind: str, name: str, known: object) -> None:
        assert isinstance(known, dict)
        if name not in known:
            # What Jinja itself says of those outside branches.
            what = f"the template cannot be read: no {kind} named {name!r}"
            self.faults.append(Fault(node.lineno, name, what, suggest(name, sorted(known))))


def _filtered(name: str, given: Shape, inner: Shape) -> Shape:
    if name in _GIVES_TEXT:
        return TEXT
    if name in _SAME:
        return given if isinstance(given, Items) or name == "reverse" else Items(element(given))
    if name in _ONE:
        return element(given)
    if name == "map":
        return Items(inner)
    if name in ("items", "dictsort") and isinstance(given, Table):
        return Items(Pair(given.value))
    if name in ("batch", "slice"):
        return Items(Items(element(given)))
    return Scalar(int) if name in ("length", "count", "wordcount") else UNKNOWN


def guarded_paths(tree: nodes.Template) -> frozenset[str]:
    """Paths such as ``steps.plan`` that the template asks about before it uses them, or has a default for."""
    from jinja2 import nodes

    found = {path_of(test.node) for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined")}
    found |= {path_of(used.node) for used in tree.find_all(nodes.Filter) if used.node and used.name in ("default", "d")}
    for compared in tree.find_all(nodes.Compare):
        word = _text_of(compared.expr)
        found |= {f"{path_of(one.expr)}.{word}" for one in compared.ops if word and one.op in ("in", "notin")}
    return frozenset(found) - {""}


def path_of(node: nodes.Node | None) -> str:
    """``target.facts`` for a chain of attributes of a name; empty for any other expression."""
    from jinja2 import nodes

    names: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        name = node.attr if isinstance(node, nodes.Getattr) else _text_of(node.arg)
        if not name:
            return ""
        names.append(name)
        node = node.node
    return ".".join((node.name, *reversed(names))) if isinstance(node, nodes.Name) else ""


def _text_of(node: nodes.Node) -> str:
    from jinja2 import nodes

    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""
