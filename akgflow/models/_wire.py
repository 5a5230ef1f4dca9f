"""The wire between litellm and a server: no redirect is followed, no body is read without end, and it is known whether
a provider may bill the call.

Every client that litellm makes sends through ``httpx.AsyncClient.send`` or ``httpx.Client.send``; `install` puts one
step before them, which acts only within `on_wire`. What arrives is made readable by `akgflow.models._events`.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from akgflow.models._events import BodyRefused, Tidier, WireError
from akgflow.models.base import Meter

MOST_BYTES = 32 << 20
"""Of one reply, beside what its tokens take as events of a stream."""
_BYTES_PER_TOKEN = 1 << 10
_MOST_OF_AN_ERROR = 64 << 10
_PIECE = 64 << 10
# A proxy answers so for a server that may still be working.
_UNKNOWN_END = frozenset({408, 499, 502, 504, 520, 522, 523, 524})


class RedirectRefused(WireError):
    """A server pointed elsewhere; neither prompt nor key goes there."""


class NotAgain(Exception):
    """litellm sends a refused request once more without the parameter that was named, be it ``max_tokens``."""


@dataclass
class Call:
    """One call that may use the wire: what counts its reply, and the most tokens that it may have."""

    meter: Meter
    most_tokens: int
    tidier: Tidier
    refused: bool = False
    """A server has answered with a failure: the call is over, and litellm must not try anything else."""

    def send(self, request: Any) -> None:
        """A request goes out."""
        if self.refused:
            raise NotAgain
        request.headers["accept-encoding"] = "identity"
        self.meter.out = True

    @property
    def most_bytes(self) -> int:
        """Of a reply's body, decompressed."""
        return MOST_BYTES + _BYTES_PER_TOKEN * self.most_tokens


_CALL: ContextVar[Call | None] = ContextVar("akgflow_call", default=None)


@contextmanager
def on_wire(meter: Meter, most_tokens: int) -> Iterator[Call]:
    """Watch what the code inside sends and reads. Until something else is known the provider may bill it."""
    call = Call(meter, most_tokens, Tidier(meter))
    meter.out = True
    token = _CALL.set(call)
    try:
        yield call
    finally:
        _CALL.reset(token)


def install() -> None:
    """Put the step before httpx's own; a second time changes nothing."""
    import httpx

    if getattr(httpx.AsyncClient.send, "akgflow", False):
        return
    ahead, ahead_sync = httpx.AsyncClient.send, httpx.Client.send

    async def look(response: Any) -> None:
        _look(response)

    async def send(self: Any, request: Any, **options: Any) -> Any:
        call = _CALL.get()
        if call is None:
            return await ahead(self, request, **options)
        call.send(request)
        _hook(self, look)
        whole = not options.pop("stream", False)
        try:
            response = await ahead(self, request, **{**options, "stream": True, "follow_redirects": False})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            call.meter.out = False
            raise
        try:
            response.stream = _body_class()(response.stream, _readable(response, call))
            if whole:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response

    def send_sync(self: Any, request: Any, **options: Any) -> Any:
        call = _CALL.get()
        if call is None:
            return ahead_sync(self, request, **options)
        call.send(request)
        _hook(self, _look)
        return ahead_sync(self, request, **{**options, "follow_redirects": False})

    send.akgflow = True  # type: ignore[attr-defined]
    httpx.AsyncClient.send = send  # type: ignore[method-assign]
    httpx.Client.send = send_sync  # type: ignore[method-assign]


def _hook(client: Any, look: Callable[[Any], Any]) -> None:
    """Let a client show each response before it does anything about it: where a redirect points is not even read."""
    hooks = client.event_hooks
    if look not in hooks["response"]:
        client.event_hooks = {**hooks, "response": [look, *hooks["response"]]}


def _look(response: Any) -> None:
    """Refuse a redirect, and note where a status says that nothing was written."""
    call, status = _CALL.get(), int(response.status_code)
    if call is None:
        return
    call.meter.out = status < 300 or status in _UNKNOWN_END
    call.refused = status >= 300
    if 300 <= status < 400:
        place = str(response.headers.get("location", ""))
        raise RedirectRefused(f"answered {status}, a redirect to {_host(place, response)}, which is not followed")


def _host(place: str, response: Any) -> str:
    """Where a redirect points, as far as it is safe to show."""
    try:
        host = urlsplit(place).hostname or response.request.url.host
    except ValueError:
        host = "an address that cannot be read"
    visible = "".join(char for char in str(host) if char.isprintable())
    return visible[:100] or "nowhere"


def _body_class() -> type[Any]:
    import httpx

    class Body(httpx.AsyncByteStream):
        """The ``pieces`` that are made of a response's ``stream``."""

        def __init__(self, stream: httpx.AsyncByteStream, pieces: AsyncIterator[bytes]) -> None:
            self._stream, self._pieces = stream, pieces

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._pieces:
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Body


def _readable(response: Any, call: Call) -> AsyncIterator[bytes]:
    """A response's body: decompressed, bounded and tidy; of a failure's body only the beginning."""
    plain = _decompressed(response)
    if int(response.status_code) >= 400:
        return _bounded(plain, _MOST_OF_AN_ERROR, cut=True)
    kind = str(response.headers.get("content-type", ""))
    return call.tidier.tidied(_bounded(plain, call.most_bytes, cut=False), kind)


async def _bounded(pieces: AsyncIterator[bytes], most: int, *, cut: bool) -> AsyncIterator[bytes]:
    """``pieces`` up to ``most`` bytes; beyond that the rest is left, or `BodyRefused` raised."""
    left = most
    async for piece in pieces:
        if len(piece) > left:
            if not cut:
                raise BodyRefused(f"sent more than {most >> 20} MiB in one reply")
            yield piece[:left]
            return
        left -= len(piece)
        yield piece


def _decompressed(response: Any) -> AsyncIterator[bytes]:
    """The raw body without its compression, a piece at a time, however much a few bytes unfold to."""
    names = str(response.headers.get("content-encoding", "identity")).lower().replace(" ", "")
    if names in ("", "identity"):
        return response.stream.__aiter__()  # type: ignore[no-any-return]
    # httpx must not decompress it again.
    del response.headers["content-encoding"]
    if names not in ("gzip", "x-gzip", "deflate"):
        raise BodyRefused(f"sent a body compressed as {names[:40]!r}, although plain text was asked for")
    return _unfolded(response.stream)


async def _unfolded(stream: Any) -> AsyncIterator[bytes]:
    unpack = zlib.decompressobj(wbits=47)
    async for raw in stream:
        rest = raw
        while rest:
            try:
                piece = unpack.decompress(rest, _PIECE)
            except zlib.error as broken:
                raise BodyRefused(f"sent a body that cannot be decompressed: {broken}") from None
            if piece:
                yield piece
            rest = unpack.unconsumed_tail
            if not piece and not rest:
                break
