"""Looks, within a second and without spending anything, whether a model can be asked at all."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from akgflow.config.types import ModelSpec
from akgflow.models.prices import NO_PROVIDER, is_served, names_no_provider
from akgflow.models.recorded import lacks_recording

SECONDS = 0.8
"""For all models together: names are resolved and connections opened concurrently."""
_KEYS = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "azure": ("AZURE_API_KEY", "AZURE_AD_TOKEN", "AZURE_CLIENT_ID"),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
}
"""Where litellm looks for a provider's key when the model names no ``api_key_env``: any of these will do."""


def keys_of(spec: ModelSpec) -> tuple[str, ...]:
    """The environment variables of which one must hold the model's key; empty where it needs none, or nobody knows."""
    if not _served(spec):
        return ()
    if spec.api_key_env or spec.api_base:
        return (spec.api_key_env,) if spec.api_key_env else ()
    return _KEYS.get(spec.model.partition("/")[0], ())


def unreachable(models: Iterable[ModelSpec], task: str = "", recordings: Path | None = None) -> dict[str, str]:
    """By name of the model, why it cannot be asked: a sentence with what to do. Takes less than a second.

    ``recordings`` is the folder that holds those of the ``task``; without it, nobody looks for any.
    """
    found: dict[str, str] = {}
    addresses: dict[str, list[str]] = {}
    for spec in models:
        if why := _lacks(spec):
            found[spec.name] = why
        elif recordings is not None and spec.command is None and spec.model.startswith("recorded/"):
            found |= {spec.name: why} if (why := lacks_recording(spec, task, recordings)) else {}
        elif spec.api_base and _served(spec):
            addresses.setdefault(spec.api_base, []).append(spec.name)
    for address, why in _dead(addresses).items():
        what = f"nothing answers at {address} ({why}): start the server, or mend api_base"
        found.update(dict.fromkeys(addresses[address], what))
    return found


def _served(spec: ModelSpec) -> bool:
    """Whether a provider answers: neither a command, nor a recording, nor a person."""
    return spec.command is None and is_served(spec)


def _lacks(spec: ModelSpec) -> str:
    if spec.command is not None:
        program = spec.command.words[0]
        there = shutil.which(program)
        return "" if there else f"the command {program} is not found: install it, or write its full path"
    if names_no_provider(spec):
        return f"{spec.model}: {NO_PROVIDER}"
    keys = keys_of(spec)
    if not keys or any(os.environ.get(key, "").strip() for key in keys):
        return ""
    return f"{spec.model} takes its key from the environment variable {keys[0]}, which is not set: export {keys[0]}"


def _dead(addresses: Iterable[str]) -> dict[str, str]:
    """The addresses that refuse connections, or do not take one in time, with the reason."""
    reasons: dict[str, str] = {}

    def look(address: str) -> None:
        reasons[address] = "no connection within a second"
        reasons[address] = _why_dead(address)

    # Resolving a name cannot be given a time limit: threads that are late are left behind.
    threads = [threading.Thread(target=look, args=(one,), daemon=True) for one in addresses if not _proxied(one)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return {address: why for address, why in reasons.items() if why}


def _proxied(address: str) -> bool:
    """Whether requests may go through a proxy, which may reach what this machine cannot."""
    parts = urlsplit(address)
    names = (f"{parts.scheme}_proxy", "all_proxy")
    given = any(os.environ.get(name) or os.environ.get(name.upper()) for name in names)
    return given and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _why_dead(address: str) -> str:
    parts = urlsplit(address)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=SECONDS).close()
    except TimeoutError:
        return "no connection within a second"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
