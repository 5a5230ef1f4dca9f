"""Hooks on kernel libraries: which functions count, and that a process that calls one is known and ended."""

import os
import platform
import shutil
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

from akgflow.verification.shared import library_traps  # noqa: E402

NUMERICAL = (
    "cblas_sgemm",
    "scipy_cblas_dgemv64_",
    "sgemm_",
    "mkl_blas_avx2_sgemm",
    "cublasSgemm_v2",
    "cublasLtMatmul",
    "cudnnBackendExecute",
    "dnnl_primitive_execute",
    "aoti_torch_cpu_mm_out",
    "_ZN2at3cpu2mmERKNS_6TensorES3_",
    "_ZN2at6native22structured_bmm_out_cpu4implERKNS_6TensorES4_S4_",
)
OTHERS = (
    "openblas_set_num_threads",
    "blas_thread_shutdown_",
    "cublasCreate_v2",
    "cudnnGetVersion",
    "mkl_set_num_threads",
    "aoti_torch_get_data_ptr",
    "_ZN2at6native12resolve_conjERKNS_6TensorE",
    "_ZN2at3cpu11fill_ERNS_6TensorE",
    "gemm_of_my_own",
)


@pytest.mark.parametrize("name", NUMERICAL)
def test_functions_that_do_the_work(name):
    assert library_traps.is_numerical(name)


@pytest.mark.parametrize("name", OTHERS)
def test_functions_that_do_not(name):
    assert not library_traps.is_numerical(name)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="functions are hooked on x86-64 only")
def test_a_process_that_calls_a_hooked_function_is_ended_and_known():
    trap, a = library_traps.Trap(), np.ones((64, 64), np.float32)
    names = {function.address: function.name for function in library_traps.hooked_functions()}
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        hooks = library_traps.FunctionHooks(os.dup(trap.fd))
        hooks.install()
        still = (torch.ones(8) + 1).sum().item()
        hooks.remove()
        before = (a @ a)[0, 0]
        os.write(write, f"{still} {before}".encode())
        hooks.install()
        a @ a
        os.write(write, b" through")
        os._exit(0)
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == library_traps.EXIT_CODE
    assert os.read(read, 100) == b"16.0 64.0"
    assert "gemm" in names[trap.entered]
    os.close(read)


def test_a_library_of_kernels_is_known_by_what_it_offers():
    files = sorted(library_traps.libraries())
    blas = [file for file in files if "openblas" in file or "libtorch_cpu" in file]
    assert blas and all(library_traps.is_library(file) for file in blas)
    assert not any(library_traps.is_library(file) for file in files if "libc.so" in file or "libpython" in file)
    seen = {}
    assert library_traps.foreign(os.getpid(), frozenset(files), seen) is None
    assert library_traps.foreign(os.getpid(), frozenset(files) - set(blas), seen) in blas


ODD_NAMES = ["plain.so", "two words.so", "line\u2028\x0b\x85.so", "break\nin it.so", b"no utf-8 \xff.so"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_library_of_kernels_is_known_by_any_name(tmp_path, name):
    (blas, *_) = [file for file in sorted(library_traps.libraries()) if "openblas" in file]
    copy = tmp_path / os.fsdecode(name)
    shutil.copy(blas, copy)
    load = "import ctypes, os, sys; ctypes.CDLL(os.fsencode(sys.argv[1])); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", load, copy],
        env={**os.environ, "LD_LIBRARY_PATH": os.path.dirname(blas)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"\n"
        found = library_traps.foreign(process.pid, library_traps.libraries(), {})
        process.stdin.close()
    assert found is not None and str(tmp_path) in found
    found.encode("utf-8")
