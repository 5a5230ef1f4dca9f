"""Tells the answer in a reply from the reasoning before it, whether or not the reasoning is marked at both ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from akgflow.agents.malformed import MalformedReply, NothingFound

_NAMES = "think|thinking|reasoning|thought"
_LEADING = re.compile(rf"\A\s*<(?P<name>{_NAMES})>.*?</(?P=name)>", re.DOTALL | re.IGNORECASE)
_OPENED = re.compile(rf"\A\s*<(?:{_NAMES})>", re.IGNORECASE)
# Some servers take the opening tag into the prompt, so that the reply begins in the middle of the reasoning.
_END = re.compile(rf"^[ \t]*</(?:{_NAMES})>|</(?:{_NAMES})>(?=[ \t]*$)", re.MULTILINE | re.IGNORECASE)
_ONLY = "it holds reasoning only and no answer after it"

T = TypeVar("T")


class Parts(NamedTuple):
    """``answer`` is the reply without its reasoning; ``reasoned`` says whether there is any."""

    answer: str
    reasoned: bool


def without_reasoning(text: str, kept: Iterable[tuple[int, int]] = ()) -> Parts:
    """The part of a reply after its reasoning; tags between the offsets ``kept`` are text of the answer."""
    start = 0
    while leading := _LEADING.match(text[start:]):
        start += leading.end()
    if _OPENED.match(text[start:]):
        return Parts("", reasoned=True)
    places = tuple(kept)
    ends = [
        match.end()
        for match in _END.finditer(text, start)
        if not any(first <= match.start() < last for first, last in places)
    ]
    start = ends[-1] if ends else start
    return Parts(text[start:], reasoned=start > 0)


def read_answer(text: str, read: Callable[[str], T], kept: Iterable[tuple[int, int]] = ()) -> T:
    """What ``read`` makes of the answer; of the whole reply where nothing of it comes after the reasoning.

    ``read`` raises `NothingFound` where it is given a text that holds nothing of what was asked for.
    """
    answer, reasoned = without_reasoning(text, kept)
    try:
        return read(answer)
    except NothingFound:
        if not reasoned:
            raise
    try:
        return read(text)
    except MalformedReply:
        raise MalformedReply(_ONLY if not answer.strip() else f"{_ONLY} that fits the form asked for") from None
