"""JSON messages between judge, fork server and candidate, over one packet socket; file descriptors ride along.

Nothing is ever unpickled: what a candidate sends is JSON text of bounded size, and its fields are checked by whoever
reads them.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 160_000
"""A packet must fit the kernel's default socket buffer (208 KiB)."""

Message = dict[str, Any]


class ChannelClosed(Exception):
    """The other side is gone, or what it sent is not a message."""


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
        """Send one message; raises `ChannelClosed` when nobody is there, `ValueError` when it is too long."""
        data = json.dumps(message).encode()
        if len(data) > MAX_BYTES:
            raise ValueError(f"a message of {len(data)} bytes is more than a packet holds ({MAX_BYTES})")
        try:
            if fds:
                socket.send_fds(self.end, [data], list(fds))
            else:
                self.end.send(data)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def wait(self, seconds: float | None) -> bool:
        """True when something can be read (or the other side is gone) within ``seconds``."""
        poller = select.poll()
        poller.register(self.end, select.POLLIN)
        return bool(poller.poll(None if seconds is None else max(0, int(seconds * 1000))))

    def receive(self) -> Message:
        """The next message. Descriptors that came with it are discarded by the kernel."""
        try:
            data = self.end.recv(MAX_BYTES + 1)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        return _parse(data)

    def receive_with_fds(self, most: int) -> tuple[Message, list[int]]:
        """The next message and up to ``most`` descriptors, which the caller must close."""
        try:
            data, fds, _, _ = socket.recv_fds(self.end, MAX_BYTES + 1, most)
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        try:
            return _parse(data), list(fds)
        except ChannelClosed:
            for fd in fds:
                os.close(fd)
            raise

    def close(self) -> None:
        """Close our end."""
        self.end.close()


def _parse(data: bytes) -> Message:
    if not data:
        raise ChannelClosed("the other side closed its end")
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ChannelClosed(f"not a message: {error}") from error
    if not isinstance(message, dict):
        raise ChannelClosed("not a message: not an object")
    return message
