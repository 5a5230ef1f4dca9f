"""Host code that says ``device='cuda'`` runs on a machine without one: its tensors go to ``cpu`` or ``meta``."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from types import FrameType, SimpleNamespace
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.common import architecture
from akgflow.toolchains.common.patching import patched

_GPU_DEVICE = re.compile(r"(cuda|hip|npu)(:\d+)?")


def _asked_by_akgflow(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("akgflow.")


def _mode(device: str, pretend: bool) -> Any:
    """A torch function mode that sends GPU devices to ``device``.

    With ``pretend``, tensors there also say that they are on a GPU (``is_cuda``, ``device``), as they would on the
    target: candidates may ask.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    is_cuda = torch.Tensor.is_cuda.__get__
    device_of = torch.Tensor.device.__get__
    gpu = torch.device("cuda", 0)
    real = torch.device(device)

    def moved(value: Any) -> Any:
        if isinstance(value, torch.device):
            return real if value.type in ("cuda", "hip") else value
        if isinstance(value, str) and _GPU_DEVICE.fullmatch(value):
            return real
        return value

    class Redirect(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            # The judge's own code in this process checks where outputs really are: only others are told a tale.
            if pretend and func in (is_cuda, device_of) and not _asked_by_akgflow(sys._getframe(1)):
                there = device_of(args[0]).type == real.type
                answer = func(*args)
                return (True if func == is_cuda else gpu) if there else answer
            if getattr(func, "__name__", "") == "cuda" and args and isinstance(args[0], torch.Tensor):
                return args[0].to(real)
            kwargs = dict(kwargs or {})
            if "device" in kwargs:
                kwargs["device"] = moved(kwargs["device"])
            return func(*(moved(value) for value in args), **kwargs)

    return Redirect()


def properties(target: Target) -> dict[str, int]:
    """What Triton's driver says about the device, from the target's facts; ordinary values where they are silent."""
    arch = architecture.parse(target)
    return {
        "max_shared_mem": architecture.shared_limit(target) or 1 << 30,
        "multiprocessor_count": int(target.facts.get("sms", target.facts.get("cus", 4))),
        "max_num_regs": 65536,
        "warpSize": arch.warp if arch else 32,
        "sm_clock_rate": 1_000_000,
        "mem_clock_rate": 1_000_000,
        "mem_bus_width": 1024,
    }


class _Stream:
    """Stands for a CUDA stream or event: everything on it is already done."""

    cuda_stream = 0
    device = None

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None: ...

    def query(self) -> bool:
        return True

    def elapsed_time(self, _: Any) -> float:
        return 1.0

    def _nothing(self, *_: Any, **__: Any) -> None: ...

    synchronize = wait_stream = wait_event = record = wait = _nothing

    def record_event(self, *_: Any) -> _Stream:
        return _Stream()


class _Graph:
    """Stands for a CUDA graph where nothing runs: what is captured has been compiled, and a replay adds nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def _nothing(self, *_: Any, **__: Any) -> None: ...

    capture_begin = capture_end = replay = reset = _nothing


def _no_graph(*_: Any, **__: Any) -> Any:
    raise Unsupported("a CUDA graph replays kernels on a device: it cannot be interpreted")


def _torch_cuda(target: Target, where: str) -> list[tuple[Any, str, Any]]:
    """Replacements in ``torch.cuda`` that answer for the target while tensors are on ``where``."""
    import torch

    arch = architecture.parse(target)
    known = properties(target)
    capability = arch.capability if arch else (0, 0)
    device = SimpleNamespace(
        name=target.title or target.name,
        major=capability[0],
        minor=capability[1],
        multi_processor_count=known["multiprocessor_count"],
        shared_memory_per_block_optin=known["max_shared_mem"],
        warp_size=known["warpSize"],
        total_memory=int(target.facts.get("hbm_gib", 16)) << 30,
        gcnArchName=target.arch,
    )
    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda *_, **__: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda *_: None,
        "synchronize": lambda *_: None,
        "empty_cache": lambda: None,
        "get_device_name": lambda *_: device.name,
        "get_device_capability": lambda *_: capability,
        "get_device_properties": lambda *_: device,
        "device": lambda *_: contextlib.nullcontext(),
        "stream": lambda *_: contextlib.nullcontext(),
        "current_stream": _Stream,
        "default_stream": _Stream,
        "Stream": _Stream,
        "Event": _Stream,
        "CUDAGraph": _Graph if where == "meta" else _no_graph,
        "graph": lambda *_, **__: contextlib.nullcontext(),
        "is_current_stream_capturing": lambda: False,
    }
    changes = [(torch.cuda, name, value) for name, value in answers.items()]
    # It takes none but real streams.
    changes.append((torch.Tensor, "record_stream", lambda *_: None))
    if target.platform == "hip":
        changes.append((torch.version, "hip", torch.version.hip or "0.0"))
    return changes


@contextlib.contextmanager
def redirected(target: Target, device: str) -> Iterator[None]:
    """GPU devices mean ``device``; on a GPU target, torch answers as if it stood on that target.

    Only this process is changed, for the time of the block.
    """
    gpu_target = target.platform in ("cuda", "hip")
    with patched(*(_torch_cuda(target, device) if gpu_target else [])), _mode(device, pretend=gpu_target):
        yield
