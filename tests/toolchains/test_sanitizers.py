"""Sanitizers on recorded calls of C++ kernels: what they print, and planted faults that they find with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from akgflow.sanitized import Finding, Sanitized
from akgflow.toolchains.cpp import COMPILE_FLAGS, LINK_FLAGS, reports, sanitizers
from akgflow.toolchains.cpp.recording import Recorder

FILES = ("candidate.py",)
ADDRESS = """
=================================================================
==32432==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6140000001d0 at pc 0x7f20a12db273 bp 0x1 sp 0x2
READ of size 4 at 0x6140000001d0 thread T1
    #0 0x7f20a12db272 in std::vector<float>::operator[](unsigned long) /usr/include/c++/12/bits/stl_vector.h:1123
    #1 0x7f20a12db272 in f._omp_fn.0 /tmp/x/candidate.py:14
    #2 0x7f20a0346d8d  (/lib/x86_64-linux-gnu/libgomp.so.1+0x1cd8d)
0x6140000001d0 is located 0 bytes to the right of 400-byte region [0x614000000040,0x6140000001d0)
allocated by thread T0 here:
    #1 0x55a404e36226 in main /tmp/poc/replay.cpp:30
=================================================================
==32432==ERROR: AddressSanitizer: stack-buffer-overflow on address 0x7ff at pc 0x7f20a12db273 bp 0x1 sp 0x2
WRITE of size 8 at 0x7ff thread T0
    #0 0x7f20a12db272 in f(tvm::ffi::TensorView, long) candidate.py:20:5
=================================================================
==32432==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x614 at pc 0x7f2 bp 0x1 sp 0x2
READ of size 4 at 0x614 thread T0
    #0 0x7f20a12db272 in elsewhere /tmp/other.cpp:3
"""
THREADS = """
==================
WARNING: ThreadSanitizer: data race (pid=32426)
  Read of size 4 at 0x7ffce5fe8e24 by thread T2:
    #0 f._omp_fn.0 candidate.py:11 (main.so+0x1230)
    #1 run /x/openmp.cpp:5 (replay+0x1399)

  Previous atomic write of size 4 at 0x7ffce5fe8e24 by thread T1:
    #0 f._omp_fn.0 candidate.py:12 (main.so+0x129f)

SUMMARY: ThreadSanitizer: data race candidate.py:11 in f._omp_fn.0
==================
ThreadSanitizer: reported 1 warnings
"""
UNDEFINED = """
==1092== Conditional jump or move depends on uninitialised value(s)
==1092==    at 0x48531E6: f(tvm::ffi::TensorView) (candidate.py:9)
==1092==    by 0x1091E1: main (replay.cpp:100)
==1092==  Uninitialised value was created by a heap allocation
==1092==    at 0x48417B4: malloc (in /usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so)
==1092==    by 0x48531E6: f (candidate.py:7)
==1092== 
==1092== Syscall param write(buf) points to uninitialised byte(s)
==1092==    at 0x49: write (write.c:26)
==1092==  Uninitialised value was created by a stack allocation
==1092==    at 0x48531E6: g (candidate.py:30)
==1092== 
==1092== Invalid read of size 4
==1092==    at 0x48531E6: f (candidate.py:8)
==1092== 
"""  # noqa: W291


def test_reports_are_read_to_the_kernels_own_lines() -> None:
    assert reports.address(ADDRESS, FILES) == (
        Finding("heap-buffer-overflow: READ of size 4", "candidate.py", 14, "f"),
        Finding("stack-buffer-overflow: WRITE of size 8", "candidate.py", 20, "f"),
    )
    race = "data race: read of size 4 and atomic write of size 4"
    assert reports.threads(THREADS, FILES) == (Finding(race, "candidate.py", 11, "f"),)
    assert reports.definedness(UNDEFINED, FILES) == (
        Finding("uninitialised memory of the heap is used", "candidate.py", 9, "f"),
        Finding("uninitialised memory of the stack is given out", "candidate.py", 30, "g"),
    )


ORDERED = """
  #pragma omp parallel for schedule(dynamic, 3)
  for (int64_t i = 0; i < n; ++i) b[i] = 2 * a[i];
  float sum = 0, most = 0, all = 0, counted = 0;
  #pragma omp parallel for reduction(+:sum)
  for (int64_t i = 0; i < n; ++i) sum += a[i];
  #pragma omp parallel
  {
    #pragma omp for nowait
    for (int64_t i = 0; i < n; ++i) {
      #pragma omp critical
      most = most > a[i] ? most : a[i];
    }
    #pragma omp for schedule(guided)
    for (int64_t i = 0; i < n; ++i) {
      #pragma omp atomic
      all += a[i];
    }
    #pragma omp single
    counted = all;
    #pragma omp for
    for (int64_t i = 0; i < n; ++i) b[i] += 0 * (counted + most);
    #pragma omp barrier
    if (counted < 0) b[0] = 0;
  }
"""
RACE = """
  float sum = 0;
  #pragma omp parallel for  // or here
  for (int64_t i = 0; i < n; ++i) sum += a[i];  // here
  b[0] = sum;
"""
NO_BARRIER = """
  float part[64] = {0}, sum = 0;
  #pragma omp parallel num_threads(4)
  {
    #pragma omp for nowait
    for (int64_t i = 0; i < 64; ++i) part[i] = a[i];  // here
    #pragma omp for
    for (int64_t i = 0; i < 64; ++i) b[i] = part[63 - i];  // or here
  }
  b[0] += sum;
"""
TASKS = """
  #pragma omp parallel
  #pragma omp single
  #pragma omp task
  b[0] = a[0];
"""
PLANTED = {
    "read past the end": "  float sum = 0;\n  for (int64_t i = 0; i <= n; ++i) sum += a[i];  // here\n  b[0] = sum;",
    "read before the start": "  b[0] = a[n > 5 ? -1 : 0];  // here",
    "write past the end": "  for (int64_t i = 0; i < n + 1; ++i) b[i] = 1;  // here",
    "write past a buffer of its own": "  float part[8];\n  for (int64_t i = 0; i < n && i < 12; ++i)\n"
    "    part[i] = a[i];  // here\n  b[0] = part[n % 8];",
    "use of what was freed": "  volatile float* t = new float[n];\n  delete[] t;\n  b[0] = t[0];  // here",
}
UNWRITTEN = {
    "heap that nobody wrote": "  float* t = new float[n];\n  for (int64_t i = 1; i < n; ++i) t[i] = a[i];\n"
    "  for (int64_t i = 0; i < n; ++i) if (t[i] > 0.5f) b[i] = a[i];  // here\n  delete[] t;",
    "a stack that nobody wrote": "  float t[4];\n  for (int64_t i = 0; i < n - 97; ++i) t[i] = a[i];\n"
    "  if (t[n % 4] + t[3] > 0.5f) b[0] = 1;  // here",
}


def recorded(folder: Path, *bodies: str) -> tuple[Path, list[int]]:
    """One library with a function for each body, called with 100 numbers; and the lines that say ``here``."""
    functions = [
        f"void f{number}(tvm::ffi::TensorView x, tvm::ffi::TensorView y, int64_t n) {{\n"
        "  const float* a = (const float*)x.data_ptr(); float* b = (float*)y.data_ptr();\n"
        f"{body}\n}}\n"
        for number, body in enumerate(bodies)
    ]
    text = "".join(functions)
    recorder = Recorder(folder)
    options = {"extra_cflags": list(COMPILE_FLAGS), "extra_ldflags": list(LINK_FLAGS)}
    names = [f"f{number}" for number in range(len(bodies))]
    source = f'#line 1 "candidate.py"\n{text}'
    library = recorder.built("planted", {"cpp_sources": [source], "functions": names, **options})
    for name in names:
        recorder.called(library, name, (torch.rand(100), torch.zeros(100), 100))
    return folder, [number for number, line in enumerate(text.splitlines(), 1) if "here" in line]


def test_a_race_between_threads_is_found_and_order_is_not_taken_for_one(tmp_path: Path) -> None:
    folder, lines = recorded(tmp_path, ORDERED, RACE, NO_BARRIER)
    found = sanitizers.look("race", folder)
    assert {one.kernel for one in found.findings} == {"f1", "f2"}, str(found)
    assert {one.line for one in found.findings} <= set(lines)
    assert all(one.file == "candidate.py" and "data race" in one.what for one in found.findings)


@pytest.mark.thorough
def test_what_openmp_has_no_plain_thread_for_is_absent(tmp_path: Path) -> None:
    folder, _ = recorded(tmp_path, TASKS)
    found = sanitizers.look("race", folder)
    assert "asks OpenMP for GOMP_task" in found.absent
    assert not found.clean


@pytest.mark.thorough
def test_faults_of_memory_are_found_with_their_lines(tmp_path: Path) -> None:
    for name, planted in (("allocated", PLANTED), ("written", UNWRITTEN)):
        folder, lines = recorded(tmp_path / name, ORDERED, *planted.values())
        found = sanitizers.look("memory", folder)
        assert sorted({one.line for one in found.findings if one.line is not None}) == lines, str(found)


@pytest.mark.thorough
def test_without_valgrind_nothing_found_is_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitizers.shutil, "which", lambda name: None)
    folder, lines = recorded(tmp_path / "right", ORDERED)
    assert "apt-get install valgrind" in sanitizers.look("memory", folder).absent
    folder, lines = recorded(tmp_path / "wrong", PLANTED["write past the end"])
    assert [one.line for one in sanitizers.look("memory", folder).findings] == lines


def test_calls_that_cannot_be_made_again_are_no_reason_to_pass(tmp_path: Path) -> None:
    assert "no call of a library" in sanitizers.look("race", tmp_path / "nothing").absent
    recorder = Recorder(tmp_path / "lists")
    library = recorder.built("f", {"cpp_sources": ["void f() {}"], "functions": ["f"]})
    recorder.called(library, "f", (torch.rand(3), "a text"))
    found = sanitizers.look("race", tmp_path / "lists")
    assert found == Sanitized("race", absent="a function takes a str, and only tensors and numbers are replayed")
