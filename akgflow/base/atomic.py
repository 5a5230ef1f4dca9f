"""Writes a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from akgflow.base.serial import to_json

PART = ".part"
"""The ending of files that are being written; their names begin with a dot. A kill leaves them behind."""


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    r"""`write_bytes` of a text in UTF-8; half of a surrogate pair, which UTF-8 cannot hold, is escaped (``\udc80``)."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"), durable=durable)


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replace ``path`` in one step: a reader sees all of the data or none of it, and a kill keeps the old file.

    ``durable`` also waits until the disk has it, so that it survives a loss of power. A file that holds the data
    already is not written: a continued run needs no room for what it has written before.
    """
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
