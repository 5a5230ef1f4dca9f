"""Guard bytes behind every tensor that torch allocates on a CPU, so that a write past its end is seen.

torch's allocator takes memory from ``posix_memalign``. `install` puts the address of a few instructions where libc10
keeps that function's: they ask for `PAD` bytes more, fill these with `POISON`, and keep in the last eight a copy of the
word before the tensor, which is malloc's own. What was written past the end, or before the start, shows in these bytes.
Nothing here is evidence in a candidate's favour: it could put the bytes back.

The instructions are x86-64's and the word before is glibc's: elsewhere there are no guards.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from akgflow.base.pages import executable, libc
from akgflow.verification.sandbox import POISON

PAD, WORD = 64, 8
"""Bytes behind a tensor; the last ones are a copy of malloc's word before it."""
_WRITABLE = mmap.PROT_READ | mmap.PROT_WRITE
_STRINGS, _SYMBOLS, _TABLES = 5, 6, ((23, 2), (7, 8))
"""Tags of a dynamic section (ELF gABI): string and symbol tables; address and size of two relocation tables."""


@cache
def install() -> bool:
    """Put guards behind what is allocated from now on; false where that cannot be done."""
    if platform.machine() != "x86_64" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return False
    library = Path(torch.__file__).parent / "lib" / "libc10.so"
    slots = list(_slots(str(library), b"posix_memalign")) if library.exists() else []
    if len(slots) != 1:
        return False
    slot = ctypes.c_uint64.from_address(slots[0])
    original = slot.value
    start = executable(_code(original))
    # The loader made the page read-only, once it had filled it in.
    page = slots[0] // mmap.PAGESIZE * mmap.PAGESIZE
    libc().mprotect(page, mmap.PAGESIZE, _WRITABLE)
    slot.value = start
    works = all(_is_guarded(torch.empty(size, dtype=torch.uint8)) for size in (1, 64, 1000, 1 << 20))
    slot.value = start if works else original
    libc().mprotect(page, mmap.PAGESIZE, mmap.PROT_READ)
    return works


def _is_guarded(tensor: torch.Tensor) -> bool:
    """True when the bytes behind a new tensor are what they should be, and the word before it is glibc's."""
    address, size = tensor.data_ptr(), tensor.numel()
    behind = ctypes.string_at(address + size, PAD)
    word = ctypes.string_at(address - WORD, WORD)
    usable = ctypes.CDLL(None).malloc_usable_size
    usable.restype, usable.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    chunk = int.from_bytes(word, "little") & ~7
    return behind == bytes([POISON]) * (PAD - WORD) + word and 0 <= chunk - usable(address) <= 2 * WORD


def _code(original: int) -> bytes:
    """A ``posix_memalign`` with guards: rdi is where the address goes, rsi the alignment, rdx the size.

    ``base/x86/allocation_guards.S`` is its source.
    """
    call = b"".join(
        (
            b"\x57\x52\x48\x83\xec\x08",  # push rdi; push rdx; sub rsp, 8
            b"\x48\x83\xc2" + struct.pack("<b", PAD),  # add rdx, PAD
            b"\x48\xb8" + struct.pack("<Q", original),  # mov rax, original
            b"\xff\xd0",  # call rax
            b"\x48\x83\xc4\x08\x5a\x5f\x85\xc0",  # add rsp, 8; pop rdx; pop rdi; test eax, eax
        )
    )
    fill = b"".join(
        (
            b"\x48\x8b\x3f\x4c\x8b\x47\xf8",  # mov rdi, [rdi]; mov r8, [rdi - 8]
            b"\x48\x01\xd7",  # add rdi, rdx
            b"\xb9" + struct.pack("<i", PAD - WORD),  # mov ecx, PAD - WORD
            b"\xb0" + bytes([POISON]) + b"\xf3\xaa",  # mov al, POISON; rep stosb
            b"\x4c\x89\x07\x31\xc0",  # mov [rdi], r8; xor eax, eax
        )
    )
    return call + b"\x75" + bytes([len(fill)]) + fill + b"\xc3"  # jne past the filling; …; ret


class _LinkMap(ctypes.Structure):
    _fields_ = [("base", ctypes.c_uint64), ("name", ctypes.c_char_p), ("dynamic", ctypes.c_uint64)]


def _slots(library: str, name: bytes) -> Iterator[int]:
    """Where a loaded library keeps the addresses of a function that it imports."""
    found = ctypes.POINTER(_LinkMap)()
    # RTLD_DI_LINKMAP
    if ctypes.CDLL(None).dlinfo(ctypes.c_void_p(ctypes.CDLL(library)._handle), 2, ctypes.byref(found)):
        return
    tags: dict[int, int] = {}
    at = found.contents.dynamic
    while (tag := ctypes.c_int64.from_address(at).value) != 0:
        tags[tag] = ctypes.c_uint64.from_address(at + 8).value
        at += 16
    for table, size in _TABLES:
        for entry in range(tags.get(table, 0), tags.get(table, 0) + tags.get(size, 0), 24):
            offset, info = struct.unpack("<QQ", ctypes.string_at(entry, 16))
            symbol = tags[_SYMBOLS] + 24 * (info >> 32)
            text = tags[_STRINGS] + ctypes.c_uint32.from_address(symbol).value
            if info >> 32 and ctypes.string_at(text) == name:
                yield found.contents.base + offset
