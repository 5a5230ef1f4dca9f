"""A driver for Triton that needs no GPU: kernels are compiled for the target and not launched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.common import architecture
from akgflow.toolchains.common.redirect import properties

_MAX_THREADS = 1024


class _Utils:
    """What Triton asks a driver about devices and binaries."""

    def __init__(self, target: Target) -> None:
        self._properties = properties(target)

    def get_device_properties(self, _: int = 0) -> dict[str, int]:
        return self._properties

    def load_binary(self, name: str, *_: Any) -> tuple[Any, ...]:
        """Handle, function, registers, spills, most threads a block: nothing is loaded."""
        return name, name, 0, 0, _MAX_THREADS

    def unload_module(self, *_: Any) -> None: ...


class StandInDriver:
    """Answers for ``target``; a launch does nothing, a benchmark calls what it should time once."""

    def __init__(self, target: Target) -> None:
        from triton.backends.compiler import GPUTarget

        arch = architecture.parse(target)
        if arch is None:
            self.target = GPUTarget("cpu", "cpu", 32)
        else:
            self.target = GPUTarget(arch.platform, arch.number or arch.text, arch.warp)
        self._capability = arch.capability if arch else (0, 0)
        self.utils = _Utils(target)

    def launcher_cls(self, *_: Any) -> Callable[..., None]:
        return lambda *_, **__: None

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
