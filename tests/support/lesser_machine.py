"""Run a command as on a machine whose kernel lacks something: its calls are refused for good, for every process.

python lesser_machine.py namespaces|landlock|seccomp COMMAND...
"""

import ctypes
import errno
import os
import struct
import sys

CALLS = {
    "x86_64": {"clone": 56, "unshare": 272, "seccomp": 317},
    "aarch64": {"clone": 220, "unshare": 97, "seccomp": 277},
}[os.uname().machine]
LANDLOCK = (444, 445, 446)
LOAD, EQUAL, ANY_BIT, ANSWER = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR, NEW_NAMESPACES = 0x7FFF0000, 0x00050000, 0x7E020080
NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2


def refused(number, what):
    """Two instructions: this call is answered with the error ``what``."""
    return [(EQUAL, 0, 1, number), (ANSWER, 0, 0, ERROR | what)]


def instructions(missing):
    """The filter's instructions after the number of the call was loaded."""
    if missing == "landlock":
        return [step for number in LANDLOCK for step in refused(number, errno.ENOSYS)]
    if missing == "seccomp":
        return refused(CALLS["seccomp"], errno.ENOSYS)
    flags = [(EQUAL, 0, 4, CALLS["clone"]), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NEW_NAMESPACES)]
    flags += [(ANSWER, 0, 0, ERROR | errno.EPERM), (ANSWER, 0, 0, ALLOW)]
    return refused(CALLS["unshare"], errno.EPERM) + refused(435, errno.ENOSYS) + flags


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def lessen(missing):
    """Take it from this process and all that it starts."""
    steps = [(LOAD, 0, 0, 0), *instructions(missing), (ANSWER, 0, 0, ALLOW)]
    text = b"".join(struct.pack("=HBBI", *step) for step in steps)
    libc = ctypes.CDLL(None, use_errno=True)
    wide = [ctypes.c_ulong(part) for part in (1, 0, 0, 0)]
    assert libc.prctl(NO_NEW_PRIVS, *wide) == 0
    assert libc.prctl(SET_SECCOMP, ctypes.c_ulong(FILTER), ctypes.byref(Program(len(steps), text))) == 0


if __name__ == "__main__":
    lessen(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
