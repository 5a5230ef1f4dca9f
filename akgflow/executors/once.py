"""Judging outside of any run, with an executor that lasts as long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from akgflow.base.loop import run_async
from akgflow.executors.routing import RoutingExecutor
from akgflow.executors.scratch import temporary
from akgflow.machine import Machine

T = TypeVar("T")


@asynccontextmanager
async def temporary_executor(machine: Machine) -> AsyncIterator[RoutingExecutor]:
    """An executor with a scratch folder; both are closed afterwards."""
    scratch = temporary()
    executor = RoutingExecutor(machine, scratch.path)
    try:
        yield executor
    finally:
        try:
            await executor.close()
        finally:
            scratch.close()


def with_executor(machine: Machine, work: Callable[[RoutingExecutor], Coroutine[Any, Any, T]]) -> T:
    """What ``work`` gives with such an executor, for callers that are no coroutines."""

    async def worked() -> T:
        async with temporary_executor(machine) as executor:
            return await work(executor)

    return run_async(worked())
