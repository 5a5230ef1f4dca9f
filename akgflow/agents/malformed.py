"""What is raised for a reply that is not in the form that was asked for."""

from __future__ import annotations


class MalformedReply(Exception):
    """The reply is not in the form that was asked for; ``reason`` is a sentence that the model can act on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RepeatedReply(MalformedReply):
    """The same malformed reply came again after it was sent back: to ask a third time would be paid for nothing."""


class NothingFound(MalformedReply):
    """A part of a reply holds nothing of what was asked for, right or wrong."""
