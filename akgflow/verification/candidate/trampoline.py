"""Trampolines: a few instructions that call a check, then a kernel, so that Python sees neither.

A candidate in the same process can reach whatever a Python function holds while it runs: through the frames of a
traceback, through those below a method of an argument that is looked at, or in a callback of the garbage collector. So
no frame below a candidate's code holds kernel or check, and no object that it could find refers to them: their
addresses are part of the instructions that call them.

The instructions are x86-64's: on other processors a Python function does the same, and hides nothing.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import struct
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, NamedTuple, NoReturn

from akgflow.base.pages import executable

_KEYWORDS = 0x0003
"""A C function that takes a tuple of arguments and a dict of keywords."""


class Part(NamedTuple):
    """What one trampoline calls. Either check may return an exception instead, which is then raised."""

    before: Callable[..., Any]
    """Takes a call's arguments and returns those for the kernel as a tuple."""
    kernel: Callable[..., Any]
    after: Callable[[Any], Any]
    """Takes the kernel's result and returns None."""


def trampolines(parts: Sequence[Part]) -> list[Callable[..., Any]]:
    """For each part a function that takes what its check takes and returns what its kernel returns."""
    for thing in (thing for part in parts for thing in (part.before, part.after)):
        hide(thing)
    if platform.machine() != "x86_64" or not parts:
        return [_in_python(part) for part in parts]
    code = _assembled(list(_steps()))
    for thing in (thing for part in parts for thing in part):
        _keep(thing)
    whole = b"".join(_filled(code, part) for part in parts)
    start = executable(whole)
    return _functions(range(start, start + len(whole), len(code)))


def trampoline(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a trampoline, which shows nothing of what it refers to."""
    hide(function)
    (found,) = trampolines([Part(_arguments, function, _nothing)])
    return found


def hide(thing: Any) -> None:
    """Take an object, and what a function refers to, from the collector's lists: nothing enumerates them any more."""
    if not type(thing).__flags__ & (1 << 14):  # Py_TPFLAGS_HAVE_GC
        return
    if not gc.is_tracked(thing):
        return
    untrack = ctypes.pythonapi.PyObject_GC_UnTrack
    untrack.argtypes, untrack.restype = [ctypes.c_void_p], None
    untrack(id(thing))
    cells = getattr(thing, "__closure__", None) or ()
    hide(cells)
    for cell in filter(gc.is_tracked, cells):
        untrack(id(cell))
        if type(cell.cell_contents) in (FunctionType, list, dict, set):
            hide(cell.cell_contents)


def _arguments(*args: Any) -> Any:
    return args


def _nothing(_: Any) -> None:
    return None


def _raise(error: BaseException) -> NoReturn:
    raise error


def _in_python(part: Part) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        given = part.before(*args, **kwargs)
        if type(given) is not tuple:
            _raise(given)
        result = part.kernel(*given, **kwargs)
        refusal = part.after(result)
        return result if refusal is None else _raise(refusal)

    return function


class _Jump(NamedTuple):
    """A jump to a label: ``code`` is the instruction without its distance."""

    code: bytes
    label: str


_ENTER = bytes.fromhex("53 4154 4155 4156 4157 4989f4 4989d5")  # push rbx, r12 to r15; mov r12, rsi; mov r13, rdx
_LEAVE = bytes.fromhex("415f 415e 415d 415c 5b c3")
_ZERO, _OTHER, _ALWAYS = b"\x0f\x84", b"\x0f\x85", b"\xe9"
_RBX, _R12, _R13 = "rbx", "r12", "r13"
_AS_FIRST = {_RBX: b"\x48\x89\xdf", _R12: b"\x4c\x89\xe7"}  # mov rdi, …
_AS_SECOND = {_RBX: b"\x48\x89\xde", _R12: b"\x4c\x89\xe6"}  # mov rsi, …
_TAKE = {_RBX: b"\x48\x89\xc3", _R12: b"\x49\x89\xc4"}  # mov …, rax
_LOOK = {_RBX: b"\x48\x85\xdb", _R12: b"\x4d\x85\xe4"}  # test …, …


_BEFORE, _KERNEL, _AFTER = (bytes([mark]) * 8 for mark in (0xA1, 0xA2, 0xA3))
"""Stand for the addresses of a part's objects."""


def _filled(code: bytes, part: Part) -> bytes:
    for mark, thing in zip((_BEFORE, _KERNEL, _AFTER), part, strict=True):
        code = code.replace(mark, struct.pack("<Q", id(thing)))
    return code


def _steps() -> Iterator[bytes | str | _Jump]:
    """A C function of (self, arguments, keywords): r12 holds the arguments and then the result, r13 the keywords.

    ``base/x86/trampoline.S`` is its source.
    """
    yield _ENTER
    # While a check runs, the collector could call the candidate above its frames.
    yield from _uncollected(_object(_BEFORE) + _AS_SECOND[_R12] + b"\x4c\x89\xea" + _call("PyObject_Call"), "before")
    yield from (_LOOK[_RBX], _Jump(_ZERO, "failed"))
    # What the check gives is a tuple, or an exception: cmp [rbx + 8], type.
    yield from (b"\x48\xb8" + struct.pack("<Q", id(tuple)) + b"\x48\x39\x43\x08", _Jump(_OTHER, "refused"))
    yield _object(_KERNEL) + _AS_SECOND[_RBX] + b"\x4c\x89\xea" + _call("PyObject_Call") + _TAKE[_R12]
    yield from (_AS_FIRST[_RBX] + _call("Py_DecRef"), _LOOK[_R12], _Jump(_ZERO, "failed"))
    yield from _uncollected(_object(_AFTER) + _AS_SECOND[_R12] + _call("PyObject_CallOneArg"), "after")
    yield from (_LOOK[_RBX], _Jump(_ZERO, "dropped"))
    yield from (b"\x48\xb8" + struct.pack("<Q", id(None)) + b"\x48\x39\xc3", _Jump(_OTHER, "refused late"))
    yield from (_AS_FIRST[_RBX] + _call("Py_DecRef"), b"\x4c\x89\xe0", _Jump(_ALWAYS, "out"))
    yield from ("refused late", _AS_FIRST[_R12] + _call("Py_DecRef"))
    yield from ("refused", _object(struct.pack("<Q", id(_raise))) + _AS_SECOND[_RBX] + _call("PyObject_CallOneArg"))
    yield from (_AS_FIRST[_RBX] + _call("Py_DecRef"), _Jump(_ALWAYS, "failed"))
    yield from ("dropped", _AS_FIRST[_R12] + _call("Py_DecRef"))
    yield from ("failed", b"\x31\xc0", "out", _LEAVE)


def _uncollected(call: bytes, name: str) -> Iterator[bytes | str | _Jump]:
    """The call with the garbage collector switched off, if it was on; the result in rbx."""
    yield _call("PyGC_Disable") + b"\x41\x89\xc6"  # mov r14d, eax
    yield call + _TAKE[_RBX]
    yield from (b"\x45\x85\xf6", _Jump(_ZERO, f"{name} done"), _call("PyGC_Enable"), f"{name} done")


def _object(address: bytes) -> bytes:
    return b"\x48\xbf" + address  # mov rdi, …


def _call(name: str) -> bytes:
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    return b"\x48\xb8" + struct.pack("<Q", address) + b"\xff\xd0"  # mov rax, …; call rax


def _assembled(steps: Sequence[bytes | str | _Jump]) -> bytes:
    """The instructions with the distances of their jumps filled in, padded to sixteen bytes."""
    labels, at = dict[str, int](), 0
    for step in steps:
        if isinstance(step, str):
            labels[step] = at
        else:
            at += len(step.code) + 4 if isinstance(step, _Jump) else len(step)
    code = b""
    for step in steps:
        if isinstance(step, _Jump):
            code += step.code + struct.pack("<i", labels[step.label] - len(code) - len(step.code) - 4)
        elif isinstance(step, bytes):
            code += step
    return code + b"\xcc" * (-len(code) % 16)


def _keep(thing: Any) -> None:
    """Never free an object, and let the collector not list it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    hide(thing)


class _Definition(ctypes.Structure):
    """Python's description of a C function."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("words", ctypes.c_char_p),
    )


def _functions(places: Sequence[int]) -> list[Callable[..., Any]]:
    definitions = (_Definition * len(places))(*(_Definition(b"kernel", place, _KEYWORDS, None) for place in places))
    _keep(definitions)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.argtypes, make.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p], ctypes.py_object
    start, size = ctypes.addressof(definitions), ctypes.sizeof(_Definition)
    return [make(start + i * size, None, None) for i in range(len(places))]
