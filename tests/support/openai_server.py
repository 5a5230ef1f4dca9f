"""A real HTTP server on loopback that speaks just enough of the OpenAI protocol, well or badly, as told."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    ``usage`` is (tokens in, tokens out), or the object as it is sent. ``body`` (text or bytes) replaces the chat
    completion that is made from ``text``; ``reasoning`` comes before it under ``reasoning_name``; ``sent`` cuts the
    body after so many bytes while Content-Length still announces all of it; ``hang`` never answers; ``hangup`` closes
    without a byte; ``delay`` is in seconds. A stream is sent to a request that asks for it, in pieces of ``piece``
    characters with ``pause`` seconds after each, unless the server ``streams`` not; ``stalls`` leaves off after so many
    pieces and hangs, or closes where it ``breaks``.
    """

    text: str | None = "pong"
    reasoning: str = ""
    reasoning_name: str = "reasoning_content"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes | None = None
    content_type: str = "application/json"
    finish_reason: str = "stop"
    usage: tuple[int, int] | Mapping[str, Any] | None = (11, 7)
    delay: float = 0.0
    sent: int | None = None
    hang: bool = False
    hangup: bool = False
    streams: bool = True
    piece: int = 4
    pause: float = 0.0
    stalls: int | None = None
    breaks: bool = False

    def pieces(self, model: str) -> Iterator[bytes]:
        """The events of a stream: the text piece by piece, then the reason to end, then the usage."""
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model}
        text = self.text or ""
        for start in range(0, len(self.reasoning), self.piece):
            piece = {self.reasoning_name: self.reasoning[start : start + self.piece]}
            yield _event({**head, "choices": [_choice(piece, None)]})
        for start in range(0, len(text), self.piece):
            yield _event({**head, "choices": [_choice({"content": text[start : start + self.piece]}, None)]})
        yield _event({**head, "choices": [_choice({}, self.finish_reason)]})
        if self.usage:
            yield _event({**head, "choices": [], "usage": _usage(self.usage)})
        yield b"data: [DONE]\n\n"

    def payload(self, model: str) -> bytes:
        """The response body."""
        if self.body is not None:
            return self.body.encode() if isinstance(self.body, str) else self.body
        message = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message[self.reasoning_name] = self.reasoning
        data: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
        }
        if self.usage:
            data["usage"] = _usage(self.usage)
        return json.dumps(data).encode()


def _usage(given: tuple[int, int] | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(given, tuple):
        return given
    prompt, completion = given
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _choice(delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def error(
    status: int, message: str = "no", *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """An error as OpenAI words it."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": code}})
    return Answer(status=status, body=body, headers=headers or {})


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, header names in lower case. ``at`` is on the monotonic clock."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float

    @property
    def model(self) -> str:
        """The model's name as the server sees it."""
        return str(self.body.get("model", ""))

    @property
    def prompt(self) -> str:
        """All messages in one text."""
        return "\n".join(str(m.get("content")) for m in self.body.get("messages", []))


Behaviour = Answer | Callable[[Seen], Answer]


class OpenAIServer:
    """Answers from ``script`` first, one entry a request; then by ``models[name]``; then with ``default``.

    A behaviour is an `Answer` or a function from the request to one. ``requests`` lists what arrived, ``peak`` is the
    largest number of requests that were open at once, ``pieces`` counts the events that were streamed before clients
    had enough, ``url`` goes into ``api_base``.
    """

    def __init__(self) -> None:
        self.script: deque[Behaviour] = deque()
        self.models: dict[str, Behaviour] = {}
        self.default: Behaviour = Answer()
        self.requests: list[Seen] = []
        self.peak = 0
        self.pieces = 0
        self._open = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT/v1``."""
        return f"http://127.0.0.1:{self._httpd.server_port}/v1"

    def count(self, model: str) -> int:
        """How many requests named ``model``."""
        return sum(seen.model == model for seen in self.requests)

    def close(self) -> None:
        """Let go of everything that hangs, and stop listening."""
        self._closing.set()
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()

    def enter(self, seen: Seen) -> Answer:
        """Count one request in and say what to do with it."""
        with self._lock:
            self.requests.append(seen)
            self._open += 1
            self.peak = max(self.peak, self._open)
            behaviour = self.script.popleft() if self.script else self.models.get(seen.model, self.default)
        return behaviour if isinstance(behaviour, Answer) else behaviour(seen)

    def leave(self) -> None:
        """Count one request out."""
        with self._lock:
            self._open -= 1

    def streamed(self) -> None:
        """Count one event of a stream that the client took."""
        with self._lock:
            self.pieces += 1

    def wait(self, seconds: float | None) -> None:
        """Sleep, but no longer than the server lives."""
        self._closing.wait(seconds)


def _stream(handler: BaseHTTPRequestHandler, server: OpenAIServer, answer: Answer, model: str) -> None:
    # What is cut off ends with the connection. What is whole does not: a client that is about to ask again on it would
    # find it closed.
    handler.close_connection = answer.stalls is not None or answer.sent is not None
    handler.send_response(answer.status)
    for name, value in {**answer.headers, "Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    for count, event in enumerate(answer.pieces(model)):
        if count == answer.stalls:
            server.wait(0.0 if answer.breaks else None)
            return
        sent = event[: answer.sent]
        handler.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
        server.streamed()
        if answer.sent is not None:
            return
        if answer.pause:
            server.wait(answer.pause)
    handler.wfile.write(b"0\r\n\r\n")


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen = Seen(
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(raw or b"{}"),
                time.monotonic(),
            )
            answer = server.enter(seen)
            try:
                self._answer(answer, seen)
            except OSError:
                self.close_connection = True  # the client went away: a timeout or Ctrl-C under test
            finally:
                server.leave()

        def _answer(self, answer: Answer, seen: Seen) -> None:
            if answer.hang or answer.delay:
                server.wait(None if answer.hang else answer.delay)
            if answer.hang or answer.hangup:
                self.close_connection = True
                return
            if seen.body.get("stream") and answer.streams and answer.body is None:
                _stream(self, server, answer, seen.model)
                return
            payload = answer.payload(seen.model)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(payload)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload[: answer.sent])
            if answer.sent is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on standard error."""

    return Handler
