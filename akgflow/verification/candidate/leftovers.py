"""What a kernel finds in registers and shared memory before it writes there.

A GPU clears neither between two kernels of one process. A kernel that does not clear its accumulator is right where
the kernel before it has left zeros, and wrong in its user's program. Before each judged call a kernel of ours fills
both: with what is large in every type of numbers, in one call positive and in the next negative. A NaN would be lost
in a maximum.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle

import torch

BYTES = (0x7B, 0xFB)
"""Found by a kernel that has written nothing, in turns."""
THREADS, REGISTERS = 256, 240
"""Of a block: with the few that addresses take, its threads hold nearly all of a multiprocessor's 65,536 registers."""
_PROCESSORS, _SHARED_BYTES = 16, 97
"""``CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT`` and ``…_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN`` of the driver."""
_DYNAMIC_SHARED = 8
"""``CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES``."""


def filler() -> Callable[[], None]:
    """Queues the kernel on the stream that is current now; does nothing where no NVIDIA driver takes it."""
    with suppress(OSError, RuntimeError, AttributeError):
        if torch.version.hip is None:
            return _filler()
    return lambda: None


def _filler() -> Callable[[], None]:
    driver = ctypes.CDLL("libcuda.so.1")

    def ask(name: str, *args: object) -> None:
        code = driver[name](*args)
        if code:
            raise RuntimeError(f"{name} failed ({code})")

    torch.cuda.init()
    words = [torch.full((4 * REGISTERS,), byte, dtype=torch.uint8, device="cuda") for byte in BYTES]
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    device, processors, size = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    module, kernel = ctypes.c_void_p(), ctypes.c_void_p()
    ask("cuCtxGetDevice", ctypes.byref(device))
    ask("cuDeviceGetAttribute", ctypes.byref(processors), _PROCESSORS, device)
    ask("cuDeviceGetAttribute", ctypes.byref(size), _SHARED_BYTES, device)
    ask("cuModuleLoadData", ctypes.byref(module), assembly().encode())
    ask("cuModuleGetFunction", ctypes.byref(kernel), module, b"fill")
    ask("cuFuncSetAttribute", kernel, _DYNAMIC_SHARED, size)
    turns = cycle(words)
    given = (ctypes.c_uint64(), ctypes.c_uint32(size.value // 4), ctypes.c_uint32(0))
    parameters = (ctypes.c_void_p * len(given))(*map(ctypes.addressof, given))
    launch, shape = driver.cuLaunchKernel, (processors.value, 1, 1, THREADS, 1, 1, size.value)

    def fill() -> None:
        # Where the launch fails, things are as they were.
        given[0].value = next(turns).data_ptr()
        launch(kernel, *shape, stream, parameters, None)

    return fill


def assembly() -> str:
    """The kernel in PTX: ``fill(words, count, write)``.

    Volatile loads keep the words in registers of their own up to the barrier, since a launch that is asked to ``write``
    (none is) would store them behind it. ``count`` words of shared memory get the first one.
    """
    loads = "\n".join(f"  ld.volatile.global.b32 %r{i}, [%at+{4 * i}];" for i in range(REGISTERS))
    stores = "\n".join(f"  st.volatile.global.b32 [%at+{4 * i}], %r{i};" for i in range(REGISTERS))
    return f"""\
.version 6.0
.target sm_50
.address_size 64
.extern .shared .align 16 .b8 pool[];
.visible .entry fill(.param .u64 words, .param .u32 count, .param .u32 write)
{{
  .reg .pred %past, %quiet;
  .reg .u64 %at;
  .reg .u32 %i, %n, %w, %step, %p, %base;
  .reg .b32 %r<{REGISTERS}>;
  ld.param.u64 %at, [words];
  cvta.to.global.u64 %at, %at;
  ld.param.u32 %n, [count];
  ld.param.u32 %w, [write];
{loads}
  mov.u32 %i, %tid.x;
  mov.u32 %step, %ntid.x;
  mov.u32 %base, pool;
next:
  setp.ge.u32 %past, %i, %n;
  @%past bra full;
  shl.b32 %p, %i, 2;
  add.u32 %p, %p, %base;
  st.volatile.shared.b32 [%p], %r0;
  add.u32 %i, %i, %step;
  bra next;
full:
  bar.sync 0;
  setp.eq.u32 %quiet, %w, 0;
  @%quiet bra done;
{stores}
done:
  ret;
}}
"""
