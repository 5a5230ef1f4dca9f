"""A driver for Triton that needs no GPU: kernels are compiled for the target, and launches go to the interpreter."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.common import architecture, nvidia
from akgflow.toolchains.common.torch_cuda import properties

_MAX_THREADS = 1024
_HANDLES = 6
"""Stream, function, packed metadata, launch metadata, and two hooks."""


class _Utils:
    """What Triton asks a driver about devices and binaries."""

    def __init__(self, target: Target) -> None:
        self._properties = properties(target)

    def get_device_properties(self, _: int = 0) -> dict[str, int]:
        return self._properties

    def load_binary(self, name: str, binary: bytes, *_: Any) -> tuple[Any, ...]:
        """Handle, function, registers, spilled registers, most threads a block: nothing is loaded."""
        usage = _usage(binary)
        return name, name, usage[0], usage[1], _MAX_THREADS

    def unload_module(self, *_: Any) -> None: ...


def _usage(binary: bytes) -> tuple[int, int]:
    """Registers of a thread and registers that it spills, which are stack as ptxas counts them; 0 where unknown."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        try:
            (usage, *_) = nvidia.usage_of_cubin(Path(file.name))
        except (OSError, ValueError, subprocess.CalledProcessError):
            return 0, 0
    return usage.registers, usage.stack // 4


class StandInDriver:
    """Answers for ``target``; a launch goes to ``run``, a benchmark calls what it should time once."""

    def __init__(self, target: Target, run: Callable[[Any], None] = lambda task: None) -> None:  # noqa: ARG005
        from triton.backends.compiler import GPUTarget

        arch = architecture.parse(target)
        if arch is None:
            self.target = GPUTarget("cpu", "cpu", 32)
        else:
            self.target = GPUTarget(arch.platform, arch.number or arch.text, arch.warp)
        self._capability = arch.capability if arch else (0, 0)
        self.utils = _Utils(target)
        self._run = run

    def launcher_cls(self, source: Any, metadata: Any) -> Callable[..., None]:
        """What starts a compiled kernel; Triton calls it with the grid, six of its handles, and the arguments."""
        return self.launcher(source, "atomic", metadata._asdict())

    def launcher(self, source: Any, ttir: str, options: Mapping[str, Any]) -> Callable[..., None]:
        """The same for a kernel of which the IR is known."""
        from akgflow.toolchains.triton.interpreter import Task

        jit = source.fn
        debug, warps = bool(options.get("debug")), int(options.get("num_warps", 4))

        def launch(x: int, y: int, z: int, *rest: Any) -> None:
            values = dict(zip(jit.arg_names, rest[_HANDLES:], strict=True))
            grid = (int(x), int(y), int(z))
            if min(grid) > 0:
                self._run(Task(jit, values, dict(source.signature), grid, debug, "atomic" in ttir, warps))

        return launch

    def get_current_target(self) -> Any:
        return self.target

    def get_current_device(self) -> int:
        return 0

    def set_current_device(self, _: int) -> None: ...

    def get_current_stream(self, _: int | None = None) -> int:
        return 0

    def get_device_capability(self, _: int = 0) -> tuple[int, int]:
        return self._capability

    def get_active_torch_device(self) -> Any:
        import torch

        return torch.device("cpu")

    def get_device_interface(self) -> Any:
        import torch

        return torch.cuda

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_benchmarker(self) -> Callable[..., Sequence[float]]:
        def benchmark(call: Callable[[], Any], *, quantiles: Sequence[float] = (0.5,), **_: Any) -> list[float]:
            call()
            return [0.0] * len(quantiles)

        return benchmark

    def get_empty_cache_for_benchmark(self) -> Any:
        import torch

        return torch.empty(1)

    def clear_cache(self, cache: Any) -> None: ...
