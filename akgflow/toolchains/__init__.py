"""One module per DSL toolchain, found through the entry-point group ``akgflow.toolchains``."""

from akgflow.toolchains._registry import get, missing_on
from akgflow.toolchains.base import CompileFailure, Session, Toolchain, Unsupported

__all__ = ["CompileFailure", "Session", "Toolchain", "Unsupported", "get", "missing_on"]
