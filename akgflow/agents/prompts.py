"""From an agent and a context to the messages of one call."""

from __future__ import annotations

import hashlib
import json
import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from akgflow.config.prompts.context import PromptContext
from akgflow.config.prompts.environment import failed_at, reason_of, rendered
from akgflow.config.types import AgentSpec, Prompt
from akgflow.errors import ConfigError, Mark, Problem
from akgflow.models.base import Message

_MOST_TAIL = 12_000
"""Characters of a conversation after its first prompt; a longer one starts again from the module as it is."""


@dataclass(frozen=True)
class Rendered:
    """The messages of one call and the fingerprint of what they say, measurements left out."""

    messages: tuple[Message, ...]
    fingerprint: str

    def answered(self, reply: str) -> Rendered:
        """The conversation with the reply to it."""
        said = Message("assistant", reply)
        return Rendered((*self.messages, said), _fingerprint((Message("before", self.fingerprint), said)))


def render(agent: AgentSpec, context: PromptContext, earlier: Rendered | None = None) -> Rendered:
    """The messages that ask ``agent``; raises `ConfigError` with the place in ``agents.yaml``.

    An agent with a ``repair`` prompt that repairs a candidate gets a conversation whose beginning is its first
    prompt, byte for byte. It continues ``earlier``, in which the candidate was written, where that has the same
    beginning and is not too long; else the candidate is shown as the only reply so far.
    """
    masked = context.without_measurements()
    if agent.repair is None or not context.candidate:
        return Rendered(opening(agent, context), _fingerprint(opening(agent, masked)))
    first = opening(agent, context.at_first())
    if earlier is not None and _goes_on(earlier, first):
        # Earlier attempts, and the DSL's documents about repairs, are in the conversation already.
        before: tuple[Message, ...] = earlier.messages
        marks: tuple[Message, ...] = (Message("before", earlier.fingerprint),)
        told_before = any(message.role == "user" for message in earlier.messages[len(first) :])
        dsl = replace(context.dsl, repair=(), improve=()) if told_before else context.dsl
        context, masked = (replace(each, history=(), dsl=dsl) for each in (context, masked))
    else:
        module = (Message("assistant", f"```python\n{context.candidate.strip()}\n```"),)
        before, marks = first + module, opening(agent, masked.at_first()) + module
    values = [each.variables(of_task=agent.reply.format == "sketch") for each in (context, masked)]
    told, mark = (Message("user", _text(agent, "repair", agent.repair, each)) for each in values)
    return Rendered((*before, told), _fingerprint((*marks, mark)))


def _goes_on(earlier: Rendered, first: tuple[Message, ...]) -> bool:
    tail = earlier.messages[len(first) :]
    return earlier.messages[: len(first)] == first and sum(len(m.content) for m in tail) <= _MOST_TAIL


def with_complaint(rendered: Rendered, reply: str, reason: str) -> Rendered:
    """The call that sends a malformed reply back with the reason."""
    complaint = f"Your reply cannot be used: {reason}\n\nSend the whole reply again, in the form that was asked for."
    added = (Message("assistant", reply or "(nothing)"), Message("user", complaint))
    before = Message("fingerprint", rendered.fingerprint)
    return Rendered((*rendered.messages, *added), _fingerprint((before, *added)))


Render = Callable[[Prompt, Mapping[str, Any]], str]
"""Makes the text of a prompt from the values of its variables."""


def opening(agent: AgentSpec, context: PromptContext, render: Render = rendered) -> tuple[Message, ...]:
    """The system prompt and the prompt; raises `ConfigError` with the place in ``agents.yaml``."""
    values = context.variables(of_task=agent.reply.format == "sketch")
    texts = (
        ("system", _text(agent, "system", agent.system, values, render)),
        ("user", _text(agent, "prompt", agent.prompt, values, render)),
    )
    return tuple(Message(role, text) for role, text in texts if text)


def _fingerprint(messages: Sequence[Message]) -> str:
    data = json.dumps([[m.role, m.content] for m in messages], ensure_ascii=False)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()


def _text(agent: AgentSpec, name: str, prompt: Prompt, values: Mapping[str, Any], render: Render = rendered) -> str:
    try:
        return render(prompt, values)
    except Exception as failed:  # a template can raise anything: it calls what it likes on the values it is given
        raise _problem(agent, name, prompt, failed) from None


def _problem(agent: AgentSpec, name: str, prompt: Prompt, failed: Exception) -> ConfigError:
    mark = failed_at(prompt, failed, _source)
    what = f"the {name} of agent {agent.name} cannot be rendered: {reason_of(failed)}"
    return ConfigError([Problem(mark, what, "mend the template", _source(mark))])


def _source(mark: Mark) -> str:
    return linecache.getline(mark.file, mark.line).rstrip("\n")
