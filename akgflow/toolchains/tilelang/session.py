"""The inside of a TileLang session: every kernel goes to the session's target, and launches are remembered."""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
import subprocess
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common import architecture
from akgflow.toolchains.common.patching import patched

CPU_FLAGS = ("-O3", "-march=native", "-fno-math-errno")
"""TileLang builds its C without any; a NaN stays a NaN under these."""
_KINDS = {"cpu": "c", "cuda": "cuda", "hip": "hip", "ascend": "ascend"}
_ARCH_KEYS = {"cuda": "arch", "hip": "mcpu"}
_NATIVE_FRAME = re.compile(r'^\s*File "(<unknown>|[^"]*\.pxi|/project/[^"]*)", line \d+.*\n?', re.MULTILINE)
_BUILT = re.compile(r"(?:/[^\s'\"]+)?/tmp[a-z0-9_]{8}\.(cpp|cu|so)\b")
"""The file that TileLang writes for a compiler: its name is another one each time."""
_MAX_CHARS = 4000
_FOR_A_GPU = (
    "shared memory and fragments are a GPU's, and this target is a processor: use tilelang.cpu.language with "
    "T.alloc_local and plain loops, or choose a target with a GPU. The compiler says: "
)


class TileLangSession:
    """Where tensors live, and the kernels that were launched so far, in order of their first launch."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.launched: dict[str, None] = {}

    def kernels(self) -> Sequence[str]:
        return tuple(self.launched)


class Lowered(NamedTuple):
    """One lowered kernel: its source, bytes of dynamic shared memory by function, and flags for its compiler."""

    name: str
    source: str
    shared: dict[str, int]
    flags: tuple[str, ...]


Keep = Callable[[Lowered], None]
"""What is done with a lowered kernel where none is launched. May raise `CompileFailure`."""


def tvm_target(target: Target) -> Any:
    """The target as TileLang's compiler names it."""
    from tilelang import tvm

    kind = _KINDS[target.platform]
    key = _ARCH_KEYS.get(kind)
    return tvm.target.Target({"kind": kind, **({key: architecture.with_own_features(target)} if key else {})})


@contextlib.contextmanager
def bound(session: TileLangSession, target: Target, keep: Keep | None) -> Iterator[None]:
    """All that candidates build goes to ``target``, whatever they name; compiler errors become `CompileFailure`.

    With ``keep`` nothing is built or launched: each kernel is lowered and given to it, and a launch gives outputs of
    the right form.
    """
    import tilelang.backend.target
    from tilelang.backend.module import BackendModule
    from tilelang.jit.adapter.libgen import LibraryGenerator
    from tilelang.jit.kernel import JITKernel

    # The package's attribute of that name is the decorator.
    jit = importlib.import_module("tilelang.jit")
    here = tvm_target(target)
    resolve, assign_flags = BackendModule.resolve_execution_backend, LibraryGenerator.assign_compile_flags
    call, build, trace = JITKernel.__call__, JITKernel._compile_and_create_adapter, jit.JITImpl.get_tir

    def determine_target(target: Any = "auto", return_object: bool = False) -> Any:  # noqa: ARG001
        return here

    def backend(self: Any, requested: Any, target: Any) -> Any:
        plain = keep is not None or here.kind.name == "c"
        return resolve(self, "cython" if plain else requested, target)

    def flags(self: Any, given: Any = None) -> None:
        assign_flags(self, [*CPU_FLAGS, *(given or [])] if here.kind.name == "c" else given)

    def launch(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = call(self, *args, **kwargs)
        session.launched[_name(self.prim_func)] = None
        return result

    def compile_kernel(self: Any, func: Any, out_idx: Any) -> Any:
        with _compiler_words(_name(func), _FOR_A_GPU if here.kind.name == "c" and _uses_a_gpu(func) else ""):
            return build(self, func, out_idx)

    def traced(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _compiler_words(getattr(self.func, "__name__", "kernel")):
            return trace(self, *args, **kwargs)

    changes: list[tuple[Any, str, Any]] = [
        (tilelang.backend.target, "determine_target", determine_target),
        (jit, "determine_target", determine_target),
        (BackendModule, "resolve_execution_backend", backend),
        (LibraryGenerator, "assign_compile_flags", flags),
        (JITKernel, "__call__", launch),
        (JITKernel, "_compile_and_create_adapter", compile_kernel),
        (jit.JITImpl, "get_tir", traced),
        _heard(),
    ]
    if keep is not None or here.kind.name == "c":
        changes.append(_untuned())
    if keep is not None:
        changes.append(_kept(keep))
    with patched(*changes), here:
        yield


def _name(func: Any) -> str:
    return str(func.attrs.get("global_symbol", "kernel")) if func is not None and func.attrs else "kernel"


def _uses_a_gpu(func: Any) -> bool:
    """True where a kernel keeps tiles where only a GPU has room for them."""
    text = str(func)
    return "shared.dyn" in text or "local.fragment" in text


def _heard() -> tuple[Any, str, Any]:
    """TileLang repeats what the HIP compiler said; what gcc and nvcc said went past it."""
    libgen = importlib.import_module("tilelang.jit.adapter.libgen")
    run = functools.partial(subprocess.run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return (libgen, "subprocess", SimpleNamespace(**{**vars(subprocess), "run": run}))


def _kept(keep: Keep) -> tuple[Any, str, Any]:
    """Replaces the making of what launches a kernel by ``keep``."""
    from tilelang.jit.kernel import JITKernel

    from akgflow.toolchains.tilelang.launch import NotLaunched

    def adapter(self: Any, func: Any, out_idx: Any, artifact: Any, pass_configs: Any, _: Any) -> Any:
        functions = {str(f.attrs["global_symbol"]): f.attrs for f in artifact.device_mod.functions.values()}
        shared = {name: int(attrs["dyn_shared_memory_buf"]) for name, attrs in functions.items() if _is_dynamic(attrs)}
        flags = tuple(_flags(self.compile_flags)) + _fast_math(pass_configs)
        keep(Lowered(_name(func), str(artifact.kernel_source), shared, flags))
        return NotLaunched(artifact.params, out_idx, str(artifact.kernel_source))

    return (JITKernel, "_create_adapter_from_artifact", adapter)


def _is_dynamic(attrs: Any) -> bool:
    return "dyn_shared_memory_buf" in attrs


def _flags(given: Any) -> list[str]:
    return [word for flag in given or [] for word in str(flag).split()]


def _fast_math(pass_configs: Any) -> tuple[str, ...]:
    from tilelang.transform import PassConfigKey

    return ("--use_fast_math",) if (pass_configs or {}).get(PassConfigKey.TL_ENABLE_FAST_MATH) else ()


def _untuned() -> tuple[Any, str, Any]:
    """Where nothing can be timed as on a device, an autotuned kernel takes its first configuration."""
    from tilelang.autotuner import AutoTuner
    from tilelang.autotuner.param import AutotuneResult

    def run(self: Any, *_: Any, **__: Any) -> Any:
        configs = self.configs
        if callable(configs):
            args, kwargs = self._kernel_parameters
            configs = configs(*args, **dict(kwargs))
        config = dict(next(iter(configs)))
        kernel = self.jit_compile(**{key: value for key, value in config.items() if key != "pass_configs"})
        return AutotuneResult(latency=0.0, config=config, kernel=kernel)

    return (AutoTuner, "run", run)


@contextlib.contextmanager
def _compiler_words(kernel: str, reason: str = "") -> Iterator[None]:
    """Turn what goes wrong while a kernel is traced, lowered or compiled into `CompileFailure`, after ``reason``."""
    try:
        yield
    except CompileFailure:
        raise
    except Exception as error:
        raise CompileFailure(f"{_place(kernel, error)}: {reason}{_words(error)}"[:_MAX_CHARS]) from error


def _place(kernel: str, error: Exception) -> str:
    """``kernel NAME, line N of the module``: the innermost line that is not the compiler's own."""
    installed = Path(importlib.import_module("tilelang").__file__ or "").parent.parent
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if Path(f.filename).is_file() and not _ours(Path(f.filename), installed)]
    return f"kernel {kernel}, line {own[-1].lineno} of the module" if own else f"kernel {kernel}"


def _ours(file: Path, installed: Path) -> bool:
    return file.is_relative_to(installed) or file.is_relative_to(Path(__file__).parents[2])


def _words(error: Exception) -> str:
    """The compiler's own words without the frames of its native code."""
    from akgflow.toolchains.common.diagnostics import first_errors

    text = _NATIVE_FRAME.sub("", str(error)).strip() or repr(error)
    # After what the compiler said TileLang shows all that it was given.
    text = _BUILT.sub(r"kernel.\1", text).partition("\n// tilelang target:")[0]
    if "Compilation Failed" in text or "error:" in text:
        return first_errors(text)
    return f"{type(error).__name__}: {text}"
