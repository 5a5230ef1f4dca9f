"""torch's ``load_inline`` in a CUDA C++ session: the real one on a device, a stand-in elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.common.patching import on_import
from akgflow.toolchains.common.workdir import cache_dir, environment
from akgflow.toolchains.cuda_c import faults
from akgflow.toolchains.cuda_c.backends import Backend, Flags, OnDevice, Source, kept_flags, listed
from akgflow.toolchains.cuda_c.extension import Extension, inline_sources, nvcc_flags
from akgflow.toolchains.cuda_c.text import source


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
        name: str,
        cpp_sources: Any,
        cuda_sources: Any = None,
        functions: Any = None,
        *_: Any,
        **options: Any,
    ) -> Extension:
        caller = Path(sys._getframe(1).f_code.co_filename)
        try:
            whole = caller.read_text(encoding="utf-8")
        except OSError:
            whole = ""
        sources = inline_sources(cpp_sources, cuda_sources, functions, lambda s: _line(whole, s), caller.name)
        return Extension(sources, backend, _flags(name, options, []))

    def load(name: str, sources: Any, *_: Any, **options: Any) -> Extension:
        paths = [Path(one) for one in listed(sources)]
        texts = [Source(path.read_text(encoding="utf-8"), path.name, path.suffix != ".cu") for path in paths]
        return Extension(texts, backend, _flags(name, options, [str(path.parent.resolve()) for path in paths]))

    def wrap(module: Any) -> None:
        module.load_inline, module.load = load_inline, load

    return wrap


def _flags(name: str, options: Mapping[str, Any], folders: Sequence[str]) -> Flags:
    """The candidate's flags, and the folders that its texts may include from."""
    nvcc, host = options.get("extra_cuda_cflags"), options.get("extra_cflags")
    places = [f"-I{folder}" for folder in dict.fromkeys([*folders, *listed(options.get("extra_include_paths"))])]
    own = [f"-DTORCH_EXTENSION_NAME={name}"] if name.isidentifier() else []
    return Flags((*nvcc_flags(nvcc), *own, *places), (*kept_flags(host), *own, *places))


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
        module.load_inline = _built_by(module.load_inline, backend, _inline_texts)
        module.load = _built_by(module.load, backend, _file_texts)

    return wrap


def _built_by(
    original: Callable[..., Any], backend: OnDevice, texts_of: Callable[..., list[str]]
) -> Callable[..., Any]:
    def build(name: str, *args: Any, **options: Any) -> Any:
        names = dict.fromkeys(kernel for text in texts_of(*args, **options) for kernel in source.kernels_in(text))
        try:
            built = original(name, *args, **options)
        except RuntimeError as error:
            # It puts the whole build log into the message.
            raise faults.of_real_build(str(error)) from None
        return _Called(built, lambda: backend.launched.update(names))

    return build


def _inline_texts(cpp_sources: Any = None, cuda_sources: Any = None, *_: Any, **__: Any) -> list[str]:
    return [*listed(cpp_sources), *listed(cuda_sources)]


def _file_texts(sources: Any = None, *_: Any, **__: Any) -> list[str]:
    return [Path(one).read_text(encoding="utf-8", errors="replace") for one in listed(sources)]
