"""Judging outside of any run: an executor for as long as it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from akgflow.executors.routing import RoutingExecutor
from akgflow.executors.scratch import temporary
from akgflow.machine import Machine


@asynccontextmanager
async def executor_alone(machine: Machine) -> AsyncIterator[RoutingExecutor]:
    """An executor with a scratch folder of its own; both are gone afterwards."""
    scratch = temporary()
    executor = RoutingExecutor(machine, scratch.path)
    try:
        yield executor
    finally:
        try:
            await executor.close()
        finally:
            scratch.close()
