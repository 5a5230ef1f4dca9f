"""What crosses the wire, over real sockets: redirects, bodies without end, compression, further requests."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from model_bench import Bench, spec
from openai_server import Answer, OpenAIServer, error

from akgflow.budget.ledger import Ledger
from akgflow.config.types import Budget, ReplyForm
from akgflow.models.base import Failure, ProviderError

PROVIDERS = ("openai", "hosted_vllm", "anthropic")
MIB = 1 << 20


@pytest.fixture
def elsewhere() -> Iterator[OpenAIServer]:
    server = OpenAIServer()
    yield server
    server.close()


def failed(bench: Bench) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        bench.once("the prompt")
    return caught.value


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_a_redirect_is_not_followed(
    status: int, host: str, provider: str, openai_server: OpenAIServer, elsewhere: OpenAIServer
) -> None:
    place = elsewhere.url.replace("127.0.0.1", host) + "/chat/completions?token=hunter2pw"
    openai_server.default = Answer(status=status, headers={"Location": place}, body="")
    base = openai_server.url if provider != "anthropic" else openai_server.url.removesuffix("/v1")
    bench = Bench(spec(base, model=f"{provider}/anything", retries=3), ledger=Ledger(Budget(tokens=100_000)))
    reason = failed(bench)
    assert reason.failure is Failure.REQUEST
    assert f"answered {status}, a redirect to {host}, which is not followed" in str(reason)
    assert "hunter2pw" not in str(reason)
    assert not elsewhere.requests and len(openai_server.requests) == 1
    assert bench.gateway.ledger.spent.tokens == 0


@pytest.mark.parametrize("params", [{}, {"stream": False}], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "place", ["", "/elsewhere", "http://[::1", "//127.0.0.2:9/v1", "http://user:hunter2pw@127.0.0.2:9/", "x" * 60_000]
)
def test_wherever_a_redirect_points(place: str, params: dict[str, Any], openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(status=307, headers={"Location": place[:7000]}, body="")
    reason = failed(Bench(spec(openai_server.url, params=params)))
    assert "answered 307, a redirect" in str(reason) and len(str(reason)) < 600
    assert "hunter2pw" not in str(reason) and len(openai_server.requests) == 1


def completion(text: str, **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    ).encode()


def in_one_piece(delta: dict[str, Any]) -> bytes:
    """A stream of one event that holds everything."""
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [{"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [one]} for one in (choice, end)]
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


LONG = "0123456789abcdef" * (20 * MIB // 16)
STREAM = "text/event-stream"
ENDLESS = {
    "whole": Answer(body=completion(LONG)),
    "one event": Answer(body=in_one_piece({"content": LONG}), content_type=STREAM),
    "many events": Answer(LONG, piece=1 << 16),
    "after reasoning": Answer(body=in_one_piece({"content": "pong", "reasoning_content": LONG}), content_type=STREAM),
    "beside calls of tools": Answer(
        body=in_one_piece(
            {"content": "pong", "tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": LONG}}]}
        ),
        content_type=STREAM,
    ),
    "whole, in another field": Answer(body=completion("pong", reasoning_content=LONG)),
}


@pytest.mark.parametrize(
    ("case", "params"),
    # What is asked for whole does not come as a stream.
    [(case, {}) for case in ENDLESS] + [(case, {"stream": False}) for case in ENDLESS if "whole" in case],
)
def test_of_a_reply_of_20_mb_no_more_is_kept_than_its_form_allows(
    case: str, params: dict[str, Any], openai_server: OpenAIServer
) -> None:
    openai_server.default = ENDLESS[case]
    ledger = Ledger(Budget(tokens=100_000))
    bench = Bench(spec(openai_server.url, params={"max_tokens": 1000, **params}, timeout=60.0), ledger=ledger)
    began = time.monotonic()
    reply = bench.once("p")
    assert time.monotonic() - began < 30.0
    assert len(reply.text.encode()) <= ReplyForm.max_bytes
    assert reply.finish_reason in ("too_long", "endless") or reply.text == "pong"
    assert any("cut off" in note or "the rest was dropped" in note for note in reply.notes) or reply.text == "pong"
    assert ledger.spent.tokens <= 1137


def test_a_body_without_end_is_left(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(body=completion("0" * (40 * MIB)))
    bench = Bench(spec(openai_server.url, params={"max_tokens": 100}, timeout=60.0), ledger=Ledger(Budget(tokens=9999)))
    reason = failed(bench)
    assert reason.failure is Failure.INVALID_RESPONSE and "sent more than 32 MiB in one reply" in str(reason)
    assert bench.gateway.ledger.spent.lost == 1


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_of_an_error_body_only_the_beginning_is_read(status: int, provider: str, openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(status=status, body="it says no. " + "0123456789abcdef" * (20 * MIB // 16))
    base = openai_server.url if provider != "anthropic" else openai_server.url.removesuffix("/v1")
    began = time.monotonic()
    reason = failed(Bench(spec(base, model=f"{provider}/anything", timeout=60.0)))
    assert time.monotonic() - began < 20.0
    assert f"answered {status}: it says no" in str(reason) and len(str(reason)) < 700


def test_a_header_without_end_is_a_failure(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(headers={"X-Long": "0" * (20 * MIB)})
    reason = failed(Bench(spec(openai_server.url, timeout=60.0)))
    assert len(str(reason)) < 700 and reason.failure in (Failure.CONNECTION, Failure.INVALID_RESPONSE)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_a_body_that_is_compressed_though_nobody_asked(coding: str, provider: str, openai_server: OpenAIServer) -> None:
    plain = completion("pong")
    body = {"gzip": gzip.compress(plain), "deflate": zlib.compress(plain)}.get(coding, plain)
    openai_server.default = Answer(body=body, headers={"Content-Encoding": coding})
    bench = Bench(spec(openai_server.url, model=f"{provider}/anything"))
    if coding in ("gzip", "deflate"):
        assert bench.once().text == "pong"
    else:
        assert "although plain text was asked for" in str(failed(bench))
    assert openai_server.requests[0].headers["accept-encoding"] == "identity"


def test_a_body_that_unfolds_without_end_is_left(openai_server: OpenAIServer) -> None:
    bomb = gzip.compress(completion("0" * (300 * MIB)), 1)
    openai_server.default = Answer(body=bomb, headers={"Content-Encoding": "gzip"})
    began = time.monotonic()
    reason = failed(Bench(spec(openai_server.url, timeout=60.0)))
    assert "sent more than" in str(reason) and time.monotonic() - began < 30.0


def test_a_refused_parameter_is_not_dropped_to_ask_again(openai_server: OpenAIServer) -> None:
    detail = [{"loc": ["body", "max_tokens"], "msg": "no such field"}]
    openai_server.default = Answer(status=422, body=json.dumps({"error": {"message": json.dumps({"detail": detail})}}))
    reason = failed(Bench(spec(openai_server.url, params={"max_tokens": 100})))
    assert reason.failure is Failure.REQUEST and "answered 422" in str(reason)
    assert [seen.body.get("max_tokens") for seen in openai_server.requests] == [100]


def test_nobody_else_is_watched(openai_server: OpenAIServer, elsewhere: OpenAIServer) -> None:
    """Other users of the same HTTP library in this process follow redirects as they always did."""
    import httpx

    Bench(spec(openai_server.url)).once()
    openai_server.default = Answer(status=307, headers={"Location": elsewhere.url}, body="")
    with httpx.Client(follow_redirects=True) as client:
        assert client.post(openai_server.url, json={"model": "x"}).status_code == 200
    assert len(elsewhere.requests) == 1


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_an_answer_after_an_error_is_read_as_ever(provider: str, openai_server: OpenAIServer) -> None:
    openai_server.script.extend([error(500, "oops"), replace(Answer(), hangup=True)])
    assert Bench(spec(openai_server.url, model=f"{provider}/anything", retries=2)).once().text == "pong"
