"""The protocol of an executor."""

from __future__ import annotations

from typing import Protocol

from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.verdict import JudgeRequest, Verdict


class Executor(Protocol):
    """Judges candidates within the machine's means; timing has its device to itself."""

    async def judge(self, request: JudgeRequest) -> Verdict:
        """The verdict. Whatever the candidate does is a verdict, never an exception."""
        ...

    async def features(self, request: FeatureRequest) -> OperatorFeatures:
        """What an operator does; where that cannot be told, ``unknown`` says why, and no exception does."""
        ...

    async def close(self) -> None:
        """End every process that belongs to this executor."""
        ...
