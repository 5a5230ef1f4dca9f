"""The inside of a Triton session: hooks on Triton's runtime that record, compile and translate errors."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common.patching import patched
from akgflow.toolchains.common.workdir import NOTE, artifacts_dir

_KEPT = ("cubin", "ptx", "hsaco", "amdgcn")
_MAX_CHARS = 4000


class TritonSession:
    """Where tensors live, and the kernels that were launched so far, in order of their first launch."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.launched: dict[str, None] = {}
        self.silent = False

    def kernels(self) -> Sequence[str]:
        return tuple(self.launched)

    def silence(self) -> bool:
        self.silent = True
        return True


class ArtifactKeeper:
    """Copies what was compiled for each launched specialisation to ``scratch``, once each."""

    def __init__(self, scratch: Path) -> None:
        self._root = artifacts_dir(scratch)
        self._seen: set[str] = set()

    def keep(self, kernel: Any) -> None:
        """Copy the binary and the assembly of a compiled kernel, and note what no binary carries."""
        if kernel.hash in self._seen:
            return
        folder = self._root / f"{len(self._seen):03d}-{kernel.name[:80]}"
        self._seen.add(kernel.hash)
        folder.mkdir()
        for name, path in kernel.metadata_group.items():
            extension = name.rsplit(".", 1)[-1]
            if extension in _KEPT:
                shutil.copyfile(path, folder / f"kernel.{extension}")
        metadata = kernel.metadata
        about = {key: getattr(metadata, key) for key in ("name", "shared", "num_warps", "num_stages")}
        (folder / NOTE).write_text(json.dumps(about), encoding="utf-8")


def _location(function: Any, error: Any) -> str:
    """``kernel NAME, line N of the module`` for a compilation error."""
    line = getattr(getattr(error, "node", None), "lineno", None)
    name = getattr(function, "__name__", "kernel")
    raw = getattr(function, "raw_src", None)
    if line is None or raw is None:
        return f"kernel {name}"
    # The compiler counts from the `def`; decorators stand before it in the file.
    decorators = next((i for i, text in enumerate(raw) if text.lstrip().startswith("def ")), 0)
    return f"kernel {name}, line {function.starting_line_number + decorators + line - 1} of the module"


def translate(function: Any, error: BaseException) -> CompileFailure:
    """Triton's own words about ``error``, innermost cause first, cut to what matters."""
    text = str(error) or repr(error)
    inner: BaseException | None = error.__cause__
    while inner is not None:
        if str(inner):
            text = f"{str(inner).strip()}\nin: {text}"
        inner = inner.__cause__
    return CompileFailure(f"{_location(function, error)}: {text}"[:_MAX_CHARS])


def _is_compile_error(error: BaseException, launches: bool) -> bool:
    """``launches`` tells whether launching is real: if it is not, a RuntimeError can only be the compiler's."""
    from triton.compiler.errors import CompilationError
    from triton.runtime.errors import OutOfResources, PTXASError

    if isinstance(error, CompilationError | OutOfResources | PTXASError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    return "PassManager" in str(error) or "LLVM" in str(error) or (not launches and "Triton" not in str(error))


@contextlib.contextmanager
def compiling(session: TritonSession, keeper: ArtifactKeeper | None) -> Iterator[None]:
    """Record launches of compiled kernels; compiler errors become `CompileFailure`.

    With a ``keeper`` launches are not real: artefacts are kept instead, and an autotuned kernel is compiled in
    every configuration for its first shape, and in the first that fits for later ones.
    """
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import JITFunction

    original_run: Callable[..., Any] = JITFunction.run
    original_bench: Callable[..., Any] = Autotuner._bench
    tuning = False

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        try:
            kernel = original_run(self, *args, grid=grid, warmup=warmup, **kwargs)
        except Exception as error:
            # While tuning, the autotuner itself passes over configurations that do not fit.
            if tuning or not _is_compile_error(error, launches=keeper is None):
                raise
            raise translate(self, error) from error
        if not warmup:
            session.launched[self.__name__] = None
            if keeper is not None:
                keeper.keep(kernel)
        return kernel

    def bench(self: Any, *args: Any, config: Any, **meta: Any) -> Any:
        nonlocal tuning
        fits: list[Any] = self.__dict__.setdefault("_fitting", [])
        if keeper is not None and self.cache:
            return [0.0 if config is fits[0] else 1.0] * 3 if fits else [1.0] * 3
        tuning = True
        try:
            times = original_bench(self, *args, config=config, **meta)
        except Exception as error:
            if not _is_compile_error(error, launches=keeper is None):
                raise
            raise translate(self.base_fn, error) from error
        finally:
            tuning = False
        if times[0] != float("inf"):
            fits.append(config)
        return times

    with patched((JITFunction, "run", run), (Autotuner, "_bench", bench)):
        yield


@contextlib.contextmanager
def interpreting(session: TritonSession, target: Any) -> Iterator[None]:
    """Record kernels that the interpreter runs, with its arithmetic mended.

    An autotuned kernel runs in one configuration for each shape, another one each time: all are valid, and a
    benchmark would only time the interpreter.
    """
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.interpreter import InterpretedFunction

    from akgflow.toolchains.triton.interpreter import mended

    original_run: Callable[..., Any] = InterpretedFunction.run

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        if not warmup:
            session.launched[self.__name__] = None
        return None if session.silent else original_run(self, *args, grid=grid, warmup=warmup, **kwargs)

    def bench(self: Any, *_: Any, config: Any, **__: Any) -> list[float]:
        turn = self.configs[len(self.cache) % len(self.configs)]
        return [0.0 if config is turn else 1.0] * 3

    with mended(target), patched((InterpretedFunction, "run", run), (Autotuner, "_bench", bench)):
        yield
