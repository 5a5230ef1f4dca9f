"""Makes the code of a candidate's own libraries do nothing: every call of it returns at once.

An answer that is right without that code was computed by something else. The pages of the libraries lose the right to
be executed, and a call into them returns zero to its caller. The instructions are x86-64's, for Linux.
"""

from __future__ import annotations

import mmap
import platform
import signal
import struct
from collections.abc import Collection

from akgflow.base.maps import mappings
from akgflow.base.pages import executable, libc

_HANDLER = bytes.fromhex(
    "488b82a8000000"  # mov rax, [rdx + 168]: where execution stood
    "483b4610"  # cmp rax, [rsi + 16]: the address that could not be used
    "7526"  # jne to the end: no attempt to execute
    "488b8aa0000000"  # mov rcx, [rdx + 160]: the stack
    "488b01488982a8000000"  # mov rax, [rcx]; mov [rdx + 168], rax: go on where the caller does
    "4883c10848898aa0000000"  # add rcx, 8; mov [rdx + 160], rcx
    "31c048898290000000"  # xor eax, eax; mov [rdx + 144], rax: the result is zero
    "c3"
    "0f0b"  # ud2
)
"""``base/x86/silence.S`` is its source."""
_SA_SIGINFO = 4
_ACTION = struct.Struct("@P128siP")
"""glibc's ``struct sigaction``: the handler, a mask of signals, flags, and a place that glibc fills."""


def can_silence() -> bool:
    """True on the machines whose instructions are known here."""
    return platform.machine() == "x86_64" and platform.system() == "Linux"


def silence(files: Collection[str]) -> bool:
    """Make all code of these files return zero when it is called; false where that cannot be done."""
    if not can_silence():
        return False
    regions = [one for one in mappings() if one.is_code and one.file in files]
    if not regions or not _catch():
        return False
    system = libc()
    return all(system.mprotect(one.start, one.end - one.start, mmap.PROT_READ) == 0 for one in regions)


def _catch() -> bool:
    action = _ACTION.pack(executable(_HANDLER), b"", _SA_SIGINFO, 0)
    return bool(libc().sigaction(int(signal.SIGSEGV), action, None) == 0)
