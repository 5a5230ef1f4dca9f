"""A socket in an agent's folder on which it asks the judge: one line of JSON in, one line out.

Who speaks there is not trusted: it can send a source text and nothing else, and a line that is too long, is no JSON
or never ends is answered with a refusal.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from akgflow.base.text import received
from akgflow.engine.agentic.verify import SOCKET

_MOST_OPEN = 16
"""Connections at the same time."""
_PATIENCE = 30.0
"""Seconds for a request to arrive, and for its answer to be taken."""
_STOPPED = "not judged: the run has stopped"


@dataclass(frozen=True)
class Answer:
    """What is said about one source; ``status`` as the script exits: 0 right, 1 not, 2 not judged."""

    status: int
    text: str


Verify = Callable[[str], Awaitable[Answer]]


class JudgeService:
    """Answers by ``verify``, one source after the other, while it is entered.

    ``broken`` gets the error that ``verify`` raises: then nothing can be judged any more.
    """

    def __init__(self, folder: Path, verify: Verify, most_bytes: int) -> None:
        self._folder, self._verify, self._most = folder, verify, most_bytes
        self._turn = asyncio.Lock()
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closed = False
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> JudgeService:
        place = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            listening = socket.socket(socket.AF_UNIX)
            # A path through the open folder is short enough for a socket, wherever the folder is.
            name = f"/proc/self/fd/{place}/{SOCKET}"
            listening.bind(name)
        finally:
            os.close(place)
        # JSON may write a character in six.
        self._server = await asyncio.start_unix_server(self._accept, sock=listening, limit=6 * self._most + 1024)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._closed = True
        # A judgement that is under way is paid for: it is waited for, unless all is broken off.
        if kind is None:
            await self._turn.acquire()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        if self.broken.done() and not self.broken.cancelled():
            self.broken.exception()  # who was interested has seen it

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        if len(self._talks) >= _MOST_OPEN:
            writer.transport.abort()
            return
        self._talks.add(talk)
        try:
            with suppress(ConnectionError, TimeoutError):
                answer = await self._answer(reader)
                writer.write(json.dumps(asdict(answer)).encode() + b"\n")
                async with asyncio.timeout(_PATIENCE):
                    await writer.drain()
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        try:
            async with asyncio.timeout(_PATIENCE):
                source = _source(await reader.readline())
        except (ValueError, RecursionError, TimeoutError):
            return Answer(
                2, f'not judged: send one line {{"source": "…"}} with a module of at most {self._most:,} bytes'
            )
        if len(source.encode()) > self._most:
            return Answer(2, f"not judged: the module is longer than {self._most:,} bytes")
        async with self._turn:
            if self._closed or self.broken.done():
                return Answer(2, _STOPPED)
            try:
                return await self._verify(source)
            except Exception as failed:
                self.broken.set_exception(failed)
                return Answer(2, _STOPPED)


def _source(line: bytes) -> str:
    """The source in a request; raises `ValueError`."""
    data = json.loads(line)
    if not isinstance(data, dict) or set(data) != {"source"} or not isinstance(data["source"], str):
        raise ValueError("no source")
    if not data["source"].strip():
        raise ValueError("an empty source")
    return received(data["source"])
