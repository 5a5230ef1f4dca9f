"""torch's ``load_inline`` in a CUDA C++ session: the real one on a device, a stand-in elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common.diagnostics import first_errors
from akgflow.toolchains.common.patching import on_import
from akgflow.toolchains.common.workdir import cache_dir, environment
from akgflow.toolchains.cuda_c import source
from akgflow.toolchains.cuda_c.backends import Backend, OnDevice
from akgflow.toolchains.cuda_c.extension import Extension, inline_text, nvcc_flags


@contextlib.contextmanager
def accepted(backend: Backend, target: Target) -> Iterator[None]:
    """``torch.utils.cpp_extension.load_inline`` builds for ``target`` and counts as a kernel of this DSL."""
    if isinstance(backend, OnDevice):
        number = target.arch.removeprefix("sm_")
        digits = number.rstrip("af")
        values = {
            "TORCH_CUDA_ARCH_LIST": f"{digits[:-1]}.{digits[-1]}{number[len(digits) :]}",
            "TORCH_EXTENSIONS_DIR": str(cache_dir("cuda-torch")),
            "MAX_JOBS": "4",
        }
        wrap = _real(backend)
    else:
        values, wrap = {}, _stand_in(backend)
    with environment(values), on_import("torch.utils.cpp_extension", wrap):
        yield


def _stand_in(backend: Backend) -> Callable[[Any], None]:
    def load_inline(
        name: str,  # noqa: ARG001
        cpp_sources: Any,
        cuda_sources: Any = None,
        functions: Any = None,
        *_: Any,
        extra_cuda_cflags: Any = None,
        **__: Any,
    ) -> Extension:
        caller = Path(sys._getframe(1).f_code.co_filename)
        try:
            whole = caller.read_text(encoding="utf-8")
        except OSError:
            whole = ""
        text = inline_text(cpp_sources, cuda_sources, functions, lambda s: _line(whole, s), caller.name)
        return Extension(text, caller.name, backend, nvcc_flags(extra_cuda_cflags))

    return lambda module: setattr(module, "load_inline", load_inline)


def _line(whole: str, source: str) -> int:
    """The line of ``whole`` at which ``source`` begins; 1 where it does not stand there as it is."""
    return whole.count("\n", 0, max(whole.find(source), 0)) + 1


class _Called:
    """A built extension: a call of one of its functions counts as a launch of its kernels."""

    def __init__(self, module: Any, launched: Callable[[], None]) -> None:
        self.__dict__.update(_module=module, _launched=launched)

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._module, name)
        if name.startswith("_") or not callable(function):
            return function

        def first_call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            self._launched()
            self.__dict__[name] = function
            return result

        return first_call


def _real(backend: OnDevice) -> Callable[[Any], None]:
    def wrap(module: Any) -> None:
        original = module.load_inline

        def load_inline(name: str, cpp_sources: Any, cuda_sources: Any = None, *args: Any, **options: Any) -> Any:
            sources = [cuda_sources] if isinstance(cuda_sources, str) else list(cuda_sources or [])
            names = dict.fromkeys(kernel for text in sources for kernel in source.kernels_in(text))
            try:
                built = original(name, cpp_sources, cuda_sources, *args, **options)
            except RuntimeError as error:
                # It puts the whole build log into the message.
                raise CompileFailure(first_errors(str(error))) from None
            return _Called(built, lambda: backend.launched.update(names))

        module.load_inline = load_inline

    return wrap
