"""One module per DSL toolchain, found through the entry-point group ``akgflow.toolchains``."""

from akgflow.toolchains.base import CompileFailure, Session, Shipping, Toolchain, Unsupported, source_is_module
from akgflow.toolchains.common import cache
from akgflow.toolchains.common.workdir import PREPARED, cache_dir, cache_root, digest
from akgflow.toolchains.registry import (
    FRAMEWORK,
    get,
    interpreter_checks,
    missing,
    missing_on,
    prepared,
    sanitizer,
    sees_kernels,
    shipping,
    silences,
)

__all__ = [
    "FRAMEWORK",
    "PREPARED",
    "CompileFailure",
    "Session",
    "Shipping",
    "Toolchain",
    "Unsupported",
    "cache",
    "cache_dir",
    "cache_root",
    "digest",
    "get",
    "interpreter_checks",
    "missing",
    "missing_on",
    "prepared",
    "sanitizer",
    "sees_kernels",
    "shipping",
    "silences",
    "source_is_module",
]
