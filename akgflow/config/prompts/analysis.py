"""Prompt templates: the one Jinja2 environment, and what can be said about a template before it is rendered."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from akgflow.config._problems import Problems, suggest
from akgflow.config._yaml import Node
from akgflow.config.types import OF_ONE_JOB, PROMPT_VARIABLES
from akgflow.errors import Mark

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment


class _Fault(NamedTuple):
    line: int
    word: str
    message: str
    hint: str


@cache
def prompt_environment() -> ImmutableSandboxedEnvironment:
    """Where prompts are checked and rendered: sandboxed, strict about undefined names; a block tag takes its line."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


def first_line(node: Node) -> Mark:
    """Where the text itself starts: a ``|`` block begins on the line after its key."""
    return Mark(node.mark.file, node.mark.line + 1, 1) if node.literal else node.mark


def check_prompts(agents: Node, problems: Problems) -> None:
    """Parse the templates of every agent; note bad syntax, unknown variables and includes."""
    for agent in agents.entries.values():
        form = agent.at("reply", "format")
        shared = form is not None and form.text == "sketch"
        for name in ("system", "prompt", "repair"):
            node = agent.entries.get(name)
            if node is not None and node.text is not None:
                for fault in _faults(node.text, OF_ONE_JOB if shared else ()):
                    problems.add(_place(node, fault, problems), fault.message, fault.hint)


def _place(node: Node, fault: _Fault, problems: Problems) -> Mark:
    if not node.literal:
        return node.mark
    mark = first_line(node)
    line = mark.line + fault.line - 1
    source = problems.line(Mark(mark.file, line, 1))
    found = re.search(rf"\b{re.escape(fault.word)}\b", source) if fault.word else None
    column = found.start() + 1 if found else len(source) - len(source.lstrip()) + 1
    return Mark(mark.file, line, column)


def _faults(text: str, closed: Collection[str]) -> Iterator[_Fault]:
    from jinja2 import TemplateSyntaxError, meta, nodes

    try:
        tree = prompt_environment().parse(text)
        named = meta.find_undeclared_variables(tree)
    except TemplateSyntaxError as error:
        message = (error.message or "syntax error").rstrip(".")
        yield _Fault(error.lineno, "", f"the template cannot be read: {message[:1].lower()}{message[1:]}", "")
        return
    except RecursionError:
        yield _Fault(1, "", "the template is nested too deeply", "flatten it")
        return
    for name in sorted(named - set(PROMPT_VARIABLES)):
        yield _Fault(_line_of(tree, name), name, f"prompts have no variable {name!r}", suggest(name, PROMPT_VARIABLES))
    for name in sorted(named & set(closed)):
        message = f"a sketch belongs to the whole task, so its prompt has no variable {name!r}"
        yield _Fault(_line_of(tree, name), name, message, "take it out; 'targets' lists all targets of the task")
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        yield _Fault(node.lineno, "", "a prompt cannot take in other templates", "write the text here")


def _line_of(tree: nodes.Template, name: str) -> int:
    from jinja2 import nodes

    lines = [found.lineno for found in tree.find_all(nodes.Name) if found.name == name and found.ctx == "load"]
    return min(lines, default=1)
