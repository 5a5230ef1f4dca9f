"""The protocol of an executor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.ranking import Ranking, RankRequest
from akgflow.verdict import JudgeRequest, Verdict

Using = Callable[[], AbstractAsyncContextManager[None]]
"""Entered while a judgement holds its slot on a device; it may cut the judgement off."""


class Executor(Protocol):
    """Judges candidates, as many at once as the machine carries; a timing has its device alone.

    A verdict's ``seconds`` are those for which the judgement held its slot: they include neither the wait for a slot
    nor the start of a judge.
    """

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict. What the candidate does ends in a verdict, never in an exception.

        Raises `MachineExhausted` where the judging machine is short of something: no verdict says that.
        """
        ...

    async def rank(self, asked: RankRequest) -> Ranking:
        """Which of many candidates are worth a judgement. What they do ends in the ranking, never in an exception.

        Raises `MachineExhausted` as `judge` does.
        """
        ...

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """An operator's features; where they cannot be traced, ``unknown`` gives the reason and nothing is raised."""
        ...

    async def close(self) -> None:
        """End every process that belongs to this executor."""
        ...
