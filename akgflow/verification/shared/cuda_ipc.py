"""GPU memory that two processes share: the runtime's own calls, on the library that torch has loaded.

torch's sharing keeps a reference count in a file that both processes write; a candidate may write no such file.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from akgflow.base.maps import mappings

BLOCK = 2 << 20
"""The driver packs smaller allocations into blocks of this size and shares the whole block."""
_LAZY_PEER_ACCESS = 1
_LIBRARIES = ((re.compile(r"libcudart[-\w]*\.so[.\d]*"), "cuda"), (re.compile(r"libamdhip64[-\w]*\.so[.\d]*"), "hip"))


class _Handle(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_ubyte * 64),)


class _Runtime:
    """``call("Malloc", …)`` is ``cudaMalloc`` or ``hipMalloc``; raises `RuntimeError` when it does not succeed."""

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self.library, self.prefix = library, prefix
        self._text_of = function(library, f"{prefix}GetErrorString", ctypes.c_char_p)

    def call(self, name: str, *args: Any) -> None:
        code = self.library[f"{self.prefix}{name}"](*args)
        if code == 0:
            return
        # Else the next call of torch's would report it.
        self.library[f"{self.prefix}GetLastError"]()
        raise RuntimeError(f"{self.prefix}{name} failed: {self._text_of(code).decode()} ({code})")


def function(library: ctypes.CDLL, name: str, result: Any) -> Any:
    """A function of a library that gives a ``result``, to be kept: each look-up by ``[]`` makes another, without it."""
    found = library[name]
    found.restype = result
    return found


@cache
def _runtime() -> _Runtime:
    torch.cuda.init()
    for name in dict.fromkeys(os.path.basename(one.file) for one in mappings()):
        for pattern, prefix in _LIBRARIES:
            if pattern.fullmatch(name):
                return _Runtime(_loaded(name), prefix)
    raise RuntimeError("torch has loaded no CUDA or HIP runtime library: GPU memory cannot be shared")


def _loaded(file: str) -> ctypes.CDLL:
    """The library that is in this process already: by its own name, which may be shorter than its file's."""
    stem, _, numbers = file.partition(".so.")
    names = [f"{stem}.so.{numbers.split('.')[0]}", file] if numbers else [file]
    for name in names:
        try:
            return ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        except OSError:
            continue
    return ctypes.CDLL(file)


class Block:
    """One allocation of this process's own, freed when the last tensor in it is gone."""

    def __init__(self, pointer: int, size: int, release: str) -> None:
        self.pointer, self._release = pointer, release
        self.__cuda_array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (pointer, False),
            "strides": None,
            "version": 3,
        }

    def tensor(self) -> torch.Tensor:
        """All bytes, as a one-dimensional uint8 tensor that keeps this block alive."""
        return torch.as_tensor(self, device="cuda")

    def __del__(self) -> None:
        try:
            _runtime().call(self._release, ctypes.c_void_p(self.pointer))
        except Exception:
            # At the end of a process the driver is gone already, and after a device fault nothing can be freed.
            return


def allocate(size: int) -> tuple[torch.Tensor, str]:
    """``size`` zeroed bytes in their own blocks, and the handle that opens them in another process."""
    pointer = ctypes.c_void_p()
    runtime = _runtime()
    runtime.call("Malloc", ctypes.byref(pointer), ctypes.c_size_t(-(-size // BLOCK) * BLOCK))
    assert pointer.value is not None
    data = Block(pointer.value, size, "Free").tensor().zero_()
    torch.cuda.synchronize()
    handle = _Handle()
    runtime.call("IpcGetMemHandle", ctypes.byref(handle), pointer)
    return data, bytes(handle.bytes).hex()


def segments(addresses: Sequence[int]) -> list[tuple[int, int, str]]:
    """Base, size and handle of each allocation of this process that holds one of the addresses.

    Raises `RuntimeError` where one cannot be shared: memory that is mapped by hand, or another process's.
    """
    found: list[tuple[int, int, str]] = []
    end = 0
    for address in sorted(address for address in addresses if address):
        if address >= end:
            base, size = _allocation(address)
            handle = _Handle()
            _runtime().call("IpcGetMemHandle", ctypes.byref(handle), ctypes.c_void_p(base))
            end = base + size
            found.append((base, size, bytes(handle.bytes).hex()))
    return found


def _allocation(address: int) -> tuple[int, int]:
    """Where the allocation that holds an address begins, and its bytes."""
    base, size = ctypes.c_void_p(), ctypes.c_size_t()
    runtime = _runtime()
    if runtime.prefix == "hip":
        runtime.call("MemGetAddressRange", ctypes.byref(base), ctypes.byref(size), ctypes.c_void_p(address))
    else:
        driver = ctypes.CDLL("libcuda.so.1")
        code = driver.cuMemGetAddressRange_v2(ctypes.byref(base), ctypes.byref(size), ctypes.c_void_p(address))
        if code:
            raise RuntimeError(f"cuMemGetAddressRange failed ({code})")
    return base.value or 0, size.value


def open_handle(handle: str, size: int) -> torch.Tensor:
    """The bytes behind another process's handle."""
    pointer = ctypes.c_void_p()
    shared = _Handle((ctypes.c_ubyte * 64)(*bytes.fromhex(handle)))
    _runtime().call("IpcOpenMemHandle", ctypes.byref(pointer), shared, ctypes.c_uint(_LAZY_PEER_ACCESS))
    assert pointer.value is not None
    return Block(pointer.value, size, "IpcCloseMemHandle").tensor()


def open_untrusted(handle: str, size: int) -> torch.Tensor:
    """`open_handle` for a size that an untrusted process names. Raises `RuntimeError` where the allocation has less.

    A read past its end would end every later use of the device by this process.
    """
    opened = open_handle(handle, size)
    base, there = _allocation(opened.data_ptr())
    if opened.data_ptr() + size > base + there:
        raise RuntimeError(f"an allocation of {base + there - opened.data_ptr()} bytes was said to have {size}")
    return opened
