"""tvm-ffi's headers, compiled once for a machine: reading them is most of what a small C++ kernel takes to build.

A trusted process compiles them; candidates read them where the compiler's options are the same, and the headers
themselves where they are not, or where there is no GCC. Nothing that a candidate writes gets there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from akgflow.toolchains.common.installed import cxx, package_dir, package_version
from akgflow.toolchains.common.workdir import cache_dir, cpu_tag, digest

FIRST = "tvm/ffi/container/tensor.h"
"""What tvm-ffi's ``load_inline`` includes first: GCC takes a compiled header only there."""
_TEXT = """\
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/dtype.h>
#include <tvm/ffi/error.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/function.h>
"""
_AGAIN = f"#include_next <{FIRST}>\n"
"""What stands beside the compiled header: a candidate may include the header once more by itself."""
_SECONDS = 120.0


@cache
def compiled(flags: Sequence[str]) -> Path | None:
    """A folder to search before others, with the headers compiled with ``flags``; None where they cannot be."""
    compiler, package = cxx(), package_dir("tvm_ffi")
    if compiler is None or package is None:
        return None
    known = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    tools = (known, os.path.realpath(compiler), str(package), package_version("apache-tvm-ffi"))
    key = digest(*tools, *flags, cpu_tag(), _AGAIN)
    folder = cache_dir("headers") / key
    if (folder / f"{FIRST}.gch").exists():
        return folder
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        return folder if _compile([compiler, *flags, f"-I{package}/include"], beside, folder) else None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _compile(command: Sequence[str], beside: Path, folder: Path) -> bool:
    header = beside / "kept" / FIRST
    header.parent.mkdir(parents=True)
    text = beside / "all.h"
    text.write_text(_TEXT, encoding="utf-8")
    asked = [*command, "-x", "c++-header", str(text), "-o", f"{header}.gch"]
    try:
        subprocess.run(asked, check=True, capture_output=True, timeout=_SECONDS)
        header.write_text(_AGAIN, encoding="utf-8")
        os.rename(beside / "kept", folder)
    except (OSError, subprocess.SubprocessError):
        # Another process may have been faster; candidates read the headers themselves where none was.
        return (folder / f"{FIRST}.gch").exists()
    return True
