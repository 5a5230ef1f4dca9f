"""Explains a client library's exception in one sentence that a user can act on.

litellm gives connection errors and unreadable bodies the status 500, so its own class and status say little. The
chain of causes does: a transport error, a timeout, a response with its real status and headers, or none of these.
"""

from __future__ import annotations

import ast
import errno
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from akgflow.base.secrets import brief, redact
from akgflow.config.types import ModelSpec
from akgflow.errors import MachineExhausted, causes, machine_error
from akgflow.models._events import WireError
from akgflow.models._wire import RedirectRefused
from akgflow.models.base import Failure, ProviderError
from akgflow.models.prices import NO_PROVIDER

_TIMEOUTS = {"TimeoutException", "TimeoutError", "APITimeoutError", "Timeout"}
_TRANSPORT = {"TransportError", "ConnectionError", "gaierror", "ClientConnectionError", "ClientPayloadError"}
_NO_CREDENTIALS = re.compile(
    r"missing.{0,40}(credential|api.?key)|(credential|api.?key)s?.{0,60}(missing|not (set|found|provided))"
    r"|unable to locate credentials",
    re.IGNORECASE | re.DOTALL,
)
_NO_PROVIDER = re.compile("LLM Provider NOT provided", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient_quota|credit balance is too low|exceeded your current quota", re.IGNORECASE)
_LITELLM_PREFIX = re.compile(r"^(litellm\.)?\w+(Error|Exception)?: |^\w+Exception - |^Error code: \d+ - ")


_OWN_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC)
"""Errors of this machine that prevent a connection to any provider."""


def explain(
    failed: BaseException, spec: ModelSpec, missing: Sequence[str], secrets: Iterable[str]
) -> ProviderError | MachineExhausted:
    """The error for an exception of litellm's; ``missing`` names the key variables that are not set."""
    links = list(causes(failed))
    own = next((link for link in links if isinstance(link, OSError) and link.errno in _OWN_SHORTAGES), None)
    if own is not None and (short := machine_error(own)):
        return short
    answered = next(filter(None, (_response(link) for link in links)), None)
    wire = next((link for link in links if isinstance(link, WireError)), None)
    if wire is not None:
        failure = Failure.REQUEST if isinstance(wire, RedirectRefused) else Failure.INVALID_RESPONSE
        what = brief(redact(str(wire)))
    elif _any_named(links, _TIMEOUTS):
        failure, what = Failure.TIMEOUT, f"gave no answer within {spec.limits.timeout:g} s"
    elif _any_named(links, _TRANSPORT):
        failure, what = Failure.CONNECTION, f"cannot be reached or broke off: {_innermost(links)}"
    elif answered is not None:
        failure, what = _by_status(answered[0], _said(links))
    else:
        failure, what = _without_response(failed, links)
    where = f" at {spec.api_base}" if spec.api_base else ""
    sentence = f"model {spec.name} ({spec.model}){where} {what}{_advice(failure, spec, missing)}"
    wait = retry_after(answered[1]) if answered else None
    return ProviderError(failure, redact(sentence, secrets), wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait: a number, or a date."""
    value = next((v for name, v in headers.items() if name.lower() == "retry-after"), None)
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            seconds = (when - when.now(when.tzinfo)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def _any_named(links: Sequence[BaseException], names: set[str]) -> bool:
    return any(cls.__name__ in names for link in links if not _wraps_anything(link) for cls in type(link).__mro__)


def _wraps_anything(link: BaseException) -> bool:
    """litellm's and openai's APIConnectionError are also raised for responses that cannot be read."""
    return type(link).__name__ == "APIConnectionError"


def _response(link: BaseException) -> tuple[int, Mapping[str, str]] | None:
    """Status and headers where ``link`` holds a real response: those that litellm makes up have no headers."""
    if type(link).__module__ == "litellm.exceptions":
        return None
    status = getattr(link, "status_code", None)
    headers = getattr(link, "headers", None) or getattr(getattr(link, "response", None), "headers", None)
    return (status, dict(headers)) if isinstance(status, int) and headers else None


def _by_status(status: int, said: str) -> tuple[Failure, str]:
    if status < 400:
        return Failure.INVALID_RESPONSE, f"answered {status} with something that is not a chat completion: {said}"
    what = f"answered {status}: {said}"
    if status in {401, 402, 403} or _NO_CREDIT.search(said):
        return Failure.AUTH, what
    if status == 429:
        return Failure.RATE_LIMIT, what
    if status in {408, 504}:
        return Failure.TIMEOUT, what
    return (Failure.SERVER if status >= 500 else Failure.REQUEST), what


def _without_response(failed: BaseException, links: Sequence[BaseException]) -> tuple[Failure, str]:
    """The failure without an error response: nothing was called, or the response was not understood."""
    said = _said(links)
    if type(failed).__name__ == "AuthenticationError" or _NO_CREDENTIALS.search(str(failed)):
        return Failure.AUTH, f"was not called: {said}"
    if any(isinstance(link, ImportError) for link in links):
        return Failure.REQUEST, f"needs a package that is not installed: {said}"
    if _NO_PROVIDER.search(str(failed)):
        return Failure.REQUEST, f"was not called: {NO_PROVIDER}"
    named = {cls.__name__ for cls in type(failed).__mro__}
    if named & {"UnsupportedParamsError", "NotFoundError"} or ("BadRequestError" in named and len(links) == 1):
        return Failure.REQUEST, f"was not called: {said}"
    return Failure.INVALID_RESPONSE, f"answered with something that is not a chat completion: {said}"


def _advice(failure: Failure, spec: ModelSpec, missing: Sequence[str]) -> str:
    if failure is Failure.AUTH:
        names = spec.api_key_env or " or ".join(missing)
        return f": set {names} in the environment" if missing else f": check the key{f' in {names}' if names else ''}"
    if failure is Failure.REQUEST:
        return f": check models.{spec.name} in agents.yaml (model, api_base, params)"
    return ""


def _innermost(links: Sequence[BaseException]) -> str:
    """The words of the deepest cause, where a transport error names the real reason."""
    text = next((str(link) for link in reversed(links) if str(link).strip()), type(links[-1]).__name__)
    return _tidy(re.sub(r" ssl:<[^>]*>", "", text))


def _said(links: Sequence[BaseException]) -> str:
    """What the server said: the message of its JSON error, else the bare text of its body."""
    own = [link for link in links if type(link).__module__ != "litellm.exceptions"]
    bodies = [body for link in own if (body := _body(link)).strip()]
    for text in (*bodies, *map(str, own)):
        if message := _dig(text):
            return _tidy(message)
    text = next((text for text in (*bodies, *map(str, links)) if text.strip()), type(links[0]).__name__)
    return _tidy(text.partition("Traceback (most recent")[0])


def _body(link: BaseException) -> str:
    """What a refusal's real response holds; exceptions' own texts tell more or less of it from version to version."""
    answered = _response(link)
    try:
        text = getattr(getattr(link, "response", None), "text", None)
    except RuntimeError:  # a streamed response that was closed before it was read
        return ""
    return text if answered and answered[0] >= 400 and isinstance(text, str) else ""


def _dig(text: str) -> str | None:
    text = _LITELLM_PREFIX.sub("", text)
    for parse in (json.loads, ast.literal_eval):
        try:
            data: Any = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if not isinstance(data, Mapping):
            continue
        error = data.get("error")
        inner = error if isinstance(error, Mapping) else data
        said = inner.get("message") or inner.get("detail") or error
        code = inner.get("code")
        if said:
            return f"{said} ({code})" if isinstance(code, str) else str(said)
    return None


def _tidy(text: str) -> str:
    previous = ""
    while previous != text:
        previous, text = text, _LITELLM_PREFIX.sub("", text)
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE) or text
    # Redacted again with the whole sentence; here so that the cut cannot leave half a key behind.
    return brief(redact(text)).rstrip(". ") or "nothing"
