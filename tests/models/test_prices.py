"""List prices without litellm."""

from __future__ import annotations

import subprocess
import sys

import pytest

from akgflow.config.types import ModelSpec, Price
from akgflow.models.gateway import origin_of
from akgflow.models.prices import price_of


@pytest.mark.parametrize(
    "model, price",
    [
        ("openai/gpt-4o", Price(2.5, 10.0)),
        ("gpt-4o", Price(2.5, 10.0)),
        ("anthropic/claude-sonnet-4-5", Price(3.0, 15.0)),
        ("hosted_vllm/gpt-4o", None),
        ("openai/nonesuch", None),
        ("nonesuch", None),
        ("recorded/akgflow", Price(0.0, 0.0)),
        ("manual/inbox", Price(0.0, 0.0)),
    ],
)
def test_price(model: str, price: Price | None) -> None:
    got = price_of(ModelSpec("m", model))
    assert (got is None) == (price is None)
    if got and price:
        assert (got.input, got.output) == pytest.approx((price.input, price.output))


def test_price_in_yaml_comes_first() -> None:
    assert price_of(ModelSpec("m", "openai/gpt-4o", price=Price(1.0, 2.0))) == Price(1.0, 2.0)


def test_prices_do_not_import_litellm() -> None:
    script = (
        "import sys, akgflow.models.gateway; from akgflow.models.prices import price_of; "
        "from akgflow.config.types import ModelSpec; "
        "print(price_of(ModelSpec('m', 'openai/gpt-4o')), 'litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
    assert "Price" in done.stdout


@pytest.mark.parametrize(
    "model, origin", [("recorded/x", "recorded"), ("manual/x", "manual"), ("openai/x", "live"), ("gpt-4o", "live")]
)
def test_origin(model: str, origin: str) -> None:
    assert origin_of(model) == origin
