"""What the build cache holds, and how to empty it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from akgflow.toolchains.common.workdir import cache_root

IN_USE = 600.0
"""Seconds for which what was built stays whatever is asked: a judgement may be about to load it."""


@dataclass(frozen=True)
class Kind:
    """The builds of one kind: how many files, and their bytes on the disk."""

    name: str
    files: int
    bytes: int


def contents() -> list[Kind]:
    """Every kind of build that the cache holds; of a cache that nobody has used yet, none."""
    folders = sorted(cache_root().glob("*/"))
    found = ((folder.name, [size for _, size, _ in _files(folder)]) for folder in folders)
    return [Kind(name, len(sizes), sum(sizes)) for name, sizes in found]


def clean(older_than: float = 0.0) -> int:
    """Remove what was built more than ``older_than`` seconds ago, and `IN_USE` at least; the bytes that this freed."""
    before, freed = time.time() - max(older_than, IN_USE), 0
    for path, size, built in list(_files(cache_root())):
        if built < before:
            path.unlink(missing_ok=True)
            freed += size
    for folder in sorted(cache_root().rglob("*/"), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return freed


def _files(folder: Path) -> Iterator[tuple[Path, int, float]]:
    """Each file with its bytes on the disk and the time when it was written; another process may remove some."""
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if path.is_symlink() or path.is_file():
            yield path, found.st_blocks * 512, found.st_mtime
