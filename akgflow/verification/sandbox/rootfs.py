"""The files that a candidate can see: compilers, libraries and this Python, and no project, home or run folder."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store")
_ETC = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "localtime", "timezone"),
    *("locale.alias", "locale.conf", "nsswitch.conf", "passwd", "group", "os-release", "OpenCL", "vulkan", "amd"),
)
_TOOLKITS = ("CUDA_HOME", "CUDA_PATH", "ROCM_PATH", "ROCM_HOME", "HIP_PATH", "VIRTUAL_ENV")
_TOOLS = ("g++", "gcc", "clang++", "c++", "ld", "ninja", "nvcc", "hipcc", "python3")
_NODES = ("null", "zero", "full", "random", "urandom")
_GPU_NODES = ("nvidia*", "nvidia-caps/*", "nvidia-uvm*", "dri/*", "kfd", "davinci*", "infiniband/*", "dxg")


@dataclass(frozen=True)
class View:
    """``folders`` are real paths, none below another; ``links`` are symbolic links outside them; ``devices`` nodes."""

    folders: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]


def devices() -> tuple[str, ...]:
    """The harmless device nodes and those of GPUs, as far as they are here."""
    gpus = (path for pattern in _GPU_NODES for path in glob.glob(f"/dev/{pattern}"))
    return (*(f"/dev/{name}" for name in _NODES), *sorted({path for path in gpus if not os.path.isdir(path)}))


def view(*more: str) -> View:
    """What a candidate needs to see on this machine, and the folders ``more``."""
    folders: set[str] = set()
    links: dict[str, str] = {}
    for path in (*_wanted(), *more):
        if os.path.exists(path):
            folders.add(_resolve(path, links))
    kept = tuple(path for path in sorted(folders) if not _below(path, folders - {path}))
    outside = sorted((link, target) for link, target in links.items() if not _below(link, kept))
    return View(kept, tuple(outside), devices())


def _wanted() -> Iterator[str]:
    yield from _SYSTEM
    yield from (f"/etc/{name}" for name in _ETC)
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix}
    yield str(Path(__file__).parents[2])
    yield from filter(_harmless, (os.environ.get(name, "") for name in _TOOLKITS))
    yield from filter(_harmless, (path for path in sys.path if path.startswith("/")))
    yield from filter(_harmless, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))
    compilers = [os.environ[name].split()[0] for name in ("CC", "CXX") if os.environ.get(name, "").strip()]
    for tool in (*_TOOLS, *compilers):
        found = shutil.which(tool)
        if found:
            yield from filter(_harmless, (os.path.dirname(found), str(Path(found).resolve().parent.parent)))


def _harmless(folder: str) -> bool:
    """False for what holds more than a tool or a package: a source checkout, a home, the root."""
    if not folder.startswith("/"):
        return False
    real = os.path.realpath(folder)
    home = os.path.realpath(os.path.expanduser("~"))
    held = (home, os.path.realpath(Path(__file__).parents[2]), os.getcwd())
    in_system = real == "/usr" or real.startswith("/usr/")
    # Beside an installed package are packages; beside a checkout there can be any file.
    installed = bool(glob.glob(f"{glob.escape(real)}/akgflow-*.dist-info"))
    return in_system or installed or not any(path == real or path.startswith(real.rstrip("/") + "/") for path in held)


def _resolve(path: str, links: dict[str, str]) -> str:
    """The real path, noting each symbolic link on the way to it."""
    done, left = "/", [part for part in path.split("/") if part]
    for _ in range(400):
        if not left:
            break
        here = os.path.normpath(os.path.join(done, left.pop(0)))
        if os.path.islink(here):
            target = os.readlink(here)
            links[here] = target
            left = [part for part in target.split("/") if part] + left
            done = "/" if target.startswith("/") else os.path.dirname(here)
        else:
            done = here
    return done


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
