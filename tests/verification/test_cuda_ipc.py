"""What can be said of shared GPU memory without a GPU."""

from __future__ import annotations

import ctypes
import errno
import os

from akgflow.verification.shared import cuda_ipc


def test_a_function_keeps_its_result_type_from_call_to_call() -> None:
    """The words of an error come as a pointer to text, as libc's ``strerror`` gives it."""
    words_of = cuda_ipc.function(ctypes.CDLL(None), "strerror", ctypes.c_char_p)
    for code in (errno.ENOENT, errno.ENOMEM):
        assert words_of(code).decode() == os.strerror(code)


def test_a_runtime_looks_its_text_function_up_once() -> None:
    """``strerror`` and friends are of libc: what is tested is the prototype, not what a driver does."""

    class Libc(ctypes.CDLL):
        def __getitem__(self, name: str) -> object:
            return super().__getitem__({"GetErrorString": "strerror", "GetLastError": "getpid"}.get(name, name))

    runtime = cuda_ipc._Runtime(Libc(None), "")
    try:
        runtime.call("abs", -errno.ENOENT)
    except RuntimeError as error:
        assert str(error) == f"abs failed: {os.strerror(errno.ENOENT)} ({errno.ENOENT})"
    else:
        raise AssertionError("a code that is not zero is an error")
