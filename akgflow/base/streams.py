"""Standard input, output and error of the command: what is printed steers no terminal, and no stream ends a run.

A reader that goes away (``| head -1``) is no failure. What a full disk or a closed stream takes is remembered by
`Streams`, so that the command can end first and say so then. `reporting.console` prints tables on the same streams.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

from akgflow.base.text import visible


def echo(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Print ``text`` with everything written out that would steer a terminal."""
    write(visible(text) + end, err=err)


def write(text: str, *, err: bool = False) -> None:
    """Print what is safe for a terminal as it is, such as our own colours around `visible` text."""
    stream = sys.stderr if err else sys.stdout
    stream.write(text)
    stream.flush()


class Streams:
    """The three standard streams, usable even where the process was started without some of them."""

    def __init__(self) -> None:
        self.closed = sys.stdout is None
        """True where there is no standard output, so that nothing can be printed."""
        for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
            if stream is None:
                _fill(number)
        if sys.stdin is None:
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        # A caller that has replaced a stream reads it there.
        self._out: _Descriptor | None = None
        if sys.stdout is sys.__stdout__:
            self._out, sys.stdout = _opened(1, sys.stdout)
        if sys.stderr is sys.__stderr__:
            _, sys.stderr = _opened(2, sys.stderr)

    @property
    def lost(self) -> str:
        """Why what was printed on standard output did not arrive; empty where it did, or its reader went away."""
        sys.stdout.flush()
        failed = self._out.failed if self._out is not None else None
        return "" if failed is None or failed.errno == errno.EPIPE else str(failed.strerror)


class _Descriptor(io.FileIO):
    """A descriptor to write to that raises nothing: after its first failure, it takes everything and keeps nothing."""

    failed: OSError | None = None

    def write(self, data: Any, /) -> int:
        if self.failed is None:
            try:
                return super().write(data)
            except OSError as failed:
                self.failed = failed
        return memoryview(data).nbytes


def _opened(number: int, before: TextIO | None) -> tuple[_Descriptor, TextIO]:
    """The descriptor ``number`` as a text stream; what its encoding lacks is written as an escape."""
    raw = _Descriptor(number, "w", closefd=False)
    encoding = before.encoding if before is not None else "utf-8"
    buffered = number == 1 and not raw.isatty()
    stream = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=not buffered
    )
    return raw, stream


def _fill(number: int) -> None:
    """Put ``/dev/null`` where a stream is closed: else the next file that is opened takes its number."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
