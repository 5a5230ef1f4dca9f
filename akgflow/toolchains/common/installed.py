"""What is installed here, found without importing it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from akgflow.config.types import Target
from akgflow.machine import Machine


@cache
def package_dir(name: str) -> Path | None:
    """The folder of a top-level package, or None where it is not installed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


NOT_INSTALLED = "?"
"""In place of a version."""


def package_version(name: str) -> str:
    """The version of an installed distribution, or `NOT_INSTALLED`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return NOT_INSTALLED


@cache
def torch_platform() -> str | None:
    """``cuda`` or ``hip`` where torch was built for it, ``cpu`` where not, None where torch is not installed."""
    folder = package_dir("torch")
    if folder is None:
        return None
    try:
        text = (folder / "version.py").read_text(encoding="utf-8")
    except OSError:
        return "cpu"
    for name, platform in (("cuda", "cuda"), ("hip", "hip")):
        if re.search(rf"^{name}\b[^=\n]*=\s*['\"]", text, re.MULTILINE):
            return platform
    return "cpu"


def cxx() -> str | None:
    """The C++ compiler that builds candidates."""
    return shutil.which(os.environ.get("CXX") or "c++") or shutil.which("g++")


def tool_version(program: str | Path | None, word: str = "") -> str:
    """The line with ``word`` of what a compiler says about its version, or `NOT_INSTALLED`."""
    if program is None:
        return NOT_INSTALLED
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return NOT_INSTALLED
    return next((line.strip() for line in done.stdout.splitlines() if word in line), NOT_INSTALLED)


def no_device(target: Target, machine: Machine) -> str | None:
    """Why candidates cannot be executed on ``target`` here; None when they can."""
    if machine.device_for(target) is None:
        wanted = f"{target.platform} {target.arch}" + (f" named {target.device!r}" if target.device else "")
        have = ", ".join(f"{d.name} ({d.arch})" for d in machine.devices) or "no GPU"
        return f"no local device is {target.name} ({wanted}); this machine has {have}: run there"
    built = torch_platform()
    if built is None:
        return "torch is not installed: pip install torch"
    if built != target.platform:
        return f"torch is built for {built}, not for {target.platform}: install the build for {target.platform}"
    return None


def not_installed(files: Collection[str], *homes: str) -> set[str]:
    """Those files that came neither with Python nor with the system; what is below ``homes`` never did."""
    installed = (sys.prefix, sys.base_prefix, "/usr/", "/lib")
    return {file for file in files if file.startswith(homes) or not file.startswith(installed)}
