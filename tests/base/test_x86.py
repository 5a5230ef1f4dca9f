"""Hand-assembled instructions: the bytes in Python are what an assembler makes of the commented source."""

import ctypes
import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")

import akgflow.base
from akgflow.toolchains.common import silence
from akgflow.verification.candidate import fault_recorder, trampoline
from akgflow.verification.sandbox import POISON
from akgflow.verification.shared import allocation_guards, library_traps

SOURCES = Path(akgflow.base.__file__).parent / "x86"
WORD = 0x1122334455667788
NEEDS_AN_ASSEMBLER = pytest.mark.skipif(
    platform.machine() != "x86_64" or not shutil.which("gcc") or not shutil.which("objcopy"),
    reason="no assembler for x86-64 on this machine",
)


def assembled(name, folder, **constants):
    """The bytes of a source; ``constants`` are what its comment lists."""
    binary, object_file = folder / "bytes", folder / "code.o"
    defined = [f"-D{constant}={value:#x}" for constant, value in constants.items()]
    subprocess.run(["gcc", "-c", *defined, SOURCES / f"{name}.S", "-o", object_file], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", object_file, binary], check=True)
    return binary.read_bytes()


def trampoline_constants():
    api = {
        "PYGC_DISABLE": "PyGC_Disable",
        "PYGC_ENABLE": "PyGC_Enable",
        "PYOBJECT_CALL": "PyObject_Call",
        "PYOBJECT_CALLONEARG": "PyObject_CallOneArg",
        "PY_DECREF": "Py_DecRef",
    }
    found = {
        constant: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for constant, name in api.items()
    }
    marks = {name: getattr(trampoline, f"_{name}") for name in ("BEFORE", "KERNEL", "AFTER")}
    found |= {name: struct.unpack("<Q", mark)[0] for name, mark in marks.items()}
    return found | {"RAISE": id(trampoline._raise), "TUPLE": id(tuple), "NONE": id(None)}


CODE = {
    "fault_recorder": lambda: (fault_recorder._code(WORD), {"RECORD": WORD}),
    "silence": lambda: (silence._HANDLER, {}),
    "allocation_guards": lambda: (
        allocation_guards._code(WORD),
        {
            "ORIGINAL": WORD,
            "PAD": allocation_guards.PAD,
            "FILLED": allocation_guards.PAD - allocation_guards.WORD,
            "POISON": POISON,
        },
    ),
    "library_traps": lambda: (
        library_traps._stub_code(WORD),
        {"PAGE": WORD, "EXIT_CODE": library_traps.EXIT_CODE},
    ),
    "trampoline": lambda: (trampoline._assembled(list(trampoline._steps())).rstrip(b"\xcc"), trampoline_constants()),
}


@NEEDS_AN_ASSEMBLER
@pytest.mark.parametrize("name", CODE)
def test_the_bytes_are_those_of_the_source(tmp_path, name):
    code, constants = CODE[name]()
    assert assembled(name, tmp_path, **constants).hex(" ") == code.hex(" ")


def test_every_source_is_compared():
    assert {path.stem for path in SOURCES.iterdir()} == set(CODE)


@NEEDS_AN_ASSEMBLER
def test_the_offsets_are_those_of_the_c_library(tmp_path):
    """Those in ``siginfo_t`` and ``ucontext_t``."""
    text = """
    #define _GNU_SOURCE
    #include <signal.h>
    #include <stddef.h>
    #include <ucontext.h>
    #define REGISTER(name) (offsetof(ucontext_t, uc_mcontext.gregs) + 8 * name)
    _Static_assert(offsetof(siginfo_t, si_addr) == 16, "si_addr");
    _Static_assert(REGISTER(REG_RAX) == 144 && REGISTER(REG_RSP) == 160 && REGISTER(REG_RIP) == 168, "registers");
    _Static_assert(REGISTER(REG_ERR) == 192, "REG_ERR");
    """
    subprocess.run(["gcc", "-c", "-x", "c", "-", "-o", tmp_path / "o"], input=text.encode(), check=True)
