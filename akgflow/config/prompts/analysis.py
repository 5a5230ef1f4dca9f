"""What can be said about a prompt template without rendering it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from akgflow.config._problems import Problems, suggest
from akgflow.config._yaml import Node
from akgflow.config.prompts.context import OF_ONE_JOB, PROMPT_VARIABLES
from akgflow.config.prompts.environment import prompt_environment, tree_of
from akgflow.config.prompts.walk import Fault, StepRead, Walk, guarded_paths
from akgflow.errors import Mark

if TYPE_CHECKING:
    from jinja2 import nodes

PARTS = ("system", "prompt", "repair")
"""The templates of an agent."""


@dataclass(frozen=True)
class Analysis:
    """What a template reads, and its errors that do not depend on the values."""

    variables: frozenset[str] = frozenset()
    steps: tuple[StepRead, ...] = ()
    faults: tuple[Fault, ...] = ()


def first_line(node: Node) -> Mark:
    """Where the text itself starts: a ``|`` block begins on the line after its key."""
    return Mark(node.mark.file, node.mark.line + 1, 1) if node.literal else node.mark


def check_prompts(agents: Node, facts: frozenset[str], problems: Problems) -> None:
    """Note unknown variables, attributes, filters and tests in all branches of every agent's templates."""
    for agent in agents.entries.values():
        form = agent.at("reply", "format")
        shared = form is not None and form.text == "sketch"
        for name in PARTS:
            node = agent.entries.get(name)
            if node is not None and node.text is not None:
                found = analyse(node.text, facts)
                for fault in (*found.faults, *(_closed(node.text, found) if shared else ())):
                    problems.add(place_of(node, fault.line, fault.word, problems), fault.message, fault.hint)


def place_of(node: Node, line: int, word: str, problems: Problems) -> Mark:
    """The position in its file of a word on a line of a template."""
    if not node.literal:
        return node.mark
    first = first_line(node)
    mark = Mark(first.file, first.line + line - 1, 1)
    source = problems.line(mark)
    found = re.search(rf"(?<=[.\['\"]){re.escape(word)}\b|\b{re.escape(word)}\b", source) if word else None
    column = found.start() + 1 if found else len(source) - len(source.lstrip()) + 1
    return Mark(mark.file, mark.line, column)


@lru_cache(maxsize=1024)
def variables_of(text: str) -> frozenset[str]:
    """The names that a sound template takes from outside."""
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(tree_of(text)))


@lru_cache(maxsize=1024)
def analyse(text: str, facts: frozenset[str]) -> Analysis:
    """The analysis of one template; ``facts`` are the names that a target's facts may have."""
    from jinja2 import TemplateSyntaxError, nodes

    walk: Walk | None = None
    try:
        tree = tree_of(text)
        walk = Walk(facts, guarded_paths(tree))
        walk.visit(tree)
        named = variables_of(text)
    except TemplateSyntaxError as error:
        if walk and walk.faults:  # it stumbles over the same, and says less about it
            return Analysis(faults=tuple(walk.faults))
        message = (error.message or "syntax error").rstrip(".")
        what = f"the template cannot be read: {message[:1].lower()}{message[1:]}"
        return Analysis(faults=(Fault(error.lineno, "", what, ""),))
    except RecursionError:
        return Analysis(faults=(Fault(1, "", "the template is nested too deeply", "flatten it"),))
    faults = [
        Fault(_line_of(tree, name), name, f"prompts have no variable {name!r}", suggest(name, PROMPT_VARIABLES))
        for name in sorted(named - {*PROMPT_VARIABLES, *prompt_environment().globals})
    ]
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        faults.append(Fault(node.lineno, "", "a prompt cannot take in other templates", "write the text here"))
    return Analysis(named & set(PROMPT_VARIABLES), tuple(walk.steps), (*faults, *walk.faults))


def _closed(text: str, found: Analysis) -> Iterator[Fault]:
    for name in sorted(found.variables & set(OF_ONE_JOB)):
        message = f"a sketch belongs to the whole task, so its prompt has no variable {name!r}"
        hint = "take it out; 'targets' lists all targets of the task"
        yield Fault(_line_of(tree_of(text), name), name, message, hint)


def _line_of(tree: nodes.Template, name: str) -> int:
    from jinja2 import nodes

    lines = [found.lineno for found in tree.find_all(nodes.Name) if found.name == name and found.ctx == "load"]
    return min(lines, default=1)
