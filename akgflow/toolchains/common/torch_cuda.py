"""What ``torch.cuda`` and ``torch.accelerator`` answer for redirected host code: as on the target, no work done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.common import architecture
from akgflow.toolchains.common.patching import Changes


def properties(target: Target) -> dict[str, int]:
    """What Triton's driver says about the device, from the target's facts; ordinary values where they are silent."""
    arch = architecture.parse(target)
    return {
        "max_shared_mem": architecture.shared_limit(target) or 1 << 30,
        "multiprocessor_count": architecture.multiprocessors(target),
        "max_num_regs": 65536,
        "warpSize": arch.warp if arch else 32,
        "sm_clock_rate": 1_000_000,
        "mem_clock_rate": 1_000_000,
        "mem_bus_width": 1024,
    }


class _Stream:
    """Stands for a CUDA stream or event: everything on it is already done."""

    cuda_stream = cuda_event = stream_id = device_index = 0
    device = None
    priority = 0

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


class _Guard(contextlib.ContextDecorator):
    """Stands for ``torch.cuda.device(…)`` and its kind: one device, which is always the current one."""

    idx = prev_idx = 0

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> _Guard:
        return self

    def __exit__(self, *_: object) -> None: ...


def _no_graph(*_: Any, **__: Any) -> Any:
    raise Unsupported("a CUDA graph replays kernels on a device: it cannot be interpreted")


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _device(target: Target) -> SimpleNamespace:
    arch, known = architecture.parse(target), properties(target)
    major, minor = arch.capability if arch else (0, 0)
    return SimpleNamespace(
        name=target.title or target.name,
        major=major,
        minor=minor,
        multi_processor_count=known["multiprocessor_count"],
        shared_memory_per_block=48 << 10,
        shared_memory_per_block_optin=known["max_shared_mem"],
        shared_memory_per_multiprocessor=known["max_shared_mem"] + 1024,
        regs_per_multiprocessor=known["max_num_regs"],
        max_threads_per_multi_processor=2048,
        max_threads_per_block=1024,
        warp_size=known["warpSize"],
        total_memory=_memory(target),
        L2_cache_size=int(target.facts.get("l2_mib", 32)) << 20,
        gcnArchName=target.arch,
        is_integrated=0,
        is_multi_gpu_board=0,
    )


def _memory(target: Target) -> int:
    return int(target.facts.get("hbm_gib", 16)) << 30


def _answers(target: Target, graphs: bool) -> dict[str, Any]:
    """Members of ``torch.cuda``."""
    device, memory = _device(target), _memory(target)
    stream = _Stream()
    # Each name has its own function: torch.compile keeps a table of functions by identity.
    names = "set_device set_stream synchronize empty_cache manual_seed manual_seed_all init _lazy_init"
    return {
        **{name: _always(None) for name in (*names.split(), "reset_peak_memory_stats")},
        **{name: _always(0) for name in ("memory_allocated", "max_memory_allocated", "memory_reserved")},
        "is_available": _always(True),
        "is_initialized": _always(True),
        "is_bf16_supported": _always(True),
        "is_tf32_supported": _always(True),
        "device_count": _always(1),
        "current_device": _always(0),
        "get_device_name": _always(device.name),
        "get_device_capability": _always((device.major, device.minor)),
        "get_device_properties": _always(device),
        "get_arch_list": _always([f"sm_{device.major}{device.minor}"]),
        "mem_get_info": _always((memory, memory)),
        "device": _Guard,
        "device_of": _Guard,
        "_DeviceGuard": _Guard,
        "_exchange_device": _always(0),
        "_maybe_exchange_device": _always(0),
        "stream": _Guard,
        "current_stream": _always(stream),
        "default_stream": _always(stream),
        "Stream": _Stream,
        "ExternalStream": _Stream,
        "Event": _Stream,
        "CUDAGraph": _Graph if graphs else _no_graph,
        "graph": _Guard,
        "is_current_stream_capturing": _always(False),
    }


def _accelerator(stream: Any, torch: Any) -> dict[str, Any]:
    """Members of ``torch.accelerator``."""
    return {
        "is_available": _always(True),
        "device_count": _always(1),
        "current_accelerator": _always(torch.device("cuda")),
        "current_device_index": _always(0),
        "current_device_idx": _always(0),
        "set_device_index": _always(None),
        "set_device_idx": _always(None),
        "device_index": _Guard,
        "current_stream": _always(stream),
        "set_stream": _always(None),
        "synchronize": _always(None),
        "empty_cache": _always(None),
    }


def _allocator(device: str) -> Changes:
    """What generated code of torch.compile allocates with: a C function, which no function mode sees."""
    import torch
    import torch._C._dynamo.guards as guards

    def empty_strided(size: Any, stride: Any, dtype: Any) -> Any:
        return torch.empty_strided(size, stride, dtype=dtype, device=device)

    name = "_empty_strided_cuda"
    return [(guards, name, empty_strided)] if hasattr(guards, name) else []


def changes(target: Target, device: str, graphs: bool) -> Changes:
    """Replacements in torch that answer for ``target`` with tensors on ``device``.

    ``graphs`` where a replay need not do anything.
    """
    import torch

    made: Changes = [(torch.cuda, name, value) for name, value in _answers(target, graphs).items()]
    accelerator = getattr(torch, "accelerator", None)
    if accelerator is not None:
        found = _accelerator(_Stream(), torch)
        made += [(accelerator, name, value) for name, value in found.items() if hasattr(accelerator, name)]
    nvtx = ("range_push", "range_pop", "mark")
    made += [(torch.cuda.nvtx, name, _always(None)) for name in nvtx]
    made += [
        (torch, "get_device_module", _always(torch.cuda)),
        (torch, "set_default_device", _always(None)),
        (torch._C, "_cuda_getCurrentRawStream", _always(0)),
        (torch._C, "_cuda_getDevice", _always(0)),
        (torch._C, "_cuda_setDevice", _always(None)),
        # It takes none but real streams.
        (torch.Tensor, "record_stream", _always(None)),
        *_allocator(device),
    ]
    if target.platform == "hip":
        made.append((torch.version, "hip", torch.version.hip or "0.0"))
    else:
        made.append((torch.version, "cuda", torch.version.cuda or "12.8"))
    return made
