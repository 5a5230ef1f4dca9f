"""Any real provider, through litellm: the one module that imports it, and only when a call is made."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Any

from akgflow.config.types import ModelSpec
from akgflow.models._failures import explain
from akgflow.models.base import Failure, ModelReply, ModelRequest, ProviderError, Usage
from akgflow.models.ledger import estimate_tokens

# A server on one's own machine wants no key, but the clients insist on sending one.
_NO_KEY = "none"


class LitellmProvider:
    """Sends one request once: litellm's own retries, caches, logs and telemetry are off."""

    async def prepare(self) -> None:
        """Import litellm, so that the first call's timeout is not spent on it."""
        await asyncio.to_thread(_load)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One reply, or `ProviderError` in words a user can act on."""
        spec = request.model
        named_key = _key_from_environment(spec)
        litellm = await asyncio.to_thread(_load)
        key = named_key or (_NO_KEY if spec.api_base and _missing_keys(litellm, spec) else None)
        try:
            response = await litellm.acompletion(**_arguments(request, key))
        except Exception as failed:
            secrets = [key or "", *(str(value) for value in spec.params.get("extra_headers", {}).values())]
            raise explain(failed, spec, _missing_keys(litellm, spec), secrets) from None
        return _read(response, request)

    async def aclose(self) -> None:
        """Close the connections that litellm keeps open."""
        litellm = await asyncio.to_thread(_load)
        await litellm.close_litellm_async_clients()
        # Its clients are bound to this event loop; another loop must make its own.
        litellm.in_memory_llm_clients_cache.flush_cache()


def _load() -> Any:
    """Import litellm (3 to 9 seconds, so in a thread) without its network look-ups, ``.env`` reading and chatter."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm

    litellm.suppress_debug_info = True
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


def _arguments(request: ModelRequest, key: str | None) -> dict[str, Any]:
    spec = request.model
    arguments: dict[str, Any] = {
        # A model that does not know one of the usual parameters (temperature, say) is asked without it.
        "drop_params": True,
        **spec.params,
        "model": spec.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "timeout": spec.limits.timeout,
        "max_retries": 0,
        "stream": False,
    }
    if spec.api_base:
        arguments["api_base"] = spec.api_base
    if key:
        arguments["api_key"] = key
    return arguments


def _read(response: Any, request: ModelRequest) -> ModelReply:
    spec = request.model
    choices = getattr(response, "choices", None) or []
    if not choices:
        raise _nonsense(spec, "no choices")
    content = getattr(getattr(choices[0], "message", None), "content", None) or ""
    finish = str(getattr(choices[0], "finish_reason", None) or "stop")
    if finish == "content_filter":
        raise ProviderError(
            Failure.REQUEST, f"model {spec.name} ({spec.model}): the provider's content filter refused the prompt"
        )
    # Cut off at max_tokens is the model's failure to answer, not the provider's: whoever reads the reply says so.
    if not content.strip() and finish != "length":
        raise _nonsense(spec, "an empty reply")
    # Half of a surrogate pair, which a server's JSON may hold, cannot be written to any file.
    text = content.encode("utf-8", "replace").decode("utf-8")
    usage = _usage(response, request, text)
    return ModelReply(text, usage, answered_by=spec.model, origin="live", finish_reason=finish)


def _nonsense(spec: ModelSpec, what: str) -> ProviderError:
    where = f" at {spec.api_base}" if spec.api_base else ""
    return ProviderError(Failure.NONSENSE, f"model {spec.name} ({spec.model}){where} answered with {what}")


def _usage(response: Any, request: ModelRequest, text: str) -> Usage:
    told = getattr(response, "usage", None)
    prompt, completion = (_count(told, name) for name in ("prompt_tokens", "completion_tokens"))
    estimated = prompt + completion == 0
    if estimated:
        prompt = sum(estimate_tokens(m.content) for m in request.messages)
        completion = estimate_tokens(text)
    price = request.model.price
    if price is not None:
        return Usage(prompt, completion, (prompt * price.input + completion * price.output) / 1e6, estimated)
    return Usage(prompt, completion, None if estimated else _list_cost(response), estimated)


def _count(told: Any, name: str) -> int:
    value = getattr(told, name, 0)
    return value if isinstance(value, int) and value > 0 else 0


def _list_cost(response: Any) -> float | None:
    """What litellm computed from its price list; None for a model that is not on it."""
    hidden = getattr(response, "_hidden_params", None)
    cost = hidden.get("response_cost") if isinstance(hidden, Mapping) else None
    return float(cost) if isinstance(cost, int | float) else None
