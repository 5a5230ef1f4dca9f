"""What a candidate leaves in its folder, once it has ended: made harmless to read, and removed whatever it is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

MAX_READ_BYTES = 64 << 20
"""Larger files are no compiled kernels, and nobody reads them."""


def tidy(folder: Path) -> None:
    """Remove what is neither a folder nor a file of reasonable size.

    A pipe would keep its reader waiting for ever, and a link may lead to what the candidate itself could not read.
    Nothing may still be running that can write there.
    """
    folders = [str(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not _plain(entry):
                    os.unlink(entry.path)


def _plain(entry: os.DirEntry[str]) -> bool:
    about = entry.stat(follow_symlinks=False)
    return stat.S_ISREG(about.st_mode) and about.st_size <= MAX_READ_BYTES


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, however deeply nested and with whatever permissions."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        # Python's own way opens every level of a tree at once, and gives up at folders that may not be read.
        subprocess.run(["chmod", "-R", "u+rwX", "--", folder], capture_output=True)
        subprocess.run(["rm", "-rf", "--", folder], capture_output=True)
