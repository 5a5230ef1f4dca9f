"""How many tokens a text has or may have, without a tokenizer: planning needs it, and must stay light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from akgflow.budget.request import LENGTHS, MORE_ROOM, sent_text, thinking_tokens
from akgflow.budget.usage import Estimate
from akgflow.config.types import ModelSpec, Price
from akgflow.models.base import Message
from akgflow.models.prices import longest_reply

OUTPUT_TOKENS = 16_000
"""Asked for and reserved where the model's params set no ``max_tokens``, and the model can write as much."""

_BYTES_PER_TOKEN = 3
_FEWEST_BYTES_PER_TOKEN = 2
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_CALL = 128


def estimate_tokens(text: str) -> int:
    """A high estimate of the tokens of ``text``, without a tokenizer."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def most_tokens(texts: Sequence[str]) -> int:
    """An upper bound of the tokens of a prompt of these messages, with what a server's chat template adds."""
    return (
        sum(-(-len(text.encode("utf-8", "replace")) // _FEWEST_BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE for text in texts)
        + _TOKENS_PER_CALL
    )


def asked_tokens(spec: ModelSpec) -> int:
    """The most tokens of one reply that a request to this model names."""
    given = [int(spec.params[name]) for name in LENGTHS if spec.params.get(name)]
    return max(given, default=min(OUTPUT_TOKENS, longest_reply(spec.model) or OUTPUT_TOKENS))


def max_output_tokens(spec: ModelSpec) -> int:
    """The most tokens that one reply of this model may have, its thinking included."""
    return asked_tokens(spec) + thinking_tokens(spec.params)


def with_more_room(spec: ModelSpec) -> ModelSpec | None:
    """``spec`` with room for a longer reply; None where the model is known to write no longer ones."""
    asked = asked_tokens(spec)
    most = min(MORE_ROOM * asked, longest_reply(spec.model) or MORE_ROOM * asked)
    if most <= asked:
        return None
    names = [name for name in LENGTHS if spec.params.get(name)] or ["max_tokens"]
    return replace(spec, params={**spec.params, **dict.fromkeys(names, most)})


def estimate_of(messages: Sequence[Message], spec: ModelSpec, price: Price | None, session: int = 0) -> Estimate:
    """The most that asking ``spec`` these messages can take; ``session`` is what an agent may read in all its turns."""
    beside = sent_text(spec.params)
    prompt = most_tokens([*(message.content for message in messages), *([beside] if beside else [])])
    prompt, reply = session or prompt, max_output_tokens(spec)
    return Estimate(prompt, reply, price.of(prompt, reply) if price else 0.0)
