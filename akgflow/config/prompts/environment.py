"""The one Jinja2 environment of prompts, and where in a file a template failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache, lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any

from akgflow.config.prompts.context import VIEWS
from akgflow.config.types import Prompt
from akgflow.errors import Mark

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_MOST_REPEATS, _MOST_POWER = 10_000, 64
"""How often a template may repeat a text, and the highest exponent: `'x' * 10 ** 10` would take all memory."""


@cache
def prompt_environment() -> ImmutableSandboxedEnvironment:
    """Where prompts are checked and rendered: sandboxed, strict about undefined names; a block tag takes its line."""
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    known = {view: frozenset(field.name for field in fields(view)) for view in VIEWS}

    class Bounded(ImmutableSandboxedEnvironment):
        # What is intercepted is not computed while a template is compiled either.
        intercepted_binops = frozenset({"*", "**"})

        def getattr(self, obj: Any, attribute: str) -> Any:
            # Prompts read little else, and the sandbox's own questions take ten times as long.
            return getattr(obj, attribute) if attribute in known.get(type(obj), ()) else super().getattr(obj, attribute)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            numbers = [one for one in (left, right) if isinstance(one, int | float)]
            if operator == "*" and len(numbers) == 1 and abs(numbers[0]) > _MOST_REPEATS:
                raise SecurityError(f"a text is repeated {numbers[0]} times")
            if operator == "**" and isinstance(right, int | float) and abs(right) > _MOST_POWER:
                raise SecurityError(f"the exponent {right} is too large")
            return super().call_binop(context, operator, left, right)

    made = Bounded(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    del made.globals["lipsum"]
    return made


@lru_cache(maxsize=256)
def tree_of(text: str) -> nodes.Template:
    """The syntax tree of a template; raises ``jinja2.TemplateSyntaxError``."""
    return prompt_environment().parse(text)


@lru_cache(maxsize=256)
def template(text: str) -> Template:
    """The compiled template."""
    return prompt_environment().from_string(tree_of(text))


def rendered(prompt: Prompt, variables: Mapping[str, Any]) -> str:
    """The text of a prompt. A template can raise anything: it calls what it likes on the values that it is given."""
    return template(prompt.text).render(variables).strip()


def reason_of(failed: Exception) -> str:
    """Why a template could not be rendered, as a clause."""
    return str(failed).rstrip(".") or type(failed).__name__


def failed_at(prompt: Prompt, failed: Exception, line_of: Any) -> Mark:
    """Where in its file a template failed; ``line_of(mark)`` gives the text of a line."""
    line = prompt.mark.line + _template_line(failed) - 1
    source = str(line_of(Mark(prompt.mark.file, line, 1))).rstrip("\n")
    openers = [source.index(opener) for opener in ("{{", "{%") if opener in source]
    if openers:
        return Mark(prompt.mark.file, line, openers[0] + 1)
    indented = len(source) - len(source.lstrip()) + 1
    return Mark(prompt.mark.file, line, indented if source.strip() else prompt.mark.column)


def _template_line(failed: Exception) -> int:
    """The line of the template: a syntax error knows it, else the innermost frame that Jinja2 maps to it."""
    line = getattr(failed, "lineno", None)
    if isinstance(line, int):
        return line
    found = 1
    frame: TracebackType | None = failed.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            found = frame.tb_lineno
        frame = frame.tb_next
    return found
