"""The gateway to all models: limits, retries, fallbacks, budget and accounting for every provider."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from akgflow.budget.ledger import Ledger, Reservation
from akgflow.budget.outstanding import CallLog, Outstanding, reserved_usage
from akgflow.budget.request import refusals
from akgflow.budget.usage import AbortedSpend, Estimate, Usage
from akgflow.config.types import ModelSpec, ReplyForm
from akgflow.errors import ConfigError
from akgflow.models.base import (
    TOO_LONG,
    CallKey,
    Failure,
    Message,
    Meter,
    ModelReply,
    ModelRequest,
    Provider,
    ProviderError,
)
from akgflow.models.local.manual import ManualProvider
from akgflow.models.local.session import Session
from akgflow.models.prices import price_of
from akgflow.models.recorded import RecordedProvider
from akgflow.models.sizes import estimate_of, with_more_room


@dataclass(frozen=True)
class Backoff:
    """Seconds between transport retries: ``first``, doubled each time up to ``longest``, each with jitter.

    A server that asks for a longer pause than ``patience`` is not waited for.
    """

    first: float = 1.0
    longest: float = 30.0
    patience: float = 120.0

    def pause(self, retry: int, asked: float | None) -> float:
        """Seconds before ``retry`` (from 1); never less than the server ``asked`` for."""
        ours = min(self.longest, self.first * 2.0 ** (retry - 1)) * random.uniform(0.5, 1.0)
        return max(ours, asked or 0.0)


# Providers of our own by the prefix of their ids; litellm answers for every other id.
_OWN: Mapping[str, Callable[[Path, Callable[[str], None]], Provider]] = {
    "recorded": lambda recordings, _: RecordedProvider(recordings),
    "manual": lambda _, notify: ManualProvider(notify),
}


def origin_of(model: str) -> str:
    """``recorded``, ``manual`` or ``live``: who answers for a model id."""
    prefix = model.partition("/")[0]
    return prefix if prefix in _OWN else "live"


class Connections:
    """What gateways of one event loop share: ``max_parallel`` places at each model, and clients of live providers.

    litellm keeps one set of connections for the whole process: closing it breaks off everyone's calls.
    """

    def __init__(self) -> None:
        self.places: dict[str, asyncio.Semaphore] = {}
        self.providers: dict[str, Provider] = {}

    async def aclose(self) -> None:
        """Close open connections; they can be opened again."""
        await _close(self.providers)


async def _close(providers: Mapping[str, Provider]) -> None:
    for provider in providers.values():
        close = getattr(provider, "aclose", None)
        if close is not None:
            await close()


class Gateway:
    """Answers calls by the name of a model; one for a run, used from one event loop.

    ``recordings`` is the folder in which ``recorded/NAME`` looks for ``TASK.NAME.yaml``. ``notify`` receives one
    sentence for each thing that a user should know while it happens: a retry or a fallback. ``on_aborted`` receives
    each call that brought no reply and that the provider may bill; it counts at what was reserved for it.
    ``calls`` notes each call before it goes out, so that those of a killed process count as well. With
    ``connections`` it is one of several, whose owner closes them.

    A recorded reply is reported with the usage that it had when it was made; its tokens count against the budget,
    its dollars do not, since nobody pays them twice.
    """

    def __init__(
        self,
        models: Mapping[str, ModelSpec],
        *,
        recordings: Path,
        ledger: Ledger | None = None,
        notify: Callable[[str], None] = lambda _: None,
        on_aborted: Callable[[AbortedSpend], None] = lambda _: None,
        calls: CallLog | None = None,
        backoff: Backoff = Backoff(),
        connections: Connections | None = None,
    ) -> None:
        self.ledger = ledger or Ledger()
        self._models = models
        self._recordings = recordings
        self._notify = notify
        self._on_aborted = on_aborted
        self._calls = calls
        self._backoff = backoff
        self._shared = connections is not None
        self._connections = connections or Connections()
        self._providers: dict[str, Provider] = {}

    async def complete(
        self,
        key: CallKey,
        model_name: str,
        messages: Sequence[Message],
        fingerprint: str,
        max_bytes: int = ReplyForm.max_bytes,
        *,
        more_room: bool = False,
        session: Session | None = None,
    ) -> ModelReply:
        """One reply from the named model, or from its fallbacks in their order; at most ``max_bytes`` of it.

        With ``more_room`` it may be longer than usual, where its model can write as much. A ``session`` is never
        repeated, for it is long and dear.

        Any failure moves on to the next fallback, except a missing recording: replay is strict and never turns into
        a paid call. Raises `ProviderError` when no model answered, `BudgetError` when the call does not fit.
        """
        failures: list[ProviderError] = []
        names = dict.fromkeys((model_name, *self._models[model_name].fallbacks))
        for name in names:
            spec = self._models[name]
            if more_room:
                spec = with_more_room(spec) or spec
            request = ModelRequest(key, spec, tuple(messages), fingerprint, max_bytes, session=session)
            try:
                reply = await self._persist(request)
            except ProviderError as failed:
                if failed.failure is Failure.NO_RECORDING:
                    raise
                failures.append(failed)
                if len(failures) < len(names):
                    self._notify(f"{key}: {failed}; the next fallback is asked")
                continue
            if failures:
                note = f"{name} ({request.model.model}) answered instead of {model_name}: {failures[-1]}"
                reply = replace(reply, notes=(*reply.notes, note))
            return reply
        raise _nobody(failures)

    def has_more_room(self, model_name: str) -> bool:
        """Whether the named model may write a longer reply than it is usually asked for."""
        return with_more_room(self._models[model_name]) is not None

    async def aclose(self) -> None:
        """Close open connections; the gateway can be used again afterwards."""
        await _close(self._providers)
        if not self._shared:
            await self._connections.aclose()

    async def _persist(self, request: ModelRequest) -> ModelReply:
        """Ask one model, again after transient failures, holding one of its places all the while."""
        spec = request.model
        retries = 0 if request.session is not None else spec.limits.retries
        async with self._slot(spec):
            retry = 0
            while True:
                try:
                    return await self._charged(replace(request, meter=Meter()))
                except ProviderError as failed:
                    retry += 1
                    pause = self._backoff.pause(retry, failed.retry_after)
                    if not failed.failure.transient or retry > retries:
                        raise _tried(failed, retry) from None
                    if pause > self._backoff.patience:
                        raise ProviderError(
                            failed.failure, f"{failed} (it asks to wait {pause:.0f} s, which is too long to wait for)"
                        ) from None
                    self._notify(f"{request.key}: {failed}; retry {retry} of {retries} in {pause:.1f} s")
                await asyncio.sleep(pause)

    async def _charged(self, request: ModelRequest) -> ModelReply:
        spec = request.model
        if origin_of(spec.model) == "recorded":
            # What a recorded reply takes is known before it is handed out, so the ceiling is exact.
            reply = await (await self._provider(spec)).complete(request)
            known = Estimate(reply.usage.prompt_tokens, reply.usage.completion_tokens)
            held = await self.ledger.reserve(known)
        else:
            held = await self.ledger.reserve(self._estimate(request))
            reply = await self._sent(request, held)
        reply = _shortened(reply, request.max_bytes)
        booked = self.ledger.settle(held, reply.usage, charge_usd=reply.origin not in {"recorded", "manual"})
        notes = (*reply.notes, *_overclaimed(spec, booked), *self._uncounted(spec, booked))
        return replace(reply, usage=booked, notes=notes)

    def _uncounted(self, spec: ModelSpec, booked: Usage) -> tuple[str, ...]:
        if booked.cost is not None or spec.price != "unknown" or not self.ledger.usd_is_bounded:
            return ()
        return (f"budget.usd does not count {spec.model}: models.{spec.name} says that its price is unknown",)

    async def _sent(self, request: ModelRequest, held: Reservation) -> ModelReply:
        """The reply to a call for which room is held; the room is given back or booked where there is none."""
        spec, key = request.model, request.key
        reserved = reserved_usage(held.estimate, priced=price_of(spec) is not None)
        call = Outstanding("", f"{key.job}.{key.step}", spec.model, reserved)
        try:
            if self._calls is not None and origin_of(spec.model) == "live":
                call = self._calls.send(str(key), call.step, call.model, reserved)
            return await self._timed(request)
        except BaseException as failed:
            if request.meter.out:
                self._broken(call, held, failed)
            else:
                self.ledger.release(held)
                if self._calls is not None and call.id:
                    self._calls.refuse(call)
            raise

    def _broken(self, call: Outstanding, held: Reservation, failed: BaseException) -> None:
        """Book a call that went out and brought no reply: at what the provider says, else at what was reserved."""
        aborted = call.aborted(str(failed) or type(failed).__name__)
        known = failed.usage if isinstance(failed, ProviderError) else None
        booked = self.ledger.settle(held, known or call.reserved)
        self.ledger.count_aborted()
        self._on_aborted(replace(aborted, usage=booked))

    def _estimate(self, request: ModelRequest) -> Estimate:
        spec = request.model
        for _, what, hint in refusals(spec.params):
            raise ConfigError(f"models.{spec.name}.params: {what}: {hint}")
        price = price_of(spec)
        if price is None and spec.price != "unknown" and self.ledger.usd_is_bounded:
            raise ConfigError(
                f"no price is known for {spec.model}, so budget.usd cannot hold: give models.{spec.name} a price, "
                "'free' or 'unknown'"
            )
        session = request.session.tokens if request.session is not None else 0
        return estimate_of(request.messages, spec, price, session)

    async def _timed(self, request: ModelRequest) -> ModelReply:
        """One attempt within the model's timeout and the run's minutes; a person may take as long as they like.

        A session has minutes of its own.
        """
        spec = request.model
        untimed = origin_of(spec.model) == "manual" or request.session is not None
        own = None if untimed else spec.limits.timeout
        provider = await self._provider(spec)
        left = self.ledger.wall.left
        bound = min((s for s in (own, left) if s is not None), default=None)
        try:
            async with asyncio.timeout(bound):
                return await provider.complete(request)
        except TimeoutError:
            self.ledger.wall.check()
            where = f" at {spec.api_base}" if spec.api_base else ""
            raise ProviderError(
                Failure.TIMEOUT, f"model {spec.name} ({spec.model}){where} gave no answer within {bound:g} s"
            ) from None
        except ProviderError as failed:
            # litellm watches the same clock and may speak first; when the minutes are over, that is the reason.
            if failed.failure is Failure.TIMEOUT:
                self.ledger.wall.check()
            raise

    def _slot(self, spec: ModelSpec) -> asyncio.Semaphore:
        return self._connections.places.setdefault(spec.name, asyncio.Semaphore(spec.limits.max_parallel))

    async def _provider(self, spec: ModelSpec) -> Provider:
        origin = "command" if spec.command else origin_of(spec.model)
        providers = self._connections.providers if origin == "live" else self._providers
        if origin not in providers:
            provider = await self._make(origin)
            # Calls that started together may have made one each: all use the first.
            providers.setdefault(origin, provider)
        return providers[origin]

    async def _make(self, origin: str) -> Provider:
        if origin in _OWN:
            return _OWN[origin](self._recordings, self._notify)
        if origin == "command":
            from akgflow.models.local.command import CommandProvider

            return CommandProvider()
        from akgflow.models._litellm import LitellmProvider

        provider = LitellmProvider()
        await provider.prepare()
        return provider


def _overclaimed(spec: ModelSpec, booked: Usage) -> tuple[str, ...]:
    if not booked.excess and booked.excess_usd <= 0:
        return ()
    return (
        f"{spec.model} claims {booked.tokens + booked.excess:,} tokens for a call that could take {booked.reserved:,} "
        f"at most: what goes beyond ({booked.excess:,} tokens, ${booked.excess_usd:.4f}) is not booked, but no further "
        "call goes out on it; look at the provider's bill",
    )


def _shortened(reply: ModelReply, most: int) -> ModelReply:
    """A reply of at most so many bytes: the rest is neither stored nor sent back."""
    raw = reply.text.encode("utf-8", "replace")
    if len(raw) <= most:
        return reply
    note = f"a reply of {reply.answered_by} was longer than {most:,} bytes, and the rest was dropped"
    return replace(reply, text=raw[:most].decode("utf-8", "ignore"), finish_reason=TOO_LONG, notes=(*reply.notes, note))


def _tried(failed: ProviderError, times: int) -> ProviderError:
    if times == 1:
        return failed
    return ProviderError(failed.failure, f"{failed} (tried {times} times)", failed.retry_after, failed.usage)


def _nobody(failures: Sequence[ProviderError]) -> ProviderError:
    if len(failures) == 1:
        return failures[0]
    return ProviderError(failures[-1].failure, "no model answered: " + "; then ".join(str(f) for f in failures))
