"""What the gateway adds to any provider: retries, fallbacks, limits, budget, accounting, cancellation."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from model_bench import Bench, call, spec
from openai_server import Answer, OpenAIServer, error

from akgflow.budget.ledger import Ledger, Spent
from akgflow.config.types import Budget, Price
from akgflow.errors import BudgetError, ConfigError
from akgflow.models.base import Failure, ProviderError
from akgflow.models.gateway import Backoff
from akgflow.models.recording import RecordedReply, write_recording

ANSWER = Answer("pong", usage=(10, 10))


@pytest.mark.parametrize("first", [error(429, "slow"), error(500, "oops"), Answer(hangup=True), Answer(body="{")])
def test_a_passing_failure_is_tried_again(first: Answer, openai_server: OpenAIServer) -> None:
    openai_server.script.extend([first, first])
    bench = Bench(spec(openai_server.url, retries=2))
    assert bench.once().text == "pong"
    assert len(openai_server.requests) == 3
    assert [f"retry {n} of 2" in said for n, said in enumerate(bench.said, 1)] == [True, True]


def test_retries_are_bounded(openai_server: OpenAIServer) -> None:
    openai_server.default = error(503, "overloaded")
    with pytest.raises(ProviderError, match=r"overloaded.*tried 3 times") as caught:
        Bench(spec(openai_server.url, retries=2)).once()
    assert caught.value.failure is Failure.SERVER
    assert len(openai_server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_lasting_failure_is_not_tried_again(status: int, openai_server: OpenAIServer) -> None:
    openai_server.default = error(status)
    with pytest.raises(ProviderError):
        Bench(spec(openai_server.url, retries=3)).once()
    assert len(openai_server.requests) == 1


def test_retry_after_is_kept(openai_server: OpenAIServer) -> None:
    openai_server.script.append(error(429, headers={"Retry-After": "0.6"}))
    Bench(spec(openai_server.url, retries=1)).once()
    first, second = openai_server.requests
    assert second.at - first.at >= 0.6


def test_a_long_retry_after_is_not_waited_for(openai_server: OpenAIServer) -> None:
    openai_server.default = error(429, headers={"Retry-After": "3600"})
    with pytest.raises(ProviderError, match="asks to wait 3600 s"):
        Bench(spec(openai_server.url, retries=3)).once()
    assert len(openai_server.requests) == 1


def test_backoff_grows_and_stays_in_its_bounds() -> None:
    backoff = Backoff(first=1.0, longest=8.0)
    for retry, most in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)]:
        pauses = {backoff.pause(retry, None) for _ in range(50)}
        assert all(most / 2 <= pause <= most for pause in pauses)
        assert len(pauses) > 1
    assert backoff.pause(1, 20.0) == 20.0


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_fallback_takes_over(status: int, openai_server: OpenAIServer) -> None:
    openai_server.models["first"] = error(status, "not today")
    first = spec(openai_server.url, model="openai/first", fallbacks=("second",), retries=1)
    second = spec(openai_server.url, name="second", model="openai/second")
    bench = Bench(first, second)
    reply = bench.once()
    assert (reply.text, reply.answered_by) == ("pong", "openai/second")
    assert f"answered {status}: not today" in reply.notes[-1]
    assert "second (openai/second) answered instead of default" in reply.notes[-1]
    assert openai_server.count("first") == (2 if status in {429, 500} else 1)
    assert openai_server.count("second") == 1
    assert "the next fallback is asked" in bench.said[-1]


def test_fallbacks_in_their_order_and_all_reasons(openai_server: OpenAIServer) -> None:
    for name in ("a", "b", "c"):
        openai_server.models[name] = error(500, f"{name} is down")
    models = [spec(openai_server.url, name=name, model=f"openai/{name}", fallbacks=("b", "c")) for name in "abc"]
    with pytest.raises(ProviderError, match=r"no model answered.*a is down.*b is down.*c is down"):
        Bench(*models).once(model="a")
    assert [seen.model for seen in openai_server.requests] == ["a", "b", "c"]


def test_no_more_calls_at_once_than_the_model_allows(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(delay=0.4)
    bench = Bench(spec(openai_server.url, max_parallel=3))

    async def main() -> None:
        await asyncio.gather(*(bench.ask(key=call(n)) for n in range(1, 10)))
        await bench.gateway.aclose()

    asyncio.run(main())
    assert len(openai_server.requests) == 9
    assert openai_server.peak == 3


def test_timeout_is_ours(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(hang=True)
    began = time.monotonic()
    with pytest.raises(ProviderError, match=r"gave no answer within 0\.5 s"):
        Bench(spec(openai_server.url, timeout=0.5, retries=1)).once()
    assert time.monotonic() - began < 5.0
    assert len(openai_server.requests) == 2


def test_cancellation_ends_a_call_at_once(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(hang=True)
    bench = Bench(spec(openai_server.url, timeout=60, retries=4), ledger=Ledger(Budget(tokens=100_000)))

    async def main() -> None:
        asking = asyncio.create_task(bench.ask())
        while not openai_server.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asking, 5)
        await bench.gateway.aclose()

    asyncio.run(main())
    assert bench.gateway.ledger.reserved.tokens == 0
    assert len(openai_server.requests) == 1


PROMPT = 137
"""What the prompt ``p`` may take at most: a token, 8 for its message, 128 for a chat template."""


def test_the_token_ceiling_holds_with_eight_calls_in_flight(openai_server: OpenAIServer) -> None:
    # A call may take 237 tokens and takes all of it: four fit into 1,000, the fifth does not.
    openai_server.default = Answer(usage=(PROMPT, 100), delay=0.02)
    ledger = Ledger(Budget(tokens=1000))
    bench = Bench(spec(openai_server.url, params={"max_tokens": 100}, max_parallel=8), ledger=ledger)
    assert sorted(_many(bench, 20)) == ["BudgetError"] * 16 + ["pong"] * 4
    assert ledger.spent.tokens == 4 * 237
    assert len(openai_server.requests) == 4


def test_the_dollar_ceiling_holds_with_eight_calls_in_flight(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(usage=(9, 100), delay=0.02)
    ledger = Ledger(Budget(usd=0.01))
    price = Price(10.0, 20.0)  # a call may cost $0.00337 and costs 9 * 10e-6 + 100 * 20e-6 = $0.00209: four fit
    bench = Bench(spec(openai_server.url, params={"max_tokens": 100}, max_parallel=8, price=price), ledger=ledger)
    assert sorted(_many(bench, 12)) == ["BudgetError"] * 8 + ["pong"] * 4
    assert ledger.spent.usd == pytest.approx(4 * 0.00209)
    assert ledger.spent.usd <= 0.01


FLOOD = Answer("word " * 3000, usage=(5_000_000, 9_000_000), piece=5, pause=0.0005)
"""3,000 tokens where 100 were asked for, and a bill of millions."""
OVERDOING = {
    "streams far more than asked and bills millions": (FLOOD, {}),
    "streams it in three pieces": (replace(FLOOD, piece=5000), {}),
    "streams what was asked and bills millions": (replace(FLOOD, text="word " * 90), {}),
    "streams far more and gives no figures": (replace(FLOOD, usage=None), {}),
    "sends it whole": (FLOOD, {"stream": False}),
    "sends it whole though a stream was asked for": (replace(FLOOD, streams=False), {}),
}


@pytest.mark.parametrize("case", OVERDOING)
@pytest.mark.parametrize("budget", [Budget(tokens=1000), Budget(usd=0.01)], ids=["tokens", "dollars"])
def test_a_provider_that_answers_far_more_than_asked_never_takes_the_ledger_over(
    case: str, budget: Budget, openai_server: OpenAIServer
) -> None:
    openai_server.default, params = OVERDOING[case]
    ledger = Ledger(budget)
    # Eight calls of 237 tokens and $0.00337 at most would not fit: four and two do, at once.
    price = Price(10.0, 20.0)
    params = {"max_tokens": 100, **params}
    bench = Bench(spec(openai_server.url, params=params, max_parallel=8, price=price), ledger=ledger)
    answers, notes, highest = _watched(bench, 20)
    assert set(answers) >= {"BudgetError"} and len(openai_server.requests) <= 8
    assert all(seen.body["max_tokens"] == 100 for seen in openai_server.requests)
    assert budget.tokens is None or 0 < highest.tokens <= budget.tokens
    assert budget.usd is None or 0 < highest.usd <= budget.usd
    claimed = openai_server.default.usage is not None and "no figures" not in case
    if "bills millions" in case or "whole" in case:
        assert claimed and any("claims" in note or "went on beyond" in note for note in notes)
    if case == "streams far more than asked and bills millions":
        assert all("cut off" in note for note in notes) and notes
        # Each stream was left off soon after the hundredth piece of three thousand.
        assert openai_server.pieces < 600 * len(openai_server.requests)
    if case == "streams what was asked and bills millions":
        assert ledger.spent.excess > 1_000_000 and "$" in notes[0]


def _watched(bench: Bench, calls: int) -> tuple[list[str], list[str], Spent]:
    """Many calls at once; how each ended, the notes, and the most that the ledger ever held, spent and in flight."""
    notes: list[str] = []
    highest = Spent()

    async def one(number: int) -> str:
        try:
            reply = await bench.ask("p", key=call(number))
        except BudgetError:
            return "BudgetError"
        notes.extend(reply.notes)
        return reply.finish_reason

    async def watch() -> None:
        nonlocal highest
        ledger = bench.gateway.ledger
        while True:
            tokens = ledger.spent.tokens + ledger.reserved.tokens
            usd = ledger.spent.usd + ledger.reserved.usd
            highest = Spent(prompt_tokens=max(highest.tokens, tokens), usd=max(highest.usd, usd))
            await asyncio.sleep(0.001)

    async def main() -> list[str]:
        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(*(one(n) for n in range(1, calls + 1)))
        watching.cancel()
        await bench.gateway.aclose()
        return list(answers)

    return asyncio.run(main()), notes, highest


NO_END = {
    "never an answer": Answer(hang=True),
    "a stall in the middle": Answer("word " * 40, piece=5, stalls=25),
    "a stall before the first piece": Answer("word " * 40, piece=5, stalls=0),
    "closed without a byte": Answer(hangup=True),
    "half a body": Answer(sent=40),
    "a stream that breaks off": Answer("word " * 40, piece=5, sent=20),
    "no chat completion": Answer(body="<html>Log in</html>", content_type="text/html"),
    "a proxy that gave up": error(504, "upstream timed out"),
}


@pytest.mark.parametrize("params", [{}, {"stream": False}], ids=["stream", "whole"])
@pytest.mark.parametrize("case", NO_END)
def test_a_call_whose_end_is_unknown_counts_at_what_was_reserved(
    case: str, params: dict[str, Any], openai_server: OpenAIServer
) -> None:
    openai_server.script.append(NO_END[case])
    ledger = Ledger(Budget(tokens=100_000, usd=5.0))
    model = spec(
        openai_server.url, timeout=1.0, retries=1, params={"max_tokens": 100, **params}, price=Price(10.0, 20.0)
    )
    bench = Bench(model, ledger=ledger)
    assert bench.once("p").text in ("pong", "word " * 40)
    lost = bench.lost
    if case.startswith("a stall") and params:
        # What is not streamed cannot stall in this server: it is a plain reply.
        assert not lost and ledger.spent.lost == 0
        return
    ((step, model_id, usage),) = [(one.step, one.model, one.usage) for one in lost]
    assert (step, model_id) == ("triton-cpu.code", "openai/anything")
    assert usage is not None and usage.estimated
    assert (usage.prompt_tokens, usage.completion_tokens) == (PROMPT, 100)
    assert usage.cost == pytest.approx((PROMPT * 10 + 100 * 20) / 1e6)
    assert (ledger.spent.calls, ledger.spent.lost, ledger.reserved.tokens) == (2, 1, 0)
    assert ledger.spent.tokens == PROMPT + 100 + 11 + 7


REFUSALS = [error(400), error(401), error(403), error(404), error(422), error(429), error(500), error(503), error(529)]


@pytest.mark.parametrize("answer", REFUSALS, ids=lambda answer: str(answer.status))
def test_a_call_that_a_server_refuses_takes_nothing(answer: Answer, openai_server: OpenAIServer) -> None:
    openai_server.default = answer
    bench = Bench(spec(openai_server.url, retries=2), ledger=Ledger(Budget(tokens=100_000)))
    with pytest.raises(ProviderError):
        bench.once()
    assert (bench.gateway.ledger.spent, bench.gateway.ledger.reserved.tokens, bench.lost) == (Spent(), 0, [])


def test_a_server_that_is_not_there_takes_nothing() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        bench = Bench(spec(f"http://127.0.0.1:{held.getsockname()[1]}/v1"), ledger=Ledger(Budget(tokens=100_000)))
        with pytest.raises(ProviderError):
            bench.once()
    assert (bench.gateway.ledger.spent, bench.lost) == (Spent(), [])


def test_an_empty_reply_counts_at_what_the_provider_says(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer("", usage=(30, 5))
    bench = Bench(spec(openai_server.url), ledger=Ledger(Budget(tokens=100_000)))
    with pytest.raises(ProviderError, match="an empty reply"):
        bench.once()
    assert (bench.gateway.ledger.spent.tokens, bench.gateway.ledger.spent.lost) == (35, 1)


def test_retries_of_calls_without_an_end_stop_at_the_ceiling(openai_server: OpenAIServer) -> None:
    # 237 tokens each: four fit into 1,000, whatever the number of retries.
    openai_server.default = Answer(hangup=True)
    bench = Bench(spec(openai_server.url, retries=9, params={"max_tokens": 100}), ledger=Ledger(Budget(tokens=1000)))
    with pytest.raises(BudgetError):
        bench.once("p")
    assert len(openai_server.requests) == 4 and bench.gateway.ledger.spent.tokens == 4 * 237


def test_a_cancelled_call_counts_at_what_was_reserved(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer("word " * 40, piece=5, stalls=0)
    bench = Bench(spec(openai_server.url, params={"max_tokens": 100}), ledger=Ledger(Budget(tokens=1000)))

    async def main() -> None:
        asking = asyncio.create_task(bench.ask("p"))
        while not openai_server.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await bench.gateway.aclose()

    asyncio.run(main())
    assert bench.gateway.ledger.spent.tokens == 237 and bench.lost[0].reason == "CancelledError"


@pytest.mark.parametrize("asked", ["1e9", "1000000000", "inf", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400])
def test_an_endless_retry_after_is_not_waited_for(asked: str, openai_server: OpenAIServer) -> None:
    openai_server.default = error(429, headers={"Retry-After": asked})
    with pytest.raises(ProviderError, match=r"asks to wait .* which is too long to wait for"):
        Bench(spec(openai_server.url, retries=3)).once()
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize(
    "asked",
    ["-5", "-1e300", "-inf", "nan", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 Foo 99999999999 25:61"],
)
def test_a_retry_after_that_makes_no_sense_is_no_pause(asked: str, openai_server: OpenAIServer) -> None:
    openai_server.script.append(error(429, headers={"Retry-After": asked}))
    assert Bench(spec(openai_server.url, retries=1)).once().text == "pong"
    first, second = openai_server.requests
    assert second.at - first.at < 3.0


def test_calls_wait_for_room_instead_of_failing(openai_server: OpenAIServer) -> None:
    # Each reserves 1,137 tokens of 2,500 and takes 20: only two are in flight at once, and all twelve fit.
    openai_server.default = Answer(usage=(10, 10), delay=0.02)
    ledger = Ledger(Budget(tokens=2500))
    bench = Bench(spec(openai_server.url, params={"max_tokens": 1000}, max_parallel=8), ledger=ledger)
    assert _many(bench, 12) == ["pong"] * 12
    assert openai_server.peak <= 2
    assert ledger.spent.tokens == 240


def _many(bench: Bench, calls: int) -> list[str]:
    async def one(number: int) -> str:
        try:
            return (await bench.ask("p", key=call(number))).text
        except BudgetError:
            return "BudgetError"

    async def main() -> list[str]:
        answers = await asyncio.gather(*(one(n) for n in range(1, calls + 1)))
        await bench.gateway.aclose()
        return list(answers)

    return asyncio.run(main())


def test_failed_calls_give_their_room_back(openai_server: OpenAIServer) -> None:
    openai_server.default = error(500)
    ledger = Ledger(Budget(tokens=20_000))
    with pytest.raises(ProviderError):
        Bench(spec(openai_server.url, retries=3), ledger=ledger).once()
    assert (ledger.spent.calls, ledger.reserved.tokens) == (0, 0)


def test_the_minutes_end_a_call_in_flight(openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(hang=True)
    with pytest.raises(BudgetError, match="minutes"):
        Bench(spec(openai_server.url, timeout=60, retries=4), ledger=Ledger(Budget(minutes=0.01))).once()


@pytest.mark.parametrize("usd", [0.0, 1.0])
def test_a_model_without_a_price_is_not_asked_under_a_ceiling_in_dollars(
    usd: float, openai_server: OpenAIServer
) -> None:
    bench = Bench(spec(openai_server.url), ledger=Ledger(Budget(usd=usd)))
    with pytest.raises(ConfigError, match=r"no price is known for openai/anything.*models\.default"):
        bench.once()
    assert not openai_server.requests


def test_a_price_that_is_said_to_be_unknown_is_not_counted_and_named(openai_server: OpenAIServer) -> None:
    bench = Bench(spec(openai_server.url, price="unknown"), ledger=Ledger(Budget(usd=0.0)))
    reply = bench.once()
    assert (reply.text, reply.usage.cost) == ("pong", None)
    assert reply.notes == ("budget.usd does not count openai/anything: models.default says that its price is unknown",)
    assert bench.gateway.ledger.spent.unpriced == 1


def test_what_the_provider_read_from_its_cache_costs_what_the_price_says(openai_server: OpenAIServer) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 80}}
    openai_server.default = Answer(usage=usage)
    cost = Bench(spec(openai_server.url, price=Price(10.0, 50.0, 1.0))).once().usage.cost
    assert cost == pytest.approx((20 * 10 + 80 * 1 + 10 * 50) / 1e6)


def test_a_replay_counts_its_tokens_and_not_its_dollars(tmp_path: Path) -> None:
    _record(tmp_path, attempts=3, tokens=(40, 60), cost=5.0)
    ledger = Ledger(Budget(tokens=250, usd=1.0))
    bench = Bench(spec(model="recorded/tape"), recordings=tmp_path, ledger=ledger)
    assert _many(bench, 3) == ["text", "text", "BudgetError"]
    assert (ledger.spent.tokens, ledger.spent.usd, ledger.spent.unpriced) == (200, 0.0, 0)


def test_a_missing_recording_never_becomes_a_paid_call(openai_server: OpenAIServer, tmp_path: Path) -> None:
    _record(tmp_path, attempts=1, tokens=(1, 1), cost=None)
    first = spec(model="recorded/tape", fallbacks=("live",))
    bench = Bench(first, spec(openai_server.url, name="live"), recordings=tmp_path)
    assert bench.once(key=call(1)).text == "text"
    with pytest.raises(ProviderError) as caught:
        bench.once(key=call(2))
    assert caught.value.failure is Failure.NO_RECORDING
    assert not openai_server.requests


def _record(folder: Path, *, attempts: int, tokens: tuple[int, int], cost: float | None) -> None:
    entries = [
        RecordedReply("triton-cpu", "code", n, 1, "coder", 0, "m", "print", *tokens, cost, False, "stop", "text")
        for n in range(1, attempts + 1)
    ]
    write_recording(folder / "t.tape.yaml", "t", entries)
