"""Hooks on the functions of kernel libraries in a candidate's process: while its model is called, they end it.

The dispatcher is one way to the framework's kernels (`akgflow.verification.candidate.dispatch_guard`); the exported
functions of libtorch, OpenBLAS, MKL or cuBLAS are another, which numpy and ``dlsym`` take. While a model is called,
their first bytes lead to a few instructions that leave the function's address on a page that the judge sees, and end
the process: a candidate that forges that page only accuses itself.

The instructions are x86-64's: elsewhere no function is hooked. Native code can put the bytes back.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import re
import stat
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from akgflow.base.maps import mappings
from akgflow.base.pages import libc
from akgflow.verification.shared.fields import clean

EXIT_CODE = 86
"""Exit code of a process that called a hooked function."""
_BLAS = r"(gemm|gemmt|gemv|gbmv|symm|hemm|symv|hemv|syrk|herk|syr2k|trmm|trmv|trsm|trsv|ger[uc]?|dot[uc]?|axpy|nrm2)"
_NUMERICAL = re.compile(
    rf"(scipy_)?(cblas_|mkl_(blas_|sparse_)?\w*)?[sdczhbix]{{1,3}}{_BLAS}\w*"
    r"|(scipy_)?(cblas_gemm\w*|LAPACKE_\w+|[sdcz](ge|po|sy|he|or|un|tr)(trf|tri|trs|sv|qrf|mqr|gqr|ev|evd|sdd|svd|ls)\w*)"
    r"|dnnl_(primitive_execute|[su\d]*s?gemm\w*)|DftiCompute\w+|aoti_torch_(cpu|cuda|mps|xpu)_\w+"
)
"""Names of C and Fortran functions that multiply, solve or transform."""
_VENDOR = re.compile(r"(cublas|cudnn|cusparse|cusolver|cufft|rocblas|hipblas|miopen|rocsparse|hipsparse|rocfft|hipfft)")
_HOUSEKEEPING = re.compile(r"Create|Destroy|Get|Set|Version|Init|Log|Check|Query|String")
_NATIVE = re.compile(r"_ZNK?2at(?:3cpu|4cuda|6native)(\d+)(\w+)")
_CONTRACTION = re.compile(
    r"_?(add|baddb?|b|s)?mm_?|_(scaled|int|grouped)_mm\w*|addbmm_?|addmv_?|addr_?|v?dot|_addmm_activation"
    r"|_?(slow_|mkldnn_|cudnn_|miopen_|conv_depthwise)\w*conv\w*|conv_depthwise3d|conv_tbc|mkldnn_(linear|matmul)\w*"
    r"|_weight_int\w+|_dyn_quant\w+|\w*flash_attention\w*|_fft_[cr]2[cr]\w*|_cdist_forward|_pdist_forward"
)
_AFFIXES = re.compile(r"^structured_|(_outf?|_cpu|_cuda|_stub|_impl|_symint|_kernel)+$")
_LIBRARIES = re.compile(
    rf"lib(torch_(cpu|cuda|hip)|\w*openblas\w*|mkl_\w+|blis|blas|cblas|lapack|{_VENDOR.pattern}\w*)\b"
)
_MANY = 20
"""So many numerical functions make a library of kernels, whatever its name."""
_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
_PROTECTION = mmap.PROT_READ | mmap.PROT_EXEC
_CALL_BYTES = 12
"""Of a call that reaches any address: a relative one may find no free memory near libraries of gibibytes."""


class HookedFunction(NamedTuple):
    """A function that this process has mapped."""

    name: str
    address: int


class Trap:
    """The judge's end: the page on which a process that called a hooked function leaves its address."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("akgflow-trap", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, mmap.PAGESIZE)
        # Without the seals a candidate could cut the file, and the judge would die reading it.
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self._page = mmap.mmap(self.fd, mmap.PAGESIZE)

    @property
    def entered(self) -> int | None:
        """Address, in the candidate's process, of the function that was entered; None when none was."""
        (address,) = struct.unpack_from("<Q", self._page)
        return address - _CALL_BYTES if address else None

    def __del__(self) -> None:
        os.close(self.fd)


@cache
def hooked_functions() -> tuple[HookedFunction, ...]:
    """All functions of the libraries in this process that compute what a DSL is for."""
    if platform.machine() != "x86_64":
        return ()
    found = [
        HookedFunction(name, one.start + value)
        for one in mappings()
        if one.offset == 0 and one.file.startswith("/") and _LIBRARIES.match(os.path.basename(one.file))
        for name, value in _roomy(list(exports(one.file)))
        if is_numerical(name)
    ]
    return tuple(sorted(set(found), key=lambda function: function.address))


def _roomy(functions: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The functions whose first bytes can be replaced without a change to the next one."""
    places = np.unique(np.array([value for _, value in functions], np.int64))
    short = set(places[:-1][np.diff(places) < _CALL_BYTES].tolist())
    return ((name, value) for name, value in functions if value not in short)


def is_numerical(name: str) -> bool:
    """True for functions of a kernel library that no honest host code needs while a model is called."""
    native = _NATIVE.match(name)
    if native:
        return _CONTRACTION.fullmatch(_AFFIXES.sub("", native[2][: int(native[1])])) is not None
    if _VENDOR.match(name):
        return not _HOUSEKEEPING.search(name)
    return _NUMERICAL.fullmatch(name) is not None


def is_library(file: str) -> bool:
    """True for a file that offers many numerical functions. Raises `OSError` where it cannot be read."""
    return sum(is_numerical(name) for name, _ in exports(file)) >= _MANY


def exports(file: str) -> Iterator[tuple[str, int]]:
    """Name and offset of each function that a 64-bit ELF library offers; nothing for other files."""
    # The candidate that named the file may have put something else in its place.
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size < 64:
            return
        with mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as data:
            yield from _exports(data)


def _exports(data: mmap.mmap) -> Iterator[tuple[str, int]]:
    if data[:5] != b"\x7fELF\x02":
        return
    (table,), (size, count) = struct.unpack_from("<Q", data, 0x28), struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    for section in sections:
        if section[1] != 11 or not section[6] < count:  # SHT_DYNSYM, and its strings
            continue
        strings = sections[section[6]]
        # A slice of a map is a copy: not one of all that follows, hundreds of megabytes of it.
        names = data[strings[4] : strings[4] + strings[5]]
        raw = data[section[4] : section[4] + section[5] // _SYMBOL.itemsize * _SYMBOL.itemsize]
        symbols = np.frombuffer(raw, _SYMBOL)
        offered = symbols[(symbols["info"] % 16 == 2) & (symbols["section"] != 0) & (symbols["value"] != 0)]
        # By columns: a hundred thousand rows one by one would take a second of each judge's start.
        for start, value in zip(offered["name"].tolist(), offered["value"].tolist(), strict=True):
            yield names[start : names.find(b"\0", start)].decode("latin-1"), value


def libraries(pid: int | str = "self") -> frozenset[str]:
    """Files whose code a process has mapped. Raises `OSError`."""
    return frozenset(one.file for one in mappings(pid) if one.is_code)


def foreign(pid: int, known: frozenset[str], seen: dict[tuple[int, ...], bool]) -> str | None:
    """A library of kernels that a process has loaded itself.

    ``known`` are files that need not be looked at; ``seen`` keeps what was found in others, for the next time.
    """
    for file in sorted(libraries(pid) - known):
        for name in {file, file.replace("\\012", "\n")}:
            with contextlib.suppress(OSError, struct.error, ValueError):
                path = f"/proc/{pid}/root{name}"
                found = os.stat(path)
                key = found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size
                if key not in seen:
                    seen[key] = is_library(path)
                if seen[key]:
                    return clean(file)
    return None


_Array = npt.NDArray[Any]


_libc = cache(libc)


class _Region(NamedTuple):
    """A mapping of executable code."""

    start: int
    end: int

    def bytes(self) -> _Array:
        """All of it, in place."""
        return np.ctypeslib.as_array((ctypes.c_uint8 * (self.end - self.start)).from_address(self.start))

    def write(self, at: _Array, data: _Array) -> None:
        """Put ``data`` at the offsets ``at``; nothing is written where the system forbids it."""
        if _libc().mprotect(self.start, self.end - self.start, _PROTECTION | mmap.PROT_WRITE) == 0:
            self.bytes()[at] = data
            _libc().mprotect(self.start, self.end - self.start, _PROTECTION)


class _Patch(NamedTuple):
    """The functions of a region: offsets of their bytes, the library's ``own`` bytes, and the ``hooked`` ones."""

    region: _Region
    at: _Array
    own: _Array
    hooked: _Array


def _stub_code(page: int) -> bytes:
    """Instructions that write their return address to a page and end the process: ``base/x86/library_traps.S``."""
    code = b"\x58"  # pop rax
    code += b"\x49\xbb" + struct.pack("<Q", page) + b"\x49\x89\x03"  # mov r11, page; mov [r11], rax
    return code + b"\xb8\xe7\0\0\0\xbf" + struct.pack("<i", EXIT_CODE) + b"\x0f\x05"  # exit_group(EXIT_CODE)


class FunctionHooks:
    """The candidate's end: hooks all such functions of this process. ``trap`` is the descriptor of a `Trap`."""

    def __init__(self, trap: int) -> None:
        self._page = mmap.mmap(trap, mmap.PAGESIZE)
        os.close(trap)
        self._patches: list[_Patch] = []
        self._installed = False

    def install(self) -> None:
        """Let every function lead to the trap."""
        if self._installed:
            return
        if not self._patches:
            call = self._call()
            self._patches = [_Patch(r, at, r.bytes()[at], np.tile(call, (len(at), 1))) for r, at in self._places()]
        for patch in self._patches:
            patch.region.write(patch.at, patch.hooked)
        self._installed = True

    def remove(self) -> None:
        """Put the libraries' own bytes back."""
        for patch in self._patches if self._installed else ():
            patch.region.write(patch.at, patch.own)
        self._installed = False

    def _places(self) -> Iterator[tuple[_Region, _Array]]:
        """For each mapping of executable code, the offsets of its functions' first bytes."""
        addresses = np.array([function.address for function in hooked_functions()], np.int64)
        for region in (_Region(one.start, one.end) for one in mappings() if one.permissions == "r-xp"):
            inside = addresses[(addresses >= region.start) & (addresses + _CALL_BYTES <= region.end)]
            if inside.size:
                yield region, (inside - region.start)[:, None] + np.arange(_CALL_BYTES)

    def _call(self) -> _Array:
        """The bytes of a call to the stub."""
        code = _stub_code(ctypes.addressof(ctypes.c_char.from_buffer(self._page)))
        self._stub = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        place = ctypes.addressof(ctypes.c_char.from_buffer(self._stub))
        self._stub[: len(code)] = code
        _libc().mprotect(place, mmap.PAGESIZE, _PROTECTION)
        return np.frombuffer(b"\x48\xb8" + struct.pack("<Q", place) + b"\xff\xd0", np.uint8)  # mov rax, place; call rax
