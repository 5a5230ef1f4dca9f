"""Where toolchains write: the session's scratch folder, and a build cache that is shared between sessions."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import platformdirs

ARTIFACTS = "artifacts"
"""Folder below a session's scratch that `resources` reads."""
NOTE = "kernel.json"
"""The file beside an artefact that `note_in` reads."""


def cache_root() -> Path:
    """The folder of the build cache, whether it is there or not."""
    return Path(os.environ.get("AKGFLOW_CACHE") or platformdirs.user_cache_dir("akgflow"))


def cache_dir(kind: str) -> Path:
    """The build cache for ``kind`` (made if need be): below ``AKGFLOW_CACHE``, else the user's cache folder."""
    folder = cache_root() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


PREPARED = "AKGFLOW_PREPARED"
"""Where a candidate's process finds the names of the folders that its toolchain has prepared."""


def prepared_dirs() -> tuple[Path, ...]:
    """Those folders, in a candidate's process."""
    return tuple(Path(name) for name in os.environ.get(PREPARED, "").split(os.pathsep) if name)


def artifacts_dir(scratch: Path) -> Path:
    """The folder for compiled artefacts of this session, made if need be."""
    folder = scratch / ARTIFACTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def artifacts_in(scratch: Path) -> list[Path]:
    """A folder for each thing that this session compiled, in order."""
    return [folder for folder in sorted((scratch / ARTIFACTS).glob("*/")) if folder.is_dir()]


def note_in(folder: Path) -> dict[str, int]:
    """The session's note beside an artefact: sizes and counts by name. What is none of these is left out."""
    try:
        data = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {key: value for key, value in data.items() if isinstance(value, int) and value >= 0}


def digest(*parts: str) -> str:
    """Twenty hex digits that name a build by everything that went into it."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:20]


@cache
def cpu_tag() -> str:
    """Names this processor's instruction set: code built with ``-march=native`` must not travel to another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    features = next((line for line in lines if line.lower().startswith(("flags", "features"))), platform.processor())
    return f"{platform.machine()}-{digest(features)[:8]}"


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the time of a ``with`` block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def inside(scratch: Path, **values: str) -> Iterator[None]:
    """Temporary files under ``scratch``, this interpreter's scripts (ninja) on PATH, and ``values`` set."""
    temporary = scratch / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    scripts = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    if scripts not in path.split(os.pathsep):
        path = path + os.pathsep + scripts
    before = tempfile.tempdir
    tempfile.tempdir = str(temporary)
    try:
        with environment({"TMPDIR": str(temporary), "PATH": path, **values}):
            yield
    finally:
        tempfile.tempdir = before
