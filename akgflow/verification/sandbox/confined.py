"""Runs a command that may write below given folders only, and ends everything that it started when it ends.

``python -P -m akgflow.verification.sandbox.confined BOUNDS -- COMMAND…``, where BOUNDS is a JSON object of two lists of
paths: it may write below ``writes``, and read all but what is below ``hidden``. The command keeps its network: it is a
program of the user's, such as a command-line agent, and not a candidate. Where the kernel has no landlock, the command
runs without.

This process stays as the guard: it adopts orphans, and it ends them when the command ends, when it gets SIGTERM, and
when its caller is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from akgflow.verification.sandbox import landlock, libc, process_tree

NOT_STARTED = 127
_DEVICES = ("/dev/null", "/dev/zero", "/dev/tty", "/dev/urandom", "/dev/random", "/dev/shm", "/dev/pts", "/dev/ptmx")


def main() -> NoReturn:
    """Run the command; this process exits as it does."""
    at = sys.argv.index("--")
    bounds, command = json.loads(sys.argv[1]), sys.argv[at + 1 :]
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, _end)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _become(command, bounds["writes"], bounds["hidden"])
    status = _ended(child)
    process_tree.end_below(os.getpid())
    os._exit(status)


def _become(command: list[str], writes: list[str], hidden: list[str]) -> NoReturn:
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    grants = landlock.Grants(tuple(_all_but(hidden)), tuple(writes), _DEVICES)
    with suppress(libc.Refused):
        landlock.restrict(grants, network=True)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(NOT_STARTED)


def _all_but(hidden: list[str]) -> Iterator[str]:
    """Paths that hold together all that there is but ``hidden``: landlock grants, and cannot take back."""
    every = {os.path.realpath(path) for path in hidden}
    closed = {path for path in every if not every & set(_above(path))}
    opened = {folder for path in closed for folder in _above(path)}
    if not closed:
        yield "/"
    for folder in sorted(opened):
        with suppress(OSError), os.scandir(folder) as entries:
            # A link grants what it leads to, and that has its own place.
            yield from (one.path for one in entries if not one.is_symlink() and one.path not in opened | closed)


def _above(path: str) -> Iterator[str]:
    """The folders that a path is in, up to the root."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path


def _ended(child: int) -> int:
    """Reap whatever ends until the command does; its exit status, or 128 and the number of the signal."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    process_tree.end_below(os.getpid())
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
