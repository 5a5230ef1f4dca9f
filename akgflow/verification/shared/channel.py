"""JSON messages between judge, fork server and candidate, over one packet socket; file descriptors ride along.

Nothing is ever unpickled: what a candidate sends is JSON text of bounded size and depth, and its fields are read by
`akgflow.verification.shared.protocol`.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Sequence
from enum import Enum
from typing import Any

from akgflow.verification.shared.fields import Malformed, bounded, brief

MAX_BYTES = 160_000
"""A packet must fit the kernel's default socket buffer (208 KiB)."""

Message = dict[str, Any]


class ChannelClosed(Exception):
    """The other side is gone, or what it sent is not a message."""


class NotAMessage(ChannelClosed):
    """The other side sent a packet that is not a message; the text says why."""


class ChannelFull(ChannelClosed):
    """The other side has left so many messages unread that no other fits."""


class Waiting(Enum):
    """What can be read at once: nothing, a packet, or the end of the channel."""

    NOTHING = "nothing"
    PACKET = "packet"
    END = "end"


class Channel:
    """One end of a socket pair whose packets are JSON objects."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Our end, and the bare socket for the other process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send one message, without ever waiting for the other side to read.

        Raises `ChannelClosed` when nobody is there, `ChannelFull` when it would have to wait, and `ValueError` when
        the message is too long.
        """
        data = json.dumps(message).encode()
        if len(data) > MAX_BYTES:
            raise ValueError(f"a message of {len(data)} bytes is more than a packet holds ({MAX_BYTES})")
        try:
            if fds:
                socket.send_fds(self.end, [data], list(fds), socket.MSG_DONTWAIT)
            else:
                self.end.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            raise ChannelFull("the other side does not read what it is sent") from None
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def wait(self, seconds: float | None) -> bool:
        """True when something can be read (or the other side is gone) within ``seconds``."""
        poller = select.poll()
        poller.register(self.end, select.POLLIN)
        return bool(poller.poll(None if seconds is None else max(0, int(seconds * 1000))))

    def waiting(self) -> Waiting:
        """What is there to be read, without reading it."""
        poller = select.poll()
        poller.register(self.end, select.POLLIN | select.POLLRDHUP)
        events = dict(poller.poll(0)).get(self.end.fileno(), 0)
        if not events:
            return Waiting.NOTHING
        try:
            if self.end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return Waiting.PACKET
        except BlockingIOError:
            return Waiting.NOTHING
        except OSError:
            return Waiting.END
        # Only the events tell a packet of no bytes from the end.
        return Waiting.END if events & (select.POLLHUP | select.POLLRDHUP) else Waiting.PACKET

    def receive(self) -> Message:
        """The next message. Descriptors that came with it are closed by the kernel, since none is asked for."""
        try:
            data = self.end.recv(MAX_BYTES + 1)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        return self._parse(data)

    def receive_with_fds(self, most: int) -> tuple[Message, list[int]]:
        """The next message and up to ``most`` descriptors, which the caller must close."""
        try:
            data, fds, _, _ = socket.recv_fds(self.end, MAX_BYTES + 1, most)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        try:
            return self._parse(data), list(fds)
        except ChannelClosed:
            for fd in fds:
                os.close(fd)
            raise

    def close(self) -> None:
        """Close our end."""
        self.end.close()

    def _parse(self, data: bytes) -> Message:
        if not data:
            poller = select.poll()
            poller.register(self.end, select.POLLRDHUP)
            if not poller.poll(0):
                raise NotAMessage("an empty packet")
            raise ChannelClosed("the other side closed its end")
        return parse(data)


def parse(data: bytes) -> Message:
    """A packet's message; raises `NotAMessage` for whatever is no JSON object, and nothing else."""
    if len(data) > MAX_BYTES:
        raise NotAMessage(f"a packet of more than {MAX_BYTES} bytes")
    try:
        message = json.loads(data.decode("utf-8"), object_pairs_hook=_without_repetition)
        bounded(message)
    except RecursionError:
        raise NotAMessage("nested too deeply") from None
    except ValueError as error:
        raise NotAMessage(str(error)) from None
    if type(message) is not dict:
        raise NotAMessage(f"expected an object, got {type(message).__name__}")
    return message


def _without_repetition(pairs: list[tuple[str, Any]]) -> Message:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise Malformed(f"the field {brief(next(n for n in names if names.count(n) > 1))} is there twice")
    return found
