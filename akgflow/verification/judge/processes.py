"""The processes in which one candidate is asked for one kind of evidence: the first, and one more for a second look."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType

from akgflow.verification.judge.evaluation import Trial


class Processes:
    """Starts them, and ends them when it is left.

    ``make`` makes a process that nothing has been asked of. Where the judge has something to do ``beside`` the start of
    the first, both go on at once, and the second is opened ahead of its use: libraries are loaded and a device's
    context is made while the first one is asked. ``second`` says that there will be one.
    """

    def __init__(
        self, make: Callable[[], Trial], module: str, beside: Callable[[], object] | None, *, second: bool
    ) -> None:
        self._make, self._module, self._beside, self._second = make, module, beside, second
        self._made: list[Trial] = []
        self._thread = ThreadPoolExecutor(1)
        self._ahead: Future[Trial] | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown()
        for trial in self._made:
            trial.close()

    def first(self) -> Trial:
        """The candidate, started; raises `CandidateFailed`. What fails beside it is said by the step that needs it."""
        if self._beside is None:
            return self._started()
        started = self._thread.submit(self._started)
        with suppress(Exception):
            self._beside()
        trial = started.result()
        if self._second:
            self._ahead = self._thread.submit(self._opened)
        return trial

    def another(self) -> Trial:
        """The same candidate in a process of its own, when the first has ended; raises `CandidateFailed`.

        None of the candidate's code has run in it before: two processes that run it could help one another.
        """
        opened, self._ahead = self._ahead, None
        return self._started(opened.result() if opened is not None else None)

    def _opened(self) -> Trial:
        trial = self._make()
        self._made.append(trial)
        trial.open()
        return trial

    def _started(self, opened: Trial | None = None) -> Trial:
        trial = opened or self._opened()
        trial.load(self._module)
        return trial
