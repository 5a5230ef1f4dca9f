"""What a process has mapped: ranges, rights and files, as the kernel lists them."""

import ctypes
import mmap
import os
import subprocess
import sys

import pytest

from akgflow.base.maps import mappings

if not os.path.exists("/proc/self/maps"):
    pytest.skip("this system lists no mappings", allow_module_level=True)


def test_a_file_that_is_mapped_is_found_at_its_address(tmp_path):
    path = tmp_path / "two words\u2028and more"
    path.write_bytes(b"x" * 3 * mmap.PAGESIZE)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        (found,) = [one for one in mappings() if one.file == str(path)]
        about = os.fstat(file.fileno())
        assert (found.start, found.end, found.offset) == (start, start + 3 * mmap.PAGESIZE, 0)
        assert (found.permissions, found.is_code) == ("rw-s", False)
        assert (found.device, found.inode) == (about.st_dev, about.st_ino)


def test_code_and_names_that_are_no_files():
    found = list(mappings(os.getpid()))
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert any(one.is_code and "python" in one.file for one in found)
    assert not any(one.is_code for one in found if one.file.startswith("["))
    assert {"[stack]", ""} <= {one.file for one in found}


def test_a_process_that_has_ended_has_none():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(OSError, match=str(process.pid)):
        list(mappings(process.pid))
