"""The protocol of an executor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from akgflow.verdict import FeatureRequest, JudgeRequest, OperatorFeatures, Verdict

Using = Callable[[], AbstractAsyncContextManager[None]]
"""Entered for as long as a judgement holds its place on a device; it may cut the judgement off."""


class Executor(Protocol):
    """Judges candidates within the machine's means; timing has its device to itself.

    A verdict's ``seconds`` are those for which the judgement held its place; waiting for one, and the start of a judge,
    are left out.
    """

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict. Whatever the candidate does is a verdict, never an exception.

        Raises `MachineExhausted` where the machine that judges is short of something; no verdict says that.
        """
        ...

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """What an operator does; where that cannot be told, ``unknown`` says why, and no exception does."""
        ...

    async def close(self) -> None:
        """End every process that belongs to this executor."""
        ...
