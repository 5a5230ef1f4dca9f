"""How many tokens a call may take, told before it is made."""

from __future__ import annotations

import pytest

from akgflow.config.types import ModelSpec, Price
from akgflow.models.base import Message
from akgflow.models.sizes import estimate_of, estimate_tokens, max_output_tokens


def test_estimate_is_an_upper_bound_for_ordinary_text() -> None:
    # Token counts of cl100k_base, taken once with its tokenizer.
    for text, tokens in [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("def forward(self, x):\n    return torch.relu(x @ self.weight + self.bias)\n", 19),
        ("", 0),
    ]:
        assert tokens <= estimate_tokens(text)
    assert estimate_tokens("中文") >= 2


@pytest.mark.parametrize(
    "params, tokens",
    [({}, 16_000), ({"max_tokens": 50}, 50), ({"max_completion_tokens": 70, "max_tokens": 50}, 70)],
)
def test_output_reserve(params: dict[str, int], tokens: int) -> None:
    assert max_output_tokens(ModelSpec("m", "openai/m", params)) == tokens


def test_estimate_of_a_call() -> None:
    spec = ModelSpec("m", "openai/m", {"max_tokens": 100})
    got = estimate_of([Message("user", "x" * 300)], spec, Price(1.0, 10.0))
    # A token for every two bytes, 8 for a message, 128 for what a chat template adds.
    assert (got.prompt_tokens, got.reply_tokens, got.tokens) == (286, 100, 386)
    assert got.usd == pytest.approx((286 * 1.0 + 100 * 10.0) / 1e6)
