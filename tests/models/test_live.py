"""Real providers through litellm, over a real socket: replies, and every way in which there is none."""

from __future__ import annotations

import os
import socket

import pytest
from model_bench import Bench, spec
from openai_server import Answer, OpenAIServer, error

from akgflow.config.types import Price
from akgflow.models.base import Failure, ProviderError

SECRET = "sk-live-3f9a7c21d4e8b605"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if "API_KEY" in name or name.startswith(("OPENAI_", "LITELLM_")):
            monkeypatch.delenv(name)


def _fail(*specs: object, **kwargs: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        Bench(*specs).once(**kwargs)  # type: ignore[arg-type]
    return caught.value


def test_reply_with_its_usage(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer("pong", usage=(11, 7))
    params = {"temperature": 0.2, "max_tokens": 50, "seed": 3}
    reply = Bench(spec(openai_server.url, params=params)).once("ping")
    assert (reply.text, reply.origin, reply.answered_by) == ("pong", "live", "openai/anything")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.estimated) == (11, 7, False)
    assert reply.usage.cost is None  # nobody has a price for this model, and that is no error
    seen = openai_server.requests[0]
    assert seen.path == "/v1/chat/completions"
    assert {name: seen.body[name] for name in ("model", *params)} == {"model": "anything", **params}
    assert seen.body["messages"] == [{"role": "user", "content": "ping"}]


def test_price_in_yaml_and_list_price(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(usage=(1000, 500))
    own = Bench(spec(openai_server.url, price=Price(2.0, 8.0))).once()
    assert own.usage.cost == pytest.approx(0.002 + 0.004)
    listed = Bench(spec(openai_server.url, model="openai/gpt-4o")).once()
    assert listed.usage.cost == pytest.approx(1000 * 2.5e-6 + 500 * 1e-5)


def test_usage_is_estimated_where_the_server_gives_none(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer("x" * 300, usage=None)
    usage = Bench(spec(openai_server.url)).once("y" * 30).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (10, 100, True)


def test_the_key_comes_from_the_named_variable(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    Bench(spec(openai_server.url, api_key_env="MY_KEY")).once()
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {SECRET}"


def test_a_named_variable_that_is_not_set(openai_server: OpenAIServer) -> None:
    failed = _fail(spec(openai_server.url, api_key_env="MY_KEY"))
    assert failed.failure is Failure.AUTH
    assert "MY_KEY" in str(failed)
    assert not openai_server.requests


def test_a_local_server_needs_no_key(openai_server: OpenAIServer) -> None:
    assert Bench(spec(openai_server.url)).once().text == "pong"


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"])
def test_no_key_and_no_local_server(model: str) -> None:
    failed = _fail(spec(model=model))
    assert failed.failure is Failure.AUTH
    assert "API_KEY in the environment" in str(failed)


def test_a_reply_cut_off_at_max_tokens_is_still_a_reply(openai_server: OpenAIServer) -> None:
    openai_server.script.extend([Answer("half a th", finish_reason="length"), Answer("", finish_reason="length")])
    replies = [Bench(spec(openai_server.url)).once() for _ in range(2)]
    assert [(r.text, r.finish_reason) for r in replies] == [("half a th", "length"), ("", "length")]


COMPLETION = '{"id": "1", "object": "chat.completion", "model": "m", "choices": %s}'
FAILURES = {
    "401": (error(401, "bad key"), Failure.AUTH, "answered 401: bad key"),
    "403": (error(403, "not yours"), Failure.AUTH, "answered 403: not yours"),
    "402": (error(402, "pay first"), Failure.AUTH, "answered 402: pay first"),
    "404 unknown model": (error(404, "no model anything"), Failure.REQUEST, "answered 404: no model anything"),
    "400": (error(400, "temperature is wrong"), Failure.REQUEST, "answered 400: temperature is wrong"),
    "422": (error(422, "no such field"), Failure.REQUEST, "answered 422: no such field"),
    "429": (error(429, "slow down"), Failure.RATE_LIMIT, "answered 429: slow down"),
    "429 without credit": (error(429, "no more", code="insufficient_quota"), Failure.AUTH, "insufficient_quota"),
    "500": (error(500, "oops"), Failure.SERVER, "answered 500: oops"),
    "503": (error(503, "overloaded"), Failure.SERVER, "answered 503: overloaded"),
    "529": (error(529, "overloaded"), Failure.SERVER, "answered 529: overloaded"),
    "502 from a proxy": (
        Answer(status=502, body="<html><h1>Bad gateway</h1></html>", content_type="text/html"),
        Failure.SERVER,
        "answered 502: Bad gateway",
    ),
    "never an answer": (Answer(hang=True), Failure.TIMEOUT, "gave no answer within 0.8 s"),
    "closed without a byte": (Answer(hangup=True), Failure.CONNECTION, "disconnected"),
    "half a body": (Answer(sent=40), Failure.CONNECTION, "broke off"),
    "html": (Answer(body="<html>Log in</html>", content_type="text/html"), Failure.INVALID_RESPONSE, "Log in"),
    "broken json": (Answer(body="{nonsense"), Failure.INVALID_RESPONSE, "not a chat completion"),
    "an empty body": (Answer(body=""), Failure.INVALID_RESPONSE, "not a chat completion"),
    "a list": (Answer(body="[1, 2]"), Failure.INVALID_RESPONSE, "not a chat completion"),
    "an empty object": (Answer(body="{}"), Failure.INVALID_RESPONSE, "not a chat completion"),
    "choices null": (Answer(body=COMPLETION % "null"), Failure.INVALID_RESPONSE, "not a chat completion"),
    "no choices": (Answer(body=COMPLETION % "[]"), Failure.INVALID_RESPONSE, "no choices"),
    "an error inside a 200": (
        Answer(body='{"error": {"message": "overloaded"}}'),
        Failure.INVALID_RESPONSE,
        "overloaded",
    ),
    "empty content": (Answer(""), Failure.INVALID_RESPONSE, "an empty reply"),
    "null content": (Answer(None), Failure.INVALID_RESPONSE, "an empty reply"),
    "half a stream": (
        Answer(body='data: {"choices": [{"delta": {"content": "po', content_type="text/event-stream"),
        Failure.INVALID_RESPONSE,
        "an event that is not JSON",
    ),
    "a stream that breaks off": (Answer("x" * 200, sent=20), Failure.CONNECTION, "broke off"),
    "a stream that stalls": (Answer("x" * 200, stalls=9), Failure.TIMEOUT, "gave no answer within 0.8 s"),
    "content filter": (Answer("", finish_reason="content_filter"), Failure.REQUEST, "content filter"),
}


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
@pytest.mark.parametrize("case", FAILURES)
def test_failure(case: str, provider: str, openai_server: OpenAIServer) -> None:
    answer, failure, words = FAILURES[case]
    openai_server.default = answer
    timeout = 0.8 if failure is Failure.TIMEOUT else 10.0
    failed = _fail(spec(openai_server.url, model=f"{provider}/anything", timeout=timeout))
    message = str(failed)
    assert (failed.failure, words in message) == (failure, True), message
    assert message.startswith(f"model default ({provider}/anything)")
    assert failed.failure is Failure.REQUEST or openai_server.url in message
    assert "\n" not in message and "Traceback" not in message and "litellm" not in message
    assert len(message) < 600
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("status, failure", [(401, Failure.AUTH), (429, Failure.RATE_LIMIT), (529, Failure.SERVER)])
def test_failure_in_another_protocol(status: int, failure: Failure, openai_server: OpenAIServer) -> None:
    openai_server.default = error(status, "said so", headers={"Retry-After": "7"})
    failed = _fail(spec(openai_server.url.removesuffix("/v1"), model="anthropic/anything"))
    assert (failed.failure, failed.retry_after) == (failure, 7.0)
    assert f"answered {status}: said so" in str(failed)


def test_connection_refused() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        failed = _fail(spec(f"http://127.0.0.1:{port}/v1"))
    assert failed.failure is Failure.CONNECTION
    assert f"http://127.0.0.1:{port}/v1 cannot be reached" in str(failed)


@pytest.mark.parametrize("model", ["nonesuch/anything", "anything"])
def test_a_provider_that_litellm_does_not_know(model: str) -> None:
    failed = _fail(spec(model=model))
    assert failed.failure is Failure.REQUEST
    assert "check models.default in agents.yaml" in str(failed)


@pytest.mark.parametrize(
    "answer",
    [
        error(401, f"Incorrect API key provided: {SECRET}"),
        error(500, f"upstream said Authorization: Bearer {SECRET}"),
        Answer(status=400, body=f"header {SECRET} " + "x" * 5000),
        Answer(body=f"<html>{'x' * 270} {SECRET}</html>", content_type="text/html"),
    ],
)
@pytest.mark.parametrize("name", ["MY_KEY", "OPENAI_API_KEY"])
def test_no_key_in_any_message(
    answer: Answer, name: str, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, SECRET)
    openai_server.default = answer
    one = Bench(spec(openai_server.url, api_key_env="MY_KEY" if name == "MY_KEY" else None, retries=1))
    with pytest.raises(ProviderError) as caught:
        one.once()
    assert openai_server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    everything = "\n".join([str(caught.value), repr(caught.value), *one.said])
    assert SECRET[:12] not in everything
    # A traceback shows the causes too.
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)
