"""Every parameter of a model reaches the server that knows it, over a real socket."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

import pytest
from model_bench import Bench, spec
from openai_server import OpenAIServer

from akgflow.config import schema_text
from akgflow.models.base import ProviderError


class Sent(NamedTuple):
    """A value, the provider that knows the parameter, and where its requests have the value."""

    value: Any
    provider: str = "openai/anything"
    where: tuple[str, ...] = ()


PARAMS = {
    "temperature": Sent(0.3),
    "top_p": Sent(0.5),
    "top_k": Sent(7),
    "min_p": Sent(0.1),
    "max_tokens": Sent(50),
    "max_completion_tokens": Sent(60),
    "seed": Sent(3),
    "stop": Sent("x"),
    "presence_penalty": Sent(0.1),
    "frequency_penalty": Sent(0.2),
    "repetition_penalty": Sent(1.1),
    "logit_bias": Sent({"5": 1}),
    "reasoning_effort": Sent("low"),
    "verbosity": Sent("low", "openai/gpt-5"),
    "thinking": Sent({"type": "enabled", "budget_tokens": 9}, "anthropic/claude-sonnet-4-5"),
    "response_format": Sent({"type": "json_object"}),
    "service_tier": Sent("flex"),
    "num_ctx": Sent(512, "ollama_chat/any", ("options", "num_ctx")),
    "keep_alive": Sent("10m", "ollama_chat/any"),
    "stream": Sent(False, "hosted_vllm/any"),
    "extra_body": Sent({"mine": 2}),
}
"""Those that are in the body of a request."""
BESIDE = {"api_version", "drop_params", "extra_headers"}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "LITELLM_", "ANTHROPIC_", "AZURE_", "OLLAMA_")):
            monkeypatch.delenv(name)
    for provider in ("OPENAI", "ANTHROPIC", "AZURE"):
        monkeypatch.setenv(f"{provider}_API_KEY", "sk-of-the-test")


def _ask(server: OpenAIServer, model: str, params: dict[str, Any]) -> None:
    """One call; a server of another protocol gets its request, and its answer is not read here."""
    known = model.startswith(("openai/", "hosted_vllm/"))
    url = server.url if known else server.url.removesuffix("/v1")
    try:
        Bench(spec(url, model=model, params=params)).once()
    except ProviderError:
        if known or not server.requests:
            raise


def test_every_parameter_is_here() -> None:
    model = json.loads(schema_text("agents"))["definitions"]["model"]
    assert set(model["properties"]["params"]["properties"]) == {*PARAMS, *BESIDE}


@pytest.mark.parametrize("name", PARAMS)
def test_it_is_in_the_body(openai_server: OpenAIServer, name: str) -> None:
    sent = PARAMS[name]
    _ask(openai_server, sent.provider, {name: sent.value})
    found: Any = openai_server.requests[0].body
    if name == "extra_body":
        assert found["mine"] == 2
        return
    for step in sent.where or (name,):
        found = found[step]
    assert found == sent.value


def test_headers_are_sent_along(openai_server: OpenAIServer) -> None:
    _ask(openai_server, "openai/anything", {"extra_headers": {"x-mine": "1"}})
    assert openai_server.requests[0].headers["x-mine"] == "1"


def test_azure_gets_its_version(openai_server: OpenAIServer) -> None:
    _ask(openai_server, "azure/any", {"api_version": "2024-10-21"})
    assert "api-version=2024-10-21" in openai_server.requests[0].path


def test_a_parameter_that_the_model_does_not_know_is_left_out_or_an_error(openai_server: OpenAIServer) -> None:
    _ask(openai_server, "openai/gpt-5", {"temperature": 0.3})
    assert "temperature" not in openai_server.requests[0].body
    with pytest.raises(ProviderError, match="temperature"):
        _ask(openai_server, "openai/gpt-5", {"temperature": 0.3, "drop_params": False})
    assert len(openai_server.requests) == 1
