"""From an agent and a context to the messages of one call."""

from __future__ import annotations

import hashlib
import json
import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING

from akgflow.agents.context import PromptContext
from akgflow.config import prompt_environment
from akgflow.config.types import AgentSpec, Prompt
from akgflow.errors import ConfigError, Mark, Problem
from akgflow.models.base import Message

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True)
class Rendered:
    """The messages of one call and the fingerprint of what they say, measurements left out."""

    messages: tuple[Message, ...]
    fingerprint: str


def render(agent: AgentSpec, context: PromptContext) -> Rendered:
    """Render both prompts of ``agent``; raises `ConfigError` with the place in ``agents.yaml``."""
    messages = _messages(agent, context)
    return Rendered(messages, _fingerprint(_messages(agent, context.without_measurements())))


def with_complaint(rendered: Rendered, reply: str, reason: str) -> Rendered:
    """The call that sends a malformed reply back with the reason."""
    complaint = f"Your reply cannot be used: {reason}\n\nSend the whole reply again, in the form that was asked for."
    added = (Message("assistant", reply or "(nothing)"), Message("user", complaint))
    before = Message("fingerprint", rendered.fingerprint)
    return Rendered((*rendered.messages, *added), _fingerprint((before, *added)))


def _messages(agent: AgentSpec, context: PromptContext) -> tuple[Message, ...]:
    texts = (
        ("system", _text(agent, "system", agent.system, context)),
        ("user", _text(agent, "prompt", agent.prompt, context)),
    )
    return tuple(Message(role, text) for role, text in texts if text)


def _fingerprint(messages: Sequence[Message]) -> str:
    data = json.dumps([[m.role, m.content] for m in messages], ensure_ascii=False)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()


def _text(agent: AgentSpec, name: str, prompt: Prompt, context: PromptContext) -> str:
    try:
        return _template(prompt.text).render(context.variables()).strip()
    except Exception as failed:  # a template can raise anything: it calls what it likes on the values it is given
        raise _problem(agent, name, prompt, failed) from None


@lru_cache(maxsize=64)
def _template(text: str) -> Template:
    return prompt_environment().from_string(text)


def _problem(agent: AgentSpec, name: str, prompt: Prompt, failed: Exception) -> ConfigError:
    line = prompt.mark.line + _template_line(failed) - 1
    source = linecache.getline(prompt.mark.file, line).rstrip("\n")
    column = len(source) - len(source.lstrip()) + 1 if source.strip() else prompt.mark.column
    for opener in ("{{", "{%"):
        if opener in source:
            column = source.index(opener) + 1
            break
    reason = str(failed).rstrip(".") or type(failed).__name__
    return ConfigError(
        [
            Problem(
                Mark(prompt.mark.file, line, column),
                f"the {name} of agent {agent.name} cannot be rendered: {reason}",
                "mend the template",
                source,
            )
        ]
    )


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
