"""Runs trials, several in flight, so that the order in which they finish changes nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def pipeline(
    trials: int,
    parallel: int,
    begin: Callable[[int], Coroutine[Any, Any, T] | None],
    commit: Callable[[int, T], bool],
) -> None:
    """Run up to ``trials`` trials, numbered from 1.

    Trial t begins (``begin`` decides what it does, None ends the search) as soon as the trials up to t - ``parallel``
    are committed, and all are committed in order. So each decision depends on the same results for the same replies and
    verdicts, while up to ``parallel`` trials run concurrently. ``commit`` returns True to begin no more.

    Where a trial fails, those in flight are finished and committed, since they are paid for; then its error is raised.
    """
    flying: deque[tuple[int, asyncio.Task[T]]] = deque()
    failed: BaseException | None = None
    number, over = 0, False
    try:
        while True:
            while not over and number < trials and len(flying) < parallel:
                work = begin(number + 1)
                over = work is None
                if work is not None:
                    number += 1
                    flying.append((number, asyncio.ensure_future(work)))
            if not flying:
                break
            first, task = flying.popleft()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(ended, BaseException):
                failed, over = failed or ended, True
            else:
                over = commit(first, ended) or over
    finally:
        for _, task in flying:
            task.cancel()
    if failed is not None:
        raise failed
