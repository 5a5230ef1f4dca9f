"""Any real provider, through litellm: the one module that imports it, and only when a call is made."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from akgflow.base.text import received
from akgflow.budget.usage import Usage
from akgflow.config.types import ModelSpec
from akgflow.models._failures import explain
from akgflow.models._reading import Answer, count, streamed, whole
from akgflow.models._wire import Call, install, on_wire
from akgflow.models.base import CUT_SHORT, ENDLESS, Failure, ModelReply, ModelRequest, ProviderError
from akgflow.models.prices import price_of
from akgflow.models.sizes import asked_tokens, estimate_tokens, max_output_tokens

# A server on one's own machine wants no key, but the clients insist on sending one.
_NO_KEY = "none"


class LitellmProvider:
    """Sends one request once: litellm's own retries, caches, logs and telemetry are off."""

    async def prepare(self) -> None:
        """Import litellm, so that the first call's timeout is not spent on it."""
        await asyncio.to_thread(_load)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One reply, or `ProviderError` in words a user can act on, or `MachineExhausted`."""
        spec = request.model
        named_key = _key_from_environment(spec)
        litellm = await asyncio.to_thread(_load)
        key = named_key or (_NO_KEY if spec.api_base and _missing_keys(litellm, spec) else None)
        with on_wire(request.meter, max_output_tokens(spec)) as call:
            try:
                answer = await _answer(litellm, request, key)
            except Exception as failed:
                secrets = [key or "", *(str(value) for value in spec.params.get("extra_headers", {}).values())]
                reason = explain(failed, spec, _missing_keys(litellm, spec), secrets)
                # What is wrong with the request or its key is said before anything is written.
                refused = isinstance(reason, ProviderError) and reason.failure in (Failure.AUTH, Failure.REQUEST)
                request.meter.out &= not refused
                raise reason from None
        return _reply(litellm, answer, request, call)

    async def aclose(self) -> None:
        """Close the connections that litellm keeps open."""
        litellm = await asyncio.to_thread(_load)
        await litellm.close_litellm_async_clients()
        # Streams of some providers go through a client that litellm keeps apart; its transport opens again by itself.
        shared = getattr(vars(litellm).get("module_level_aclient"), "client", None)
        if shared is not None:
            await shared._transport.aclose()
        # Its clients are bound to this event loop; another loop must make its own.
        litellm.in_memory_llm_clients_cache.flush_cache()


def _load() -> Any:
    """Import litellm (3 to 9 seconds, so in a thread) without its network look-ups, ``.env`` reading and chatter."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    # It reads every attribute of its own stream pieces, deprecated ones too.
    warnings.filterwarnings("ignore", "Accessing the 'model_(computed_)?fields'", DeprecationWarning)
    # It says what pydantic thinks of litellm's types, and of odd values that servers send.
    warnings.filterwarnings("ignore", "Item '.*' on TypedDict class|Pydantic serializer warnings", UserWarning)
    import litellm

    install()
    litellm.suppress_debug_info = True
    # A hundred equal pieces end a stream otherwise; max_tokens bounds it already, and kernels do repeat themselves.
    litellm.REPEATED_STREAMING_CHUNK_LIMIT = sys.maxsize
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


def _key_from_environment(spec: ModelSpec) -> str | None:
    if spec.api_key_env is None:
        return None
    key = os.environ.get(spec.api_key_env, "").strip()
    if not key:
        raise ProviderError(
            Failure.AUTH,
            f"model {spec.name} ({spec.model}) takes its key from the environment variable {spec.api_key_env}, which "
            "is not set: export it and run the same command again",
        )
    return key


def _missing_keys(litellm: Any, spec: ModelSpec) -> tuple[str, ...]:
    """The environment variables in which litellm looks for this provider's key and finds nothing."""
    if spec.api_key_env:
        return ()
    try:
        missing = litellm.validate_environment(spec.model).get("missing_keys", [])
    except Exception:  # an id that litellm does not know; the call itself says so better
        return ()
    return tuple(str(name) for name in missing if "BASE" not in name)


async def _answer(litellm: Any, request: ModelRequest, key: str | None) -> Answer:
    arguments = _arguments(request, key)
    response = await litellm.acompletion(**arguments)
    if not arguments["stream"]:
        return whole(response)
    return await streamed(response, max_output_tokens(request.model), request.max_bytes, request.meter)


def _arguments(request: ModelRequest, key: str | None) -> dict[str, Any]:
    spec = request.model
    arguments: dict[str, Any] = {
        # A model that does not know one of the usual parameters (temperature, say) is asked without it.
        "drop_params": True,
        # A stream can be cut off where it exceeds max_tokens; params may say that the server has none.
        "stream": True,
        **spec.params,
        "model": spec.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "timeout": spec.limits.timeout,
        "max_retries": 0,
    }
    if arguments["stream"]:
        arguments["stream_options"] = {"include_usage": True}
    if "max_completion_tokens" not in spec.params:
        arguments["max_tokens"] = asked_tokens(spec)
    if spec.api_base:
        arguments["api_base"] = spec.api_base
    if key:
        arguments["api_key"] = key
    return arguments


def _reply(litellm: Any, answer: Answer, request: ModelRequest, call: Call) -> ModelReply:
    spec = request.model
    usage = _usage(litellm, answer, request)
    told = None if usage.estimated else usage
    if not answer.choices:
        raise _nonsense(spec, "no choices", told)
    if answer.finish_reason == "content_filter":
        words = f"model {spec.name} ({spec.model}): the provider's content filter refused the prompt"
        raise ProviderError(Failure.REQUEST, words, usage=told)
    # A reply cut off at max_tokens is a failure of the model, not of the provider: parsing the reply reports it.
    if not (answer.text + answer.reasoning).strip() and answer.finish_reason not in (CUT_SHORT, ENDLESS):
        raise _nonsense(spec, "an empty reply", told)
    # Some servers take all that a model writes for reasoning: what is asked for may be in it.
    said = answer.text if answer.text.strip() else f"<think>\n{answer.reasoning}\n" if answer.reasoning else ""
    # Half of a surrogate pair, which a server's JSON may hold, cannot be written to any file.
    text = received(said)
    return ModelReply(
        text, usage, spec.model, "live", answer.finish_reason, tuple(_oddities(answer, usage, spec, call))
    )


def _oddities(answer: Answer, usage: Usage, spec: ModelSpec, call: Call) -> Iterator[str]:
    """What the user should know about a reply that is used."""
    if answer.cut:
        most = max_output_tokens(spec)
        yield f"{spec.model} went on beyond the {most:,} tokens that it was asked for, and was cut off"
    if answer.reasoning.strip() and not answer.text.strip():
        yield f"{spec.model} sent reasoning and no text"
    if call.tidier.others:
        yield f"{spec.model} sent more replies than the one that was asked for; the first is kept"
    if usage.estimated and not answer.cut:
        given = "figures of usage that are no counts" if call.tidier.odd_usage else "no figures of usage"
        yield f"{spec.model} gives {given}: its tokens are estimated from the text"


def _nonsense(spec: ModelSpec, what: str, usage: Usage | None) -> ProviderError:
    where = f" at {spec.api_base}" if spec.api_base else ""
    words = f"model {spec.name} ({spec.model}){where} answered with {what}"
    return ProviderError(Failure.INVALID_RESPONSE, words, usage=usage)


def _usage(litellm: Any, answer: Answer, request: ModelRequest) -> Usage:
    """The provider's token counts, else estimates from the text; a count of 0 for a text is not believed."""
    spec, meter = request.model, request.meter
    prompt, completion = (count(answer.usage, name) for name in ("prompt_tokens", "completion_tokens"))
    estimated = not prompt or (not completion and bool(answer.text + answer.reasoning))
    if estimated:
        prompt = prompt or sum(estimate_tokens(m.content) for m in request.messages)
        read = estimate_tokens(answer.text + answer.reasoning)
        written = max_output_tokens(spec) if answer.cut else max(read, meter.tokens)
        completion = completion or written
    price = price_of(spec)
    if price is None:
        return Usage(prompt, completion, None, estimated)
    cached = min(prompt, count(getattr(answer.usage, "prompt_tokens_details", None), "cached_tokens"))
    cost = price.of(prompt, completion, cached)
    if spec.price is None and not estimated:
        cost = _list_cost(litellm, spec, answer.usage, cost)
    return Usage(prompt, completion, cost, estimated)


def _list_cost(litellm: Any, spec: ModelSpec, usage: Any, plain: float) -> float:
    """What litellm computes for ``usage``, cached prompts and the like included; ``plain`` where it cannot."""
    try:
        cost = float(sum(litellm.cost_per_token(model=spec.model, usage_object=usage)))
        return cost if 0.0 <= cost < math.inf else plain
    except Exception:  # its price table and its calculator do not know the same models
        return plain
