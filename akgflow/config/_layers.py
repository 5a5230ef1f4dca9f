"""Putting documents together: ``--set`` overrides, workspace over shipped entries, ``extends``, the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from akgflow.base.secrets import is_secret_name
from akgflow.config._problems import Problems, masked, quoted, suggest, suggestion
from akgflow.config._schema import wants_text
from akgflow.config._yaml import Node, ScalarError, parse, resolve
from akgflow.errors import Mark

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Override:
    """One ``--set path=value``: the steps of the path with their places, and the value."""

    path: tuple[tuple[str, Mark], ...]
    value: Node

    @property
    def names(self) -> tuple[str, ...]:
        """The steps of the path alone."""
        return tuple(name for name, _ in self.path)


def parse_override(text: str, problems: Problems) -> Override | None:
    """Read ``path=value``; the value is YAML under the same strict rules."""
    file = "--set " + masked(text if len(text) <= 60 else text[:59] + "…")
    problems.know(file, text)
    path, equals, value = text.partition("=")
    if not equals:
        problems.add(Mark(file, 1, 1), "an override is PATH=VALUE", "write for example budget.usd=1")
        return None
    steps: list[tuple[str, Mark]] = []
    column = 1
    for name in path.split("."):
        steps.append((name, Mark(file, 1, column)))
        if not name.strip():
            problems.add(Mark(file, 1, column), "a name is missing in the path", "join names with single dots")
            return None
        column += len(name) + 1
    node = parse(value, file, problems, column=column - 1)
    return Override(tuple(steps), replace(node, key=steps[-1][1])) if node else None


def apply_override(root: Node, override: Override, problems: Problems) -> Node:
    """``root`` with the override's value in its place; mappings on the way are made where there are none."""
    return _put(root, override.path, override.value, problems)


def _put(node: Node, path: tuple[tuple[str, Mark], ...], value: Node, problems: Problems) -> Node:
    if not path:
        return replace(value, key=node.key or value.key)
    (name, mark), rest = path[0], path[1:]
    if isinstance(node.value, list):
        if not name.isdigit() or int(name) >= len(node.value):
            problems.add(mark, f"the list here has no item {name!r}", f"items count from 0 to {len(node.value) - 1}")
            return node
        index = int(name)
        changed = _put(node.value[index], rest, value, problems)
        return replace(node, value=[*node.value[:index], changed, *node.value[index + 1 :]])
    if node.value is not None and (not isinstance(node.value, dict) or is_reference(node)):
        problems.add(mark, f"{name!r} cannot be set inside a single value", "set the value itself")
        return node
    child = node.entries.get(name) or Node(None, mark, key=mark)
    return replace(node, value={**node.entries, name: _put(child, rest, value, problems)})


@dataclass
class Layered:
    """A file's entries over the shipped ones. ``shadowed`` holds, by section and name, what they hide."""

    root: Node
    shadowed: dict[tuple[str, str], Node] = field(default_factory=dict)


def layer(own: Node | None, shipped: Node | None, sections: tuple[str, ...]) -> Layered:
    """Names of ``own`` before those of ``shipped``, section by section; all else comes from ``own`` alone."""
    layered = Layered(own or shipped or Node({}, Mark("", 1, 1)))
    if own is None or shipped is None or not isinstance(own.value, dict):
        return layered
    merged = dict(own.value)
    for section in sections:
        ours, theirs = own.entries.get(section), shipped.entries.get(section)
        if theirs is None or (ours and not isinstance(ours.value, dict)):
            continue
        mine = ours.entries if ours else {}
        merged[section] = replace(ours or theirs, value={**theirs.entries, **mine})
        layered.shadowed |= {(section, name): node for name, node in theirs.entries.items() if name in mine}
    layered.root = replace(own, value=merged)
    return layered


def extend(layered: Layered, sections: tuple[str, ...], problems: Problems) -> Node:
    """The document with every ``extends`` worked in."""
    merged = dict(layered.root.entries)
    for section in sections:
        node = merged.get(section)
        if node is not None and isinstance(node.value, dict):
            merged[section] = replace(node, value=_Extender(section, node.value, layered, problems).all())
    return replace(layered.root, value=merged) if isinstance(layered.root.value, dict) else layered.root


MAX_CHAIN = 20
"""The longest chain of ``extends`` that a reader can follow."""


class _Extender:
    def __init__(self, section: str, entries: dict[str, Node], layered: Layered, problems: Problems) -> None:
        self._section = section
        self._entries = entries
        self._shadowed = layered.shadowed
        self._problems = problems
        self._done: dict[str, Node] = {}
        self._depth: dict[str, int] = {}

    def all(self) -> dict[str, Node]:
        return {name: self._named(name) for name in self._entries}

    def _named(self, name: str) -> Node:
        """The entry with all that it extends, worked in from the deepest base upwards."""
        if name in self._done:
            return self._done[name]
        chain = self._chain(name)
        (_, made), depth = chain[-1], self._depth.get(chain[-1][0], 1)
        for key, node in reversed(chain[:-1]):
            made = merge(made, replace(node, value={k: v for k, v in node.entries.items() if k != "extends"}))
            depth += 1
            if node is self._entries[key]:
                self._done[key], self._depth[key] = made, depth
            if depth > MAX_CHAIN:
                what = f"{quoted(key)} builds on {MAX_CHAIN} others or more, one upon the other"
                self._problems.add(node.place, what, "write out what they say")
        return made

    def _chain(self, name: str) -> list[tuple[str, Node]]:
        """The entry, what it extends, what that extends, …; it ends where a base is done or cannot be had."""
        chain = [(name, self._entries[name])]
        seen = {name: None}
        while (wish := chain[-1][1].entries.get("extends")) is not None and wish.text is not None:
            base = self._base(chain[-1][0], chain[-1][1], wish, seen)
            if base is None:
                break
            if wish.text in self._done and base is self._entries[wish.text]:
                chain.append((wish.text, self._done[wish.text]))
                break
            chain.append((wish.text, base))
            seen[wish.text] = None
        return chain

    def _base(self, name: str, node: Node, wish: Node, seen: dict[str, None]) -> Node | None:
        """What the entry ``name`` extends; an entry that extends its own name means the shipped one that it hides."""
        wished, mark = wish.text or "", wish.mark
        what = f"{self._section[:-1]} {quoted(wished)}"
        shadowed = self._shadowed.get((self._section, name))
        if wished == name and node is not shadowed:
            if shadowed is None:
                self._problems.add(mark, f"{what} extends itself and shadows no shipped one", "name another one")
            return shadowed
        if wished in seen:
            names = list(seen)
            circle = " → ".join((*names[names.index(wished) :], wished))
            self._problems.add(mark, f"'extends' goes in a circle: {circle}", "break it at one of them")
            return None
        if wished not in self._entries:
            self._problems.add(mark, f"there is no {what} to extend", suggestion(wished, self._entries))
            return None
        return self._entries[wished]


def merge(base: Node, over: Node) -> Node:
    """``over`` on ``base``: mappings key by key, everything else replaced."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict) or is_reference(base) or is_reference(over):
        return over
    merged = dict(base.value)
    for name, node in over.value.items():
        merged[name] = merge(merged[name], node) if name in merged else node
    return replace(over, value=merged)


def is_reference(node: Node) -> bool:
    """True for ``{env: NAME}`` and ``{env: NAME, default: …}``, also with a typo beside ``env``."""
    env = node.entries.get("env")
    return env is not None and env.text is not None and len(node.entries) <= 2


def resolve_environment(root: Node, kind: str, env: Mapping[str, str], problems: Problems) -> Node:
    """Put the environment's values in the place of every ``{env: NAME, default: …}``.

    An unset or empty variable means the default. Its text is read as a YAML scalar (``2`` a number, ``true`` a truth
    value), except where the schema wants text: there it stays as it is.
    """
    return _resolved(root, (), kind, env, problems)


def _resolved(node: Node, path: tuple[str | int, ...], kind: str, env: Mapping[str, str], problems: Problems) -> Node:
    if is_reference(node):
        return _looked_up(node, wants_text(kind, path), env, problems)
    if isinstance(node.value, dict):
        entries = {name: _resolved(child, (*path, name), kind, env, problems) for name, child in node.value.items()}
        return replace(node, value=entries)
    if isinstance(node.value, list):
        items = [_resolved(child, (*path, i), kind, env, problems) for i, child in enumerate(node.value)]
        return replace(node, value=items)
    return node


def _looked_up(node: Node, as_text: bool, env: Mapping[str, str], problems: Problems) -> Node:
    reference = node.entries["env"]
    name = reference.text or ""
    for key, other in node.entries.items():
        if key not in ("env", "default"):
            problems.add(other.place, f"a value from the environment knows no key {key!r}", suggest(key, ["default"]))
            return replace(node, value=None, broken=True)
    if not _VARIABLE.fullmatch(name):
        problems.add(reference.mark, f"{name!r} is no name of an environment variable", "use letters, digits and '_'")
    elif is_secret_name(name):
        problems.add(reference.mark, f"{name} looks like a key, and keys are not read into a file", _KEY_HINT)
    elif (text := env.get(name)) and not text.isprintable():
        problems.add(reference.mark, f"the environment variable {name} holds unprintable characters", "change it")
    elif text:
        try:
            return replace(node, value=text if as_text else resolve(text), env=name)
        except ScalarError:
            problems.add(reference.mark, f"the environment variable {name} holds no usable number", "change it")
    elif default := node.entries.get("default"):
        if isinstance(default.value, dict | list):
            problems.add(default.mark, "the default of an environment variable is a single value", "write a scalar")
        return replace(default, key=node.key)
    else:
        problems.add(reference.mark, f"the environment variable {name} is not set", f"set {name}, or add 'default: …'")
    return replace(node, value=None, broken=True)


_KEY_HINT = "write 'api_key_env: NAME' in the model"
