"""Coroutines for callers that are none, whatever thread they are in and whether or not a loop runs there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, in an event loop of its own; an interruption cancels it before it is raised.

    A notebook runs a loop in the thread that its cells run in: there ``work`` gets a thread of its own.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _beside(work)


def _beside(work: Coroutine[Any, Any, T]) -> T:
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def main() -> T:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    with ThreadPoolExecutor(1, "akgflow") as thread:
        ended = thread.submit(asyncio.run, main())
        try:
            return ended.result()
        except BaseException:
            if not ended.done():
                loop, task = begun.result()
                if task is not None:
                    with suppress(RuntimeError):  # the loop has just closed
                        loop.call_soon_threadsafe(task.cancel)
            raise
