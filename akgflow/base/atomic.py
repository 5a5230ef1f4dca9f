"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from akgflow.base.serial import to_json

PART = ".part"
"""How the names of files that are being written end; they begin with a dot. A kill leaves them behind."""


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    r"""Replace ``path`` in one step: a reader sees all of the text or none of it, and a kill keeps the old file.

    Text is UTF-8; half of a surrogate pair, which has no such form, is written out (``\udc80``). ``durable`` also waits
    until the disk has it, so that it survives a loss of power. A file that holds the text already stays as it is: a run
    that goes on needs no room for what it has written before.
    """
    data = text.encode("utf-8", "backslashreplace")
    with suppress(OSError):
        if not durable and path.read_bytes() == data:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A short stem: the longest name that a file system takes (255 bytes) has no room for an ending.
    part = path.with_name(f".{path.name[:40]}.{os.getpid()}-{os.urandom(3).hex()}{PART}")
    try:
        with part.open("xb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def write_json(path: Path, value: Any, *, durable: bool = False) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, to_json(value, indent=2) + "\n", durable=durable)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
