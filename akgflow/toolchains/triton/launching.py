"""What a launch does where there is no device: the compiler sees the kernel, and the interpreter may run it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from akgflow.toolchains.common.patching import patched
from akgflow.toolchains.triton.failures import is_compile_error, translate
from akgflow.toolchains.triton.tuning import Tuning, without_clock

if TYPE_CHECKING:
    from akgflow.toolchains.triton.session import ArtifactKeeper, TritonSession


class FrontEndKernel:
    """A kernel that went through the compiler's front end and is interpreted; stands for a ``CompiledKernel``.

    What only the rest of the compiler knows (``n_regs``, ``n_spills``, ``metadata``, ``asm``) is compiled when asked.
    """

    def __init__(self, source: Any, ttir: str, options: dict[str, Any], target: Any, driver: Any) -> None:
        self.src, self.name, self.ttir = source, source.fn.__name__, ttir
        self.hash, self.function, self.packed_metadata = source.hash(), None, ()
        self._options, self._target = options, target
        self._compiled: Any = None
        self.run = driver.launcher(source, ttir, options)

    def launch_metadata(self, *_: Any) -> None:
        return None

    def _init_handles(self) -> None:
        self.whole()._init_handles()

    def whole(self) -> Any:
        """The ``CompiledKernel``."""
        if self._compiled is None:
            self._compiled = self.src.fn.compile(self.src, target=self._target, options=self._options)
        return self._compiled

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        grid = (*grid, 1, 1)[:3]
        return lambda *args, **_: self.run(*grid, 0, None, (), None, None, None, *args)

    def __getattr__(self, name: str) -> Any:
        whole = self.whole()
        if name in ("n_regs", "n_spills", "n_max_threads", "module"):
            whole._init_handles()
        return getattr(whole, name)


def front_end(jit: Any, signature: Any, constants: Any, options: Any, attrs: Any) -> tuple[Any, str]:
    """A kernel's source for one specialisation, and the IR that the compiler's front end makes of it."""
    from triton._C.libtriton import ir

    _, _, target, backend, _ = jit.device_caches[0]
    source = jit.ASTSource(jit, signature, constants, attrs)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    generators = backend.get_codegen_implementation(options)
    module = source.make_ir(target, options, generators, backend.get_module_map(), context)
    return source, str(module)


@contextlib.contextmanager
def interpreting(driver: Any, whole: bool) -> Iterator[None]:
    """Kernels go through the front end for each specialisation, and are interpreted.

    With ``whole`` the first specialisation of each kernel is compiled to the end, where no other evidence says whether
    it compiles: some things only the last stages refuse. Raises `CompileFailure` from the launch.
    """
    from triton.runtime.jit import JITFunction

    tuning, finished = Tuning(), set[Any]()

    def do_compile(self: Any, key: Any, sig: Any, _: Any, constants: Any, options: Any, attrs: Any, __: Any) -> Any:
        try:
            source, ttir = front_end(self, sig, constants, options, attrs)
            kernel = FrontEndKernel(source, ttir, options.__dict__, driver.target, driver)
            if whole and self.fn not in finished and not _of_another_vendor(ttir):
                finished.add(self.fn)
                kernel.whole()
        except Exception as error:
            if tuning.active or not is_compile_error(error, launches=False):
                raise
            raise translate(self, error) from error
        self.device_caches[0][0][key] = kernel
        return kernel

    with without_clock(tuning, interprets=True, launches=False), patched((JITFunction, "_do_compile", do_compile)):
        yield


def _of_another_vendor(ttir: str) -> bool:
    """True where a kernel names instructions or functions that only one vendor's assembler knows."""
    return "elementwise_inline_asm" in ttir or "__ocml" in ttir


@contextlib.contextmanager
def compiling(session: TritonSession, keeper: ArtifactKeeper | None) -> Iterator[None]:
    """Record launches of compiled kernels; compiler errors become `CompileFailure`.

    With a ``keeper`` launches are not real: artefacts are kept instead.
    """
    from triton.compiler.compiler import CompiledKernel
    from triton.runtime.jit import JITFunction

    original_run: Callable[..., Any] = JITFunction.run
    original_item: Callable[..., Any] = CompiledKernel.__getitem__
    tuning = Tuning()

    def launched(kernel: Any) -> None:
        session.launched[kernel.src.fn.__name__] = None
        if keeper is not None:
            keeper.keep(kernel)

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        try:
            kernel = original_run(self, *args, grid=grid, warmup=warmup, **kwargs)
        except Exception as error:
            # While tuning, the autotuner itself skips configurations that do not fit.
            if tuning.active or not is_compile_error(error, launches=keeper is None):
                raise
            raise translate(self, error) from error
        if not warmup and kernel is not None:
            launched(kernel)
        return kernel

    def item(self: Any, grid: Any) -> Callable[..., Any]:
        """A kernel from ``warmup`` is launched by itself."""
        launch = original_item(self, (*grid, 1, 1)[:3])

        def runner(*args: Any, **kwargs: Any) -> Any:
            launched(self)
            return launch(*args, **kwargs)

        return runner

    clock = without_clock(tuning, interprets=False, launches=keeper is None)
    with clock, patched((JITFunction, "run", run), (CompiledKernel, "__getitem__", item)):
        yield
