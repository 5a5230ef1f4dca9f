"""Judging outside of any run, with an executor that lasts as long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from akgflow.executors.routing import RoutingExecutor
from akgflow.executors.scratch import temporary
from akgflow.machine import Machine


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
