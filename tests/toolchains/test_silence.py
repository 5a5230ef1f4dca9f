"""A silenced library: every call of it comes back at once, with zero, and the process lives on."""

import subprocess
import sys

import pytest

from akgflow.toolchains.common.headers import FIRST, compiled
from akgflow.toolchains.common.silence import silence

SOURCE = """
extern "C" int seven(int* place) { *place = 7; return 7; }
extern "C" int twice(int (*other)(int)) { return 2 * other(21); }
"""
PROGRAM = """
import ctypes, sys
from akgflow.toolchains.common.silence import silence

library = ctypes.CDLL(sys.argv[1])
place = ctypes.c_int(0)
assert (library.seven(ctypes.byref(place)), place.value) == (7, 7)
assert silence({sys.argv[1]})
place.value = 1
assert (library.seven(ctypes.byref(place)), place.value) == (0, 1)
assert library.twice(None) == 0
print("lives", flush=True)
if len(sys.argv) > 2:
    ctypes.string_at(8)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silence")
    (folder / "seven.cpp").write_text(SOURCE)
    subprocess.run(["g++", "-shared", "-fPIC", folder / "seven.cpp", "-o", folder / "seven.so"], check=True)
    return str(folder / "seven.so")


def test_calls_come_back_with_zero(library):
    done = subprocess.run([sys.executable, "-c", PROGRAM, library], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr


def test_other_faults_still_end_the_process(library):
    done = subprocess.run([sys.executable, "-c", PROGRAM, library, "fault"], capture_output=True, text=True)
    assert done.returncode < 0
    assert done.stdout == "lives\n"


def test_what_is_not_loaded_cannot_be_silenced(tmp_path):
    assert not silence({str(tmp_path / "nothing.so")})


@pytest.mark.thorough
def test_headers_are_compiled_once_and_used_where_options_agree(tmp_path, monkeypatch):
    monkeypatch.setenv("AKGFLOW_CACHE", str(tmp_path))
    flags = ("-std=c++17", "-O0")
    folder = compiled.__wrapped__(flags)
    before = (folder / f"{FIRST}.gch").stat()
    assert compiled.__wrapped__(flags) == folder
    assert (folder / f"{FIRST}.gch").stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in (tmp_path / "headers").iterdir()] == [folder.name]
    source = f"#include <{FIRST}>\\nint main() {{ return 0; }}\\n".replace("\\n", "\n")
    from akgflow.toolchains.common.installed import package_dir

    for options, used in ((flags, "! "), (("-std=c++20", "-O0"), "x ")):
        command = ["g++", *options, f"-I{folder}", f"-I{package_dir('tvm_ffi')}/include", "-H", "-fsyntax-only"]
        done = subprocess.run([*command, "-x", "c++", "-"], input=source, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith(f"{used}{folder}"), done.stderr[:200]
