"""Finds the one Python module in a reply, whatever stands around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import NamedTuple

from akgflow.agents.blocks import Block, blocks, other_readings, outdented
from akgflow.agents.malformed import MalformedReply, NothingFound
from akgflow.operators.python_text import PythonError, definitions, parse_python

_PYTHON = frozenset({"python", "py", "python3"})
_ASK = "put the whole module into exactly one ```python block"
_CODE = re.compile(
    r"^(?:import\s+\w|from\s+[\w.]+\s+import\b|class\s+\w+.*:|(?:async\s+)?def\s+\w+\s*\(|@\w|[rR]?(?:\"\"\"|''')|#!)",
    re.MULTILINE,
)
"""A line with which a module, or a part of it, begins."""
_TRIES = 8
"""How often a module without fences is cut at prose after it."""
_MOST_PARSED = 2_000_000
"""Characters that are parsed at most to find a module: a few seconds."""


class Module(NamedTuple):
    """Python that defines the names that were asked for, and the offsets in the reply between which it stands."""

    code: str
    start: int
    end: int


def modules(text: str, names: tuple[str, ...], tags: frozenset[str]) -> list[Module]:
    """The different modules that blocks of ``text`` hold; without ``names``, the blocks that are Python.

    ``tags`` are languages beside Python's that a module may be marked as.
    """
    found = blocks(text)
    if not names:
        return _distinct(_usable([b for b in found if len(found) == 1 or b.tag in _PYTHON | tags], names))
    good = _usable([*found, *other_readings(text)], names)
    return _distinct([module for module in good if _defines_itself(module.code, names)] or good)


def _distinct(found: list[Module]) -> list[Module]:
    return list({module.code.strip(): module for module in reversed(found)}.values())


def find_module(text: str, names: tuple[str, ...], tags: frozenset[str] = frozenset()) -> str:
    """The one module in ``text`` that defines ``names``.

    Raises `NothingFound` where nothing in it looks like code, and `MalformedReply` where no module, or more than one,
    defines them.
    """
    good = modules(text, names, tags)
    if len(good) == 1:
        return good[0].code
    if good:
        named = f" that define {_listed(names)}" if names else ""
        raise MalformedReply(f"it holds {len(good)} different modules{named}; {_ASK}")
    found = blocks(text)
    code = _unfenced(text, found, names)
    if code is not None:
        return code
    if not found:
        kind = MalformedReply if _CODE.search(text) else NothingFound
        raise kind(f"it holds no code block; {_ASK}")
    raise MalformedReply(_why_none(found, names, tags))


def check_module(code: str, names: tuple[str, ...], when: str = "") -> None:
    """Raise `MalformedReply` where ``code`` is not Python that defines ``names``."""
    reason = _lacks(code, names)
    if reason:
        raise MalformedReply(f"{when}its {reason}")


def _usable(found: Iterable[Block], names: tuple[str, ...]) -> list[Module]:
    """Blocks that are a module; of those that overlap, the first."""
    good: list[Module] = []
    left = _MOST_PARSED
    for block in found:
        if not block.closed or not all(name in block.body for name in names):
            continue
        if any(module.start < block.end and block.start < module.end for module in good):
            continue
        for code in dict.fromkeys((block.body, outdented(block.body))):
            left -= len(code)
            if left > 0 and code.strip() and not _lacks(code, names):
                good.append(Module(code, block.start, block.end))
                break
    return good


def _lacks(code: str, names: tuple[str, ...]) -> str:
    """Why ``code`` is not a module that defines ``names``; continues a sentence that begins with *its*."""
    try:
        defined = definitions(parse_python(code).body)
    except PythonError as wrong:
        shown = f" ({wrong.text[:120]})" if wrong.text else ""
        place = f"line {wrong.line}{shown}: " if wrong.text else ""
        return f"code is not valid Python: {place}{wrong}"
    missing = [name for name in names if name not in defined]
    return f"module does not define {_listed(missing)} at top level" if missing else ""


def _defines_itself(code: str, names: tuple[str, ...]) -> bool:
    """False where ``code`` imports one of the names, as an example of use does."""
    defined = definitions(parse_python(code).body)
    return not any(isinstance(defined[name], ast.Import | ast.ImportFrom) for name in names)


def _unfenced(text: str, found: list[Block], names: tuple[str, ...]) -> str | None:
    """A module that stands in the reply without fences, with prose before and after it; None where there is none."""
    begin = _CODE.search(text)
    if not names or begin is None or any(block.start <= begin.start() < block.end for block in found):
        return None
    lines = text[begin.start() :].split("\n")
    for _ in range(_TRIES):
        code = "\n".join(lines).rstrip() + "\n"
        try:
            parse_python(code)
        except PythonError as wrong:
            end = wrong.line - 1
            while end > 0 and (end >= len(lines) or not lines[end].strip() or lines[end][0].isspace()):
                end -= 1
            if _CODE.search("\n".join(lines[end:])):  # the module itself is wrong
                return None
            lines = lines[:end]
            continue
        return None if _lacks(code, names) else code
    return None


def _why_none(found: list[Block], names: tuple[str, ...], tags: frozenset[str]) -> str:
    """What is wrong with the block that was meant."""
    tagged = [block for block in found if block.tag in _PYTHON | tags]
    meant = [block for block in found if names and all(name in block.body for name in names)]
    meant = meant or tagged or found
    block = meant[-1]
    which = "code block" if len(found) == 1 else f"code block {found.index(block) + 1} of {len(found)}"
    if not block.closed:
        return f"its {which} is opened and never closed"
    if not block.body.strip():
        return f"its {which} is empty"
    if not names and len(meant) > 1:
        return f"it holds {len(found)} code blocks, {len(tagged)} of them marked ```python; {_ASK}"
    reason = _lacks(outdented(block.body), names)
    if len(found) == 1:
        return f"its {reason}"
    return f"none of its {len(found)} code blocks is a module{_that_defines(names)}; in {which}, the {reason}"


def _that_defines(names: tuple[str, ...]) -> str:
    return f" that defines {_listed(names)}" if names else ""


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)
