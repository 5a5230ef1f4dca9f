"""Says where a process was killed for an access to memory: the kernel tells that the process itself, nobody else.

A handler of a few instructions writes the address into memory that the judge sees, and returns; the access is made once
more, and its signal ends the process as it would have. What is written there explains a crash and decides nothing.

The instructions are x86-64's: elsewhere a crash has no address.
"""

from __future__ import annotations

import ctypes
import platform
import signal
import struct

import torch

from akgflow.base.pages import executable

# SA_… of the uapi header asm/signal.h.
_SIGINFO, _RESETHAND, _NODEFER = 0x4, 0x80000000, 0x40000000


class _SigAction(ctypes.Structure):
    """glibc's ``struct sigaction``."""

    _fields_ = [
        ("handler", ctypes.c_uint64),
        ("mask", ctypes.c_uint8 * 128),
        ("flags", ctypes.c_uint32),
        ("restorer", ctypes.c_uint64),
    ]


class FaultRecorder:
    """Writes where an access failed into the region that `record_in` named last."""

    def __init__(self) -> None:
        self._record = ctypes.c_uint64(0)
        self._installed = False

    def record_in(self, region: torch.Tensor) -> None:
        """Use the first three words of ``region``: where it is mapped, the address of a fault, the kernel's code."""
        begin = region.data_ptr()
        ctypes.c_uint64.from_address(begin).value = begin
        self._record.value = begin
        if not self._installed and platform.machine() == "x86_64":
            self._install()

    def _install(self) -> None:
        self._installed = True
        start = executable(_code(ctypes.addressof(self._record)))
        action = _SigAction(handler=start, flags=_SIGINFO | _RESETHAND | _NODEFER)
        for number in (signal.SIGSEGV, signal.SIGBUS):
            ctypes.CDLL(None).sigaction(int(number), ctypes.byref(action), None)


def _code(record: int) -> bytes:
    """The handler: rsi is the ``siginfo_t``, rdx the ``ucontext_t``. ``base/x86/fault_recorder.S`` is its source."""
    return b"".join(
        (
            b"\x48\xb9" + struct.pack("<Q", record),  # mov rcx, record
            b"\x48\x8b\x09",  # mov rcx, [rcx]
            b"\x48\x8b\x46\x10",  # mov rax, [rsi + 16]: si_addr
            b"\x48\x89\x41\x08",  # mov [rcx + 8], rax
            b"\x48\x8b\x82\xc0\x00\x00\x00",  # mov rax, [rdx + 192]: REG_ERR, whose bit 1 says that it was a write
            b"\x48\x89\x41\x10",  # mov [rcx + 16], rax
            b"\xc3",  # ret
        )
    )
