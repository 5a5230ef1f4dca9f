"""Whose fault a failure is while Triton kernels are compiled or interpreted, and the compiler's words about it."""

from __future__ import annotations

import re
from typing import Any

from akgflow.toolchains.base import CompileFailure, Unsupported
from akgflow.toolchains.common.installed import package_version

_MAX_CHARS = 4000


def _location(function: Any, error: Any) -> str:
    """``kernel NAME, line N of the module`` for a compilation error."""
    from akgflow.toolchains.triton.interpreter.rewriting import definition_line

    line = getattr(getattr(error, "node", None), "lineno", None)
    name = getattr(function, "__name__", "kernel")
    if line is None or getattr(function, "raw_src", None) is None:
        return f"kernel {name}"
    # The compiler counts from the `def`.
    return f"kernel {name}, line {definition_line(function) + line - 1} of the module"


def translate(function: Any, error: BaseException) -> CompileFailure:
    """Triton's own words about ``error``, innermost cause first, cut to what matters.

    Where the compiler cannot build any kernel for the architecture, that is `Unsupported`, and no kernel's fault.
    """
    text = str(error) or repr(error)
    if "PassManager" in text and (lacking := _lacking()):
        return Unsupported(lacking)
    first = _assembler_words(text) or getattr(error, "error_message", None) or ""
    inner: BaseException | None = error.__cause__
    while inner is not None:
        if str(inner):
            text = f"{str(inner).strip()}\nin: {text}"
            first = str(inner).strip()
        inner = inner.__cause__
    # The first line is what a verdict shows: the complaint itself, before the source that the compiler quotes.
    said = first.partition("\n")[0].strip()
    if "been removed" in said:
        # Right for the Triton that it was written for.
        said += f" (triton {package_version('triton')} is installed, and the kernel needs an older one)"
    text = f"{said}\n{text}" if said and not text.startswith(said) else text
    return CompileFailure(f"{_location(function, error)}: {text}"[:_MAX_CHARS])


def _lacking() -> str | None:
    """Why the compiler builds no kernel at all for the architecture that it compiles for; None where it builds one.

    For an AMD architecture that it does not know, LLVM fails in a pass and names no reason.
    """
    import triton
    from triton.compiler import ASTSource
    from triton.runtime.driver import driver

    target = driver.active.get_current_target()
    source = ASTSource(triton.jit(_nothing), signature={"x": "*fp32"})
    try:
        triton.compile(source, target=target)
    except Exception:
        installed = f"triton {package_version('triton')}"
        return f"{installed} compiles no kernel at all for {target.arch}: check the target's arch, or install another"
    return None


def _nothing(x: Any) -> None:  # noqa: ARG001
    return


def _assembler_words(text: str) -> str:
    """The assembler's first complaint in a long report; empty where there is none."""
    found = re.search(r"^ptxas.*?error\s*:\s*(.+)$", text, re.MULTILINE)
    return f"ptxas: {found[1]}" if found else ""


def is_compile_error(error: BaseException, launches: bool) -> bool:
    """``launches`` tells whether launching is real: if it is not, a RuntimeError can only be the compiler's."""
    from triton.compiler.errors import CompilationError
    from triton.runtime.errors import OutOfResources, PTXASError

    if isinstance(error, CompilationError | OutOfResources | PTXASError):
        return True
    if type(error) is not RuntimeError:
        return False
    return "PassManager" in str(error) or "LLVM" in str(error) or (not launches and "Triton" not in str(error))
