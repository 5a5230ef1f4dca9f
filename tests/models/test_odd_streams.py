"""Whatever a server streams: the reply is kept or a documented failure raised, and the ledger holds.

Streams are generated from a seed. All of them are read in this process; a part goes over a real socket and through
litellm, by two of its clients.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from model_bench import Bench, call, spec
from openai_server import Answer, OpenAIServer
from sampling import sampled

from akgflow.budget.ledger import Ledger
from akgflow.config.types import Budget, Price
from akgflow.models import _events
from akgflow.models._events import BodyRefused, Tidier, as_count
from akgflow.models.base import Failure, Meter, ProviderError

TEXT = 'Kernel: größer ≥ 中文 🎉 {x} `code`\n\tdata: [DONE] \\ "quoted" \u2028 end. '
ODD = [
    *(None, 0, 1, 7, 12.0, 12.5, -1, -3.0, 1e9, 1e300, 10**12, 10**13, 10**40, 10**5000),
    *("12", "", "many", True, False, [], [1], {}, {"a": 1}),
]
HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
RESERVED = 4137 + 128


@dataclass
class Made:
    """One generated stream: its bytes, the text of choice 0, and whether it says that it is complete."""

    body: bytes
    text: str
    complete: bool
    claims: bool = False
    others: bool = False
    broken: bool = field(default=False)


def dumps(value: Any) -> bytes:
    # The standard library refuses to write what it refuses to read.
    return json.dumps(value, ensure_ascii=False).encode()


def number(dice: random.Random) -> Any:
    return dice.choice([one for one in ODD if not isinstance(one, int) or one < 10**40 or isinstance(one, bool)])


def usage(dice: random.Random) -> Any:
    if dice.random() < 0.25:
        return dice.choice([None, "many", 12, [], [1, 2], {}, True])
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    figures = {name: number(dice) if dice.random() < 0.5 else dice.randrange(1, 900) for name in names}
    if dice.random() < 0.4:
        figures["prompt_tokens_details"] = dice.choice([None, "x", 5, {"cached_tokens": number(dice)}])
    if dice.random() < 0.4:
        figures["completion_tokens_details"] = dice.choice([None, [], {"reasoning_tokens": number(dice)}])
    if dice.random() < 0.2:
        figures["queue_time"] = 0.25
    return figures


def claims(figures: Any) -> bool:
    told = figures if isinstance(figures, dict) else {}
    return any((as_count(told.get(name)) or 0) > 100 for name in ("prompt_tokens", "completion_tokens"))


def event(dice: random.Random, data: Any, end: bytes) -> bytes:
    noise = b"".join(
        line + end
        for line in (b": ping", b"id: 7", b"retry: 5", b"event: message", b"unknown: x", b":")
        if dice.random() < 0.1
    )
    extra = b": keep alive" + end + end if dice.random() < 0.1 else b""
    space = b" " if dice.random() < 0.8 else b""
    return extra + noise + b"data:" + space + (data if isinstance(data, bytes) else dumps(data)) + end + end


def made(seed: int) -> Made:
    dice = random.Random(seed)
    end = dice.choice([b"\n", b"\n", b"\r\n", b"\r"])
    index = dice.choice([0, 0, 0, 0.0, "0", None])
    pieces = [TEXT[i : i + size] for size in [dice.randrange(1, 9)] for i in range(0, len(TEXT), size)]
    several, events, told = dice.random() < 0.4, [], []
    for piece in pieces:
        choices: list[Any] = [{"index": index, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}]
        if several:
            other = {"index": dice.choice([1, 2, 1.0, "1"]), "delta": {"content": "NO "}, "finish_reason": None}
            choices.insert(dice.randrange(2), other)
        if several and dice.random() < 0.5:
            events += [{**HEAD, "choices": [one]} for one in choices]
        else:
            events.append({**HEAD, "choices": choices})
        if dice.random() < 0.1:
            events.append({**HEAD, "choices": dice.choice([[], [], None])})
        if dice.random() < 0.15:
            events[-1]["usage"] = usage(dice)
            told.append(events[-1]["usage"])
    if several:
        events.insert(
            dice.randrange(len(events)), {**HEAD, "choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}
        )
    complete = dice.random() < 0.9
    if complete:
        events.append({**HEAD, "choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]})
    if dice.random() < 0.7:
        told.append(usage(dice))
        events.append({**HEAD, "choices": [], "usage": told[-1]})
    raw = [event(dice, one, end) for one in events]
    broken = dice.random() < 0.1
    if broken:
        raw.insert(dice.randrange(len(pieces)), event(dice, dice.choice([b"{nonsense", b"<html>", b"[1", b"nul"]), end))
    done = dice.random() < 0.7
    tail = b"data: [DONE]" + end + end if done else b""
    if complete and dice.random() < 0.2:
        tail = event(dice, b"{half an event", end) + tail
    start = b"\xef\xbb\xbf" if dice.random() < 0.1 else b""
    return Made(start + b"".join(raw) + tail, TEXT, complete or done, any(map(claims, told)), several, broken)


async def split(body: bytes, dice: random.Random) -> AsyncIterator[bytes]:
    """The bytes in pieces that end anywhere, in the middle of a character or of a line's end too."""
    at = 0
    while at < len(body):
        size = dice.choice([1, 2, 3, 7, 64, 1000])
        yield body[at : at + size]
        at += size


async def read(body: bytes, seed: int) -> tuple[str, Tidier, list[dict[str, Any]]]:
    tidier = Tidier(Meter())
    out = b"".join([one async for one in tidier.tidied(split(body, random.Random(seed)), "text/event-stream")])
    found = [line.removeprefix(b"data: ") for line in out.split(b"\n") if line.startswith(b"data: ")]
    events = [json.loads(one) for one in found if one != b"[DONE]"]
    choices = [choice for one in events for choice in one.get("choices") or []]
    assert all(line == b"" or line.startswith((b"data: ", b"event:")) for line in out.split(b"\n"))
    return "".join(choice.get("delta", {}).get("content") or "" for choice in choices), tidier, events


@pytest.mark.parametrize("block", sampled(range(10), 0, 1, 2))
def test_every_stream_is_made_readable(block: int) -> None:
    for seed in range(block * 200, block * 200 + 200):
        one = made(seed)
        try:
            text, tidier, events = asyncio.run(read(one.body, seed))
        except BodyRefused as refused:
            assert one.broken and "an event that is not JSON" in str(refused), seed
            continue
        assert not one.broken and text == one.text, seed
        assert (tidier.others > 0) is one.others, seed
        for found in events:
            figures = found.get("usage")
            assert figures is None or isinstance(figures, dict), seed
            for name, value in (figures or {}).items():
                assert "token" not in name or value is None or isinstance(value, dict | int), (seed, name, value)


@pytest.mark.thorough
@pytest.mark.parametrize("provider", sampled(["openai", "hosted_vllm"], "openai"))
def test_every_stream_over_the_wire(provider: str, openai_server: OpenAIServer) -> None:
    ledger = Ledger(Budget(tokens=10**16, usd=10**12))
    model = spec(
        openai_server.url, model=f"{provider}/m", params={"max_tokens": 4000}, price=Price(1.0, 2.0), timeout=60
    )
    bench = Bench(model, ledger=ledger)

    async def one(seed: int) -> None:
        stream = made(seed)
        openai_server.default = Answer(body=stream.body, content_type="text/event-stream")
        before = ledger.spent.tokens
        try:
            reply = await bench.ask("p", key=call(seed + 1))
        except ProviderError as failed:
            assert stream.broken or not stream.complete, (seed, failed)
            assert failed.failure in (Failure.INVALID_RESPONSE, Failure.CONNECTION), (seed, failed)
            assert before < ledger.spent.tokens <= before + RESERVED, seed
            return
        assert reply.text == stream.text and not stream.broken, seed
        assert any("more replies than" in note for note in reply.notes) is stream.others, seed
        took = reply.usage
        assert took.prompt_tokens > 0 and 0 < took.completion_tokens <= 4000 and took.tokens <= took.reserved, seed
        assert ledger.spent.tokens == before + took.tokens, seed
        assert took.cost is not None and took.cost * 1e6 <= took.reserved * 2, seed
        assert not took.excess or (stream.claims and any("claims" in note for note in reply.notes)), seed

    async def main() -> None:
        try:
            for seed in range(5000, 5150):
                await one(seed)
        finally:
            await bench.gateway.aclose()

    asyncio.run(main())
    assert ledger.reserved.tokens == 0 and len(openai_server.requests) == 150


WHOLE = [{"usage": {"prompt_tokens": one, "completion_tokens": one, "total_tokens": one}} for one in ODD[:-10]] + [
    {"usage": one} for one in (None, "many", 7, [], {}, True)
]


@pytest.mark.parametrize("params", [{}, {"stream": False}], ids=["stream", "whole"])
def test_odd_figures_of_whole_replies(params: dict[str, Any], openai_server: OpenAIServer) -> None:
    bench = Bench(spec(openai_server.url, params=params), ledger=Ledger(Budget(tokens=10**16)))

    async def all_of_them() -> None:
        for number, odd in enumerate(WHOLE, 1):
            choices = [
                {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                for at, text in ((1, "NO"), (0, "pong"))
            ]
            body = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": choices, **odd})
            openai_server.default = Answer(body=body)
            reply = await bench.ask("p", key=call(number))
            assert reply.text == "pong" and reply.usage.tokens <= reply.usage.reserved, odd
            assert any("more replies than" in note for note in reply.notes), odd
            assert not reply.usage.excess or any("claims" in note for note in reply.notes), odd

    async def main() -> None:
        try:
            await all_of_them()
        finally:
            await bench.gateway.aclose()

    asyncio.run(main())


def test_a_number_of_five_thousand_digits_costs_no_reply(openai_server: OpenAIServer) -> None:
    digits = "9" * 5000
    chunk = {**HEAD, "choices": [{"index": 0, "delta": {"content": "pong"}, "finish_reason": "stop"}], "usage": "N"}
    counts = f'{{"prompt_tokens": {digits}, "completion_tokens": {digits}, "total_tokens": {digits}}}'
    body = b"data: " + dumps(chunk).replace(b'"N"', counts.encode()) + b"\n\ndata: [DONE]\n\n"
    openai_server.default = Answer(body=body, content_type="text/event-stream")
    reply = Bench(spec(openai_server.url)).once()
    assert (reply.text, reply.usage.estimated) == ("pong", True)
    assert "figures of usage that are no counts" in reply.notes[-1]


@pytest.mark.parametrize("tail", ["hang", "break", "half a line"])
def test_a_complete_reply_is_kept_whatever_the_connection_does_then(
    tail: str, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_events, "_GRACE", 0.3)
    # Four characters a piece, then the reason to end: what comes after it does not come.
    text = "word " * 40
    stalls = None if tail == "half a line" else len(text) // 4 + 1
    openai_server.default = Answer(text, stalls=stalls, breaks=tail == "break", usage={"x": "y" * 40})
    reply = Bench(spec(openai_server.url, timeout=20.0)).once()
    assert (reply.text, reply.finish_reason) == (text, "stop")


def test_a_line_of_ten_megabytes_is_read(openai_server: OpenAIServer) -> None:
    comment = b":" + b"x" * (10 << 20) + b"\n\n"
    chunk = {**HEAD, "padding": "x" * (10 << 20)}
    chunk["choices"] = [{"index": 0, "delta": {"content": "pong"}, "finish_reason": "stop"}]  # type: ignore[assignment]
    body = comment + b"data: " + dumps(chunk) + b"\n\n"
    openai_server.default = Answer(body=body, content_type="text/event-stream")
    assert Bench(spec(openai_server.url, timeout=60.0)).once().text == "pong"
