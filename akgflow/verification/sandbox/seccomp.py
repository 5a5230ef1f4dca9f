"""The system calls that no kernel needs: a filter that answers them with EPERM, for this process and all that follow.

A filter sees call numbers and arguments in registers, not what pointers point to. It is one list of *rules*; the
first that fits decides, and what fits none is allowed.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from dataclasses import dataclass

from akgflow.verification.sandbox import libc
from akgflow.verification.sandbox.libc import Refused

# Numbers from the uapi headers linux/bpf_common.h, linux/seccomp.h, linux/audit.h and asm/unistd*.h.
_LOAD, _EQUAL, _SET, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCH = 0, 4
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_X32 = 0x40000000
_SET_MODE_FILTER = 1
_SPEC_ALLOW = 1 << 2
"""Without it, kernels before 5.16 switch speculative store bypass off for filtered processes, which costs speed."""

AF_UNIX = 1
_NEW_NAMESPACES = 0x7E020000

# name: (x86_64, aarch64). None where the architecture has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes' memory, registers and descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # the kernel's own machines, where most holes were found, and none of which a kernel needs
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # another view of files, users or machines
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "iopl": (172, None),
    "ioperm": (173, None),
    # memory that outlives its processes and that no limit counts
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
_SOCKET, _CLONE, _CLONE3, _KILL_CALL = (41, 198), (56, 220), (435, 435), (62, 129)
# Calls that take a process as their first argument and need only the same user: 0 is the caller itself.
_ON_OTHERS: dict[str, tuple[int, int]] = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
_ON_OTHERS_SECOND: dict[str, tuple[int, int]] = {"setpriority": (141, 140), "ioprio_set": (251, 30)}


@dataclass(frozen=True)
class _Jump:
    """One instruction. ``yes`` and ``no`` count the instructions to skip."""

    code: int
    value: int
    yes: int = 0
    no: int = 0

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.yes, self.no, self.value & 0xFFFFFFFF)


def _answer(value: int) -> _Jump:
    return _Jump(_RETURN, value)


def _argument(place: int, high: bool = False) -> _Jump:
    """Load one half of an argument; both architectures are little-endian."""
    return _Jump(_LOAD, 16 + 8 * place + (4 if high else 0))


def _when(number: int, *body: _Jump) -> list[_Jump]:
    """``body`` decides about call ``number``; every path through it returns."""
    return [_Jump(_EQUAL, number, 0, len(body)), *body]


def program(machine: str, *, unix_sockets: bool, peers_visible: bool) -> bytes:
    """The filter's instructions for ``x86_64`` or ``aarch64``.

    ``peers_visible``: there is no process namespace, so calls that change other processes of the same user are
    refused for all processes but the caller.
    """
    at = ("x86_64", "aarch64").index(machine)
    rules = [_Jump(_LOAD, _ARCH), _Jump(_EQUAL, _AUDIT[machine], 1, 0), _answer(_KILL), _Jump(_LOAD, _NUMBER)]
    if machine == "x86_64":
        rules += [_Jump(_AT_LEAST, _X32, 0, 1), _answer(_KILL)]
    for numbers in REFUSED.values():
        number = numbers[at]
        if number is not None:
            rules += _when(number, _answer(_REFUSE))
    # The flags of clone3 are behind a pointer. Where it is absent, C libraries use clone, whose flags can be read.
    rules += _when(_CLONE3[at], _answer(_ABSENT))
    rules += _when(_CLONE[at], _argument(0), _Jump(_SET, _NEW_NAMESPACES, 0, 1), _answer(_REFUSE), _answer(_ALLOW))
    family = [_argument(0), _Jump(_EQUAL, AF_UNIX, 0, 1), _answer(_ALLOW)] if unix_sockets else []
    rules += _when(_SOCKET[at], *family, _answer(_REFUSE))
    # kill(-1) means everything that the user runs.
    rules += _when(_KILL_CALL[at], _argument(0), _Jump(_EQUAL, 0xFFFFFFFF, 0, 1), _answer(_REFUSE), _answer(_ALLOW))
    if peers_visible:
        for place, calls in enumerate((_ON_OTHERS, _ON_OTHERS_SECOND)):
            for numbers in calls.values():
                zero = [_argument(place), _Jump(_EQUAL, 0, 0, 1), _answer(_ALLOW), _answer(_REFUSE)]
                rules += _when(numbers[at], *zero)
    return b"".join(one.packed() for one in [*rules, _answer(_ALLOW)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(*, unix_sockets: bool, peers_visible: bool) -> None:
    """Filter this thread and all that it starts; needs ``PR_SET_NO_NEW_PRIVS``. Raises `Refused`."""
    machine = libc.machine()
    if machine is None:
        raise Refused(errno.ENOSYS, "the filter knows the system calls of x86-64 and aarch64 only")
    text = program(machine, unix_sockets=unix_sockets, peers_visible=peers_visible)
    filled = _Program(len(text) // 8, text)
    libc.syscall("seccomp", _SECCOMP[machine], _SET_MODE_FILTER, _SPEC_ALLOW, ctypes.byref(filled))
