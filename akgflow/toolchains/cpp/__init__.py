"""C++ on this machine's processor: candidates build with tvm-ffi (or torch's extension builder) and run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from akgflow.base.maps import mappings
from akgflow.config.types import Target
from akgflow.machine import Machine
from akgflow.sanitized import Sanitized
from akgflow.terms import Evidence
from akgflow.toolchains.base import CompileFailure, Session, Shipping, Unsupported, source_is_module
from akgflow.toolchains.common.diagnostics import first_errors, quoting, says_an_error
from akgflow.toolchains.common.headers import compiled
from akgflow.toolchains.common.installed import cxx, not_installed, package_dir
from akgflow.toolchains.common.patching import on_import, patched
from akgflow.toolchains.common.silence import can_silence, silence
from akgflow.toolchains.common.workdir import cache_dir, cpu_tag, inside, prepared_dirs
from akgflow.toolchains.cpp.recording import Recorder
from akgflow.verdict import KernelResources

COMPILE_FLAGS = ("-O3", "-march=native", "-fopenmp", "-fdiagnostics-color=never")
LINK_FLAGS = ("-fopenmp",)
_OF_TVM_FFI = ("-std=c++17", "-fPIC", "-O2")
"""Flags that its ``load_inline`` adds."""


def missing(evidence: Evidence, target: Target, machine: Machine) -> str | None:  # noqa: ARG001
    """Why ``evidence`` cannot be had for ``target`` here, and how to get it; None when it can."""
    if target.platform != "cpu":
        return f"C++ candidates run on CPUs, and {target.name} is a {target.platform} target"
    if evidence is not Evidence.EXECUTED:
        return f"C++ is executed here, so it is not {evidence} besides"
    for package, distribution in (("tvm_ffi", "apache-tvm-ffi"), ("torch", "torch")):
        if package_dir(package) is None:
            return f"{distribution} is not installed: pip install {distribution}"
    if cxx() is None:
        return "no C++ compiler was found: install g++ (Debian: apt-get install g++), or name one in CXX"
    return None


def prepared() -> Sequence[str]:
    """The folder of tvm-ffi's compiled headers, where this machine's compiler makes one."""
    folder = compiled((*_OF_TVM_FFI, *COMPILE_FLAGS))
    return () if folder is None else (str(folder),)


def silences(evidence: Evidence, target: Target) -> bool:  # noqa: ARG001
    """True where `_CppSession.silence` works."""
    return can_silence()


def sees_kernels(evidence: Evidence, target: Target, scratch: Path, files: Collection[str]) -> bool:  # noqa: ARG001
    """True when a process that has mapped the code in ``files`` has some that is not installed here."""
    return bool(not_installed(files, str(scratch)))


def shipping(evidence: Evidence, target: Target) -> Shipping | str:  # noqa: ARG001
    """A package compiles the text at its first call, with the flags that were judged."""
    return Shipping(
        loader="load_inline",
        requires={"tvm_ffi": "apache-tvm-ffi>=0.1.9,<0.2"},
        besides=("ninja>=1.11",),
        compile_flags=COMPILE_FLAGS,
        link_flags=LINK_FLAGS,
    )


class _CppSession:
    """Remembers which functions of the built libraries were called, and which libraries were here before."""

    device = "cpu"

    def __init__(self) -> None:
        self.called: dict[str, None] = {}
        self.recorder: Recorder | None = None
        self._before = _mapped()

    def kernels(self) -> Sequence[str]:
        # A candidate may also build with a compiler of its own choice and load the library by itself.
        return tuple(self.called) or tuple(sorted(Path(path).name for path in _mapped() - self._before))

    def silence(self) -> bool:
        return silence(_mapped() - self._before)

    def record(self, folder: Path) -> None:
        """Write to ``folder`` what is built and called from now on, for `sanitize`."""
        self.recorder = Recorder(folder)


def _mapped() -> set[str]:
    """Files with code that this process has mapped, except those installed with Python or the system."""
    return not_installed({one.file for one in mappings() if one.is_code}, os.getcwd(), str(cache_dir(".")))


class _Library:
    """A built library: its functions note their first call, and from then on stand here themselves."""

    def __init__(self, library: Any, session: _CppSession, number: int | None = None) -> None:
        self.__dict__.update(_library=library, _session=session, _number=number)

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._library, name)
        if name.startswith("_") or not callable(function):
            return function
        recorder = self._session.recorder
        if recorder is not None and self._number is not None:
            return self._recorded(recorder, name, function)

        def first_call(*args: Any, **kwargs: Any) -> Any:
            self._session.called[name] = None
            self.__dict__[name] = function
            return function(*args, **kwargs)

        return first_call

    def _recorded(self, recorder: Recorder, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self._session.called[name] = None
            recorder.called(self._number, name, args)
            return function(*args)

        return call

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def get_function(self, name: str) -> Any:
        return getattr(self, name)


@contextlib.contextmanager
def session(evidence: Evidence, target: Target, scratch: Path) -> Iterator[Session]:  # noqa: ARG001
    """Prepare this process to import and call a C++ candidate on CPU tensors.

    Builds are kept in the build cache, keyed by their content. Raises `CompileFailure` from the candidate's
    ``load_inline`` with the compiler's words.
    """
    cache = str(cache_dir(f"cpp-{cpu_tag()}"))
    values = {"TVM_FFI_CACHE_DIR": f"{cache}/tvm-ffi", "TORCH_EXTENSIONS_DIR": f"{cache}/torch", "MAX_JOBS": "2"}
    with inside(scratch, **values), contextlib.ExitStack() as stack:
        import tvm_ffi.cpp
        import tvm_ffi.cpp.extension

        here = _CppSession()
        ours = _tvm_loader(tvm_ffi.cpp.load_inline, here)
        stack.enter_context(patched((tvm_ffi.cpp, "load_inline", ours), (tvm_ffi.cpp.extension, "load_inline", ours)))
        # Its import takes longer than most kernels: candidates that use torch's builder pay for it, others do not.
        stack.enter_context(on_import("torch.utils.cpp_extension", lambda module: _wrap_torch(module, here)))
        yield here


def _tvm_loader(original: Callable[..., Any], session: _CppSession) -> Callable[..., Any]:
    headers = [f"-I{folder}" for folder in prepared_dirs()]

    def load_inline(name: str, *, cpp_sources: Any = None, **options: Any) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        sources = [cpp_sources] if isinstance(cpp_sources, str) else list(cpp_sources or [])
        options["cpp_sources"] = [_with_line(source, caller) for source in sources] or None
        options["extra_cflags"] = [*COMPILE_FLAGS, *_flags(options.get("extra_cflags"))]
        options["extra_ldflags"] = [*LINK_FLAGS, *_flags(options.get("extra_ldflags"))]
        recorder = session.recorder
        number = None if recorder is None else recorder.built(name, options)
        options["extra_cflags"] = [*headers, *options["extra_cflags"]]
        with _compiler_words(caller):
            return _Library(original(name, **options), session, number)

    return load_inline


def _wrap_torch(module: Any, session: _CppSession) -> None:
    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def build(name: str, *args: Any, **options: Any) -> Any:
            options["extra_cflags"] = [*COMPILE_FLAGS, *_flags(options.get("extra_cflags"))]
            options["extra_ldflags"] = [*LINK_FLAGS, *_flags(options.get("extra_ldflags"))]
            with _compiler_words(""):
                return _Library(original(name, *args, **options), session)

        return build

    module.load_inline, module.load = wrapped(module.load_inline), wrapped(module.load)


def _flags(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given or [])


@contextlib.contextmanager
def _compiler_words(file: str) -> Iterator[None]:
    """What the builders raise as a RuntimeError around a build log becomes `CompileFailure`.

    Places in ``file`` are shown with their line's text.
    """
    try:
        yield
    except RuntimeError as error:
        text = first_errors(str(error))
        if not says_an_error(str(error)):
            # A tool is missing or a disk is full: no compiler has said anything about the text.
            raise Unsupported(f"the builder failed for a reason other than this text: {text}") from None
        raise CompileFailure(quoting(text, Path(file)) if file else text) from None


def _with_line(source: str, file: str) -> str:
    """``source`` with a directive that makes the compiler count lines as the candidate's file does."""
    try:
        whole = Path(file).read_text(encoding="utf-8")
    except OSError:
        return source
    at = whole.find(source)
    if at < 0 or not source.strip():
        return source
    return f'#line {whole.count(chr(10), 0, at) + 1} "{os.path.basename(file)}"\n{source}'


def sanitize(kind: str, folder: Path) -> Sanitized:
    """What a sanitizer says about the calls that a session recorded in ``folder``."""
    from akgflow.toolchains.cpp.sanitizers import look

    return look(kind, folder)


def resources(target: Target, scratch: Path) -> Sequence[KernelResources]:  # noqa: ARG001
    """A CPU has no per-kernel resources to report."""
    return ()


source_module = source_is_module
