"""Progress: a live display on a terminal, one line an event elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from enum import IntEnum
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from akgflow.base.text import counted, lines
from akgflow.engine.standing import Stage, Standing
from akgflow.reporting._console import console
from akgflow.reporting.phrases import clock, spent

_AROUND = 4
"""Lines of a terminal that the rows of jobs leave to the display's head and the prompt."""


class Detail(IntEnum):
    """How much of a run is told while it goes on."""

    QUIET = 0
    """Nothing: what is wrong is said at the end."""
    NORMAL = 1
    VERBOSE = 2
    """Events with all their lines."""


class Progress:
    """Call it with (job, text); use it as a context manager around the run. ``live``: on a terminal, a display too."""

    def __init__(self, detail: Detail = Detail.NORMAL, *, live: bool = True) -> None:
        self._start = time.monotonic()
        self._console = console(sys.stderr)
        self._detail, self._wanted = detail, live and detail is not Detail.QUIET
        self._now: dict[str, tuple[float, str]] = {}
        self._standing: Standing | None = None
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal and self._wanted:
            self._live = Live(console=self._console, transient=True, get_renderable=self._shown, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the live display away; later events are lines."""
        if self._live:
            self._live.stop()
            self._live = None

    def watch(self, standing: Standing) -> None:
        """Show where a run stands above its jobs."""
        self._standing = standing

    def __call__(self, job: str, text: str) -> None:
        """One event of ``job``; an empty job is the run itself."""
        self.waits(job, text)
        if self._detail is Detail.QUIET:
            return
        elapsed, told = time.monotonic() - self._start, [*lines(text)] or [""]
        for line in told if self._detail is Detail.VERBOSE else [text]:
            self._console.print(
                f"{elapsed:7.1f} s  {job or 'run':<22} {line}", markup=False, style="dim", soft_wrap=True
            )

    def waits(self, job: str, text: str) -> None:
        """What ``job`` waits for, which only a terminal shows, with the seconds since."""
        self._now[job] = time.monotonic(), text

    def ended(self, job: str) -> None:
        """Take ``job``, and what is called ``job/…``, out of the display."""
        for name in [name for name in self._now if name == job or name.startswith(f"{job}/")]:
            del self._now[name]

    def _shown(self) -> Group:
        head = [_headline(self._standing, time.monotonic() - self._start)] if self._standing else []
        return Group(*head, self._jobs())

    def _jobs(self) -> Table:
        """Those that are not done, as many as a terminal has lines for."""
        rows = [(job, *seen) for job, seen in list(self._now.items()) if job and self._goes_on(job)]
        most = max(1, self._console.height - _AROUND)
        table = Table.grid(padding=(0, 2))
        room = self._console.width - max((len(job) for job, *_ in rows), default=0) - 16
        for job, since, text in rows[:most]:
            told = next(iter(lines(text)), "")[: max(16, room)]
            table.add_row(Spinner("dots", style="cyan"), job, told, clock(time.monotonic() - since))
        if len(rows) > most:
            table.add_row("", f"and {len(rows) - most} more", "", "")
        return table

    def _goes_on(self, job: str) -> bool:
        """What is done once for all jobs goes on until one of them says something."""
        stages = self._standing.stages if self._standing else {job: Stage.WORKING}
        if job in stages:
            return stages[job] is not Stage.DONE
        return all(since <= self._now[job][0] for since, _ in self._now.values())


def _headline(standing: Standing, elapsed: float) -> Text:
    return Text(" · ".join(_parts(standing, elapsed)), style="bold", overflow="ellipsis", no_wrap=True)


def _parts(standing: Standing, elapsed: float) -> Iterator[str]:
    """The time, the jobs by what they do, the best so far, and what was spent."""
    stages = list(standing.stages.values())
    counts = {stage: stages.count(stage) for stage in Stage}
    yield clock(elapsed)
    yield f"{counts[Stage.DONE]} of {counted(len(stages), 'job')} done, {len(standing.right)} right"
    judged = min(standing.judging, counts[Stage.JUDGING])
    waiting = {
        "judged": judged,
        "waiting for a judge": counts[Stage.JUDGING] - judged,
        "waiting for a model": counts[Stage.ASKING],
        "with an agent at work": counts[Stage.AT_WORK],
    }
    if any(waiting.values()):
        yield ", ".join(f"{number} {words}" for words, number in waiting.items() if number)
    if standing.best is not None:
        yield f"best {standing.best[1].ratio:.2f}x ({standing.best[0]})"
    if standing.spent.calls:
        yield spent(standing.spent)
