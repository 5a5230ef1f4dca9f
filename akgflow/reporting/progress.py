"""Progress: a live table on a terminal, one line an event elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from akgflow.base.text import lines
from akgflow.reporting._console import console


class Progress:
    """Call it with (job, text); use it as a context manager around the run."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._console = console(sys.stderr)
        self._now: dict[str, tuple[float, str]] = {}
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, get_renderable=self._table, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the live table away; later events are lines."""
        if self._live:
            self._live.stop()
            self._live = None

    def __call__(self, job: str, text: str) -> None:
        """One event of ``job``; an empty job is the run itself."""
        self.waits(job, text)
        elapsed = time.monotonic() - self._start
        self._console.print(f"{elapsed:7.1f} s  {job or 'run':<22} {text}", markup=False, style="dim", soft_wrap=True)

    def waits(self, job: str, text: str) -> None:
        """What ``job`` waits for, which only a terminal shows, with the seconds since."""
        self._now[job] = time.monotonic(), text

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for job, (since, text) in self._now.items():
            if job:
                seconds = f"{time.monotonic() - since:.0f} s"
                table.add_row(Spinner("dots", style="cyan"), job, next(iter(lines(text)), "")[:100], seconds)
        return table
