"""Looks at recorded calls of C++ kernels with AddressSanitizer, ThreadSanitizer and valgrind.

The kernels are built again for each tool, and called by a small program that holds nothing else (``replay.cpp``): no
Python, no PyTorch, no library whose threads a tool does not understand. ThreadSanitizer does not see how libgomp waits,
so OpenMP runs on plain threads there (``openmp.cpp``).
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akgflow.sanitized import Finding, Sanitized
from akgflow.toolchains.common.diagnostics import first_errors
from akgflow.toolchains.common.installed import cxx, package_dir
from akgflow.toolchains.cpp import reports
from akgflow.toolchains.cpp.recording import BUILT, CALLS

SECONDS = 120.0
"""For the calls under one tool."""
HERE = Path(__file__).parent
_MOST_MIB = 4096
_PLACED = re.compile(r'^#line \d+ "(?P<file>[^"]+)"')
_OWN_FILES = frozenset(("main.cpp",))
"""What a builder calls the text of a library whose lines it does not know."""
_COMMON = ("-O1", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
_BY_PLAIN_THREADS = re.compile(r"\b(?:GOMP|omp|GOACC|acc)_\w+")


class _Absent(Exception):
    """Nothing was looked at; the text says why."""


class _Tool(NamedTuple):
    """A way to look. ``flags`` are of the libraries, ``program`` those of the program that calls them."""

    name: str
    flags: Sequence[str]
    program: Sequence[str]
    before: Sequence[str]
    environment: Mapping[str, str]
    read: Callable[[str, Collection[str]], tuple[Finding, ...]]
    own_threads: bool = False


_LIMITS = f"halt_on_error=0:exitcode=0:hard_rss_limit_mb={_MOST_MIB}:color=never"
_ADDRESS = _Tool(
    "AddressSanitizer",
    ("-fsanitize=address", "-fsanitize-recover=address"),
    ("-fsanitize=address",),
    (),
    {"ASAN_OPTIONS": f"{_LIMITS}:detect_leaks=0:detect_stack_use_after_return=1", "OMP_NUM_THREADS": "2"},
    reports.address,
)
_THREADS = _Tool(
    "ThreadSanitizer",
    ("-fsanitize=thread",),
    ("-fsanitize=thread",),
    (),
    {"TSAN_OPTIONS": f"{_LIMITS}:history_size=5"},
    reports.threads,
    own_threads=True,
)
# valgrind knows no AVX-512.
_DEFINED = _Tool(
    "valgrind",
    ("-march=x86-64-v3",) if platform.machine() == "x86_64" else (),
    (),
    ("valgrind", "--tool=memcheck", "--track-origins=yes", "--error-exitcode=0", "--leak-check=no"),
    {"OMP_NUM_THREADS": "2"},
    reports.definedness,
)


def look(kind: str, folder: Path) -> Sanitized:
    """What one kind of sanitizer says about the calls that were recorded in ``folder``; writes below it."""
    try:
        if kind == "race":
            return Sanitized(kind, _THREADS.name, _looked(_THREADS, folder))
        found = _looked(_ADDRESS, folder)
        if shutil.which("valgrind") is None:
            if found:
                return Sanitized(kind, _ADDRESS.name, found)
            why = "AddressSanitizer found nothing, and whether memory is read that nobody wrote is seen by valgrind: "
            raise _Absent(f"{why}apt-get install valgrind")
        return Sanitized(kind, f"{_ADDRESS.name}, {_DEFINED.name}", (*found, *_undefined(folder, bool(found))))
    except _Absent as why:
        return Sanitized(kind, absent=str(why))


def _undefined(folder: Path, faulty: bool) -> tuple[Finding, ...]:
    """What is read that nobody wrote; a kernel that is ``faulty`` may crash before that is known."""
    try:
        return _looked(_DEFINED, folder)
    except _Absent:
        if faulty:
            return ()
        raise


def _looked(tool: _Tool, folder: Path) -> tuple[Finding, ...]:
    """Raises `_Absent`."""
    libraries = _recorded(folder)
    place = folder / tool.name
    place.mkdir(exist_ok=True)
    try:
        built = [_built(tool, one, place / str(number)) for number, one in enumerate(libraries)]
        program = _program(tool, place)
    except RuntimeError as error:
        raise _Absent(f"the kernels do not build for {tool.name}: {first_errors(str(error))[:500]}") from None
    calls = place / CALLS
    lines = (folder / CALLS).read_text(encoding="utf-8").splitlines()
    calls.write_text("".join(f"{_with_path(line, built)}\n" for line in lines), encoding="utf-8")
    said = _run(tool, [*tool.before, str(program), str(calls)], place)
    found = tool.read(said, _files(libraries))
    if not found:
        _require_done(tool, said, sum(line.startswith("call ") for line in lines))
    return found


def _recorded(folder: Path) -> list[dict[str, Any]]:
    """The libraries; raises `_Absent` where calls are missing."""
    try:
        data = json.loads((folder / BUILT).read_text(encoding="utf-8"))
    except OSError:
        data = {"problem": "", "libraries": []}
    if data["problem"]:
        raise _Absent(data["problem"])
    if not (folder / CALLS).exists():
        why = "no call of a library of tvm-ffi's load_inline was seen; others are not built again"
        raise _Absent(why)
    found: list[dict[str, Any]] = data["libraries"]
    return found


def _built(tool: _Tool, library: Mapping[str, Any], place: Path) -> str:
    """A library built for the tool; raises `RuntimeError` with the compiler's words."""
    import tvm_ffi.cpp

    options = {key: value for key, value in library.items() if key != "name"}
    # What comes last holds: the optimisation and the processor that the tool needs.
    options["extra_cflags"] = [*options.get("extra_cflags", ()), *_COMMON, *tool.flags]
    options["extra_ldflags"] = [*options.get("extra_ldflags", ()), *tool.program]
    built = str(tvm_ffi.cpp.build_inline(library["name"], build_directory=str(place), **options))
    if tool.own_threads:
        _require_known_threads(built)
    return built


def _require_known_threads(built: str) -> None:
    """Raise `_Absent` where a library asks OpenMP for what ``openmp.cpp`` has not."""
    known = set(_BY_PLAIN_THREADS.findall((HERE / "openmp.cpp").read_text(encoding="utf-8")))
    loops = ("static", "dynamic", "guided", "nonmonotonic_dynamic", "nonmonotonic_guided", "runtime")
    kinds = (*loops, "maybe_nonmonotonic_runtime", "nonmonotonic_runtime")
    known |= {name for kind in kinds for name in _names_of_loop(kind)}
    done = subprocess.run(["nm", "-D", "--undefined-only", built], capture_output=True, text=True)
    # A symbol's version stands behind an @.
    symbols = (line.split()[-1].partition("@")[0] for line in done.stdout.splitlines() if line.strip())
    asked = {name for name in symbols if _BY_PLAIN_THREADS.fullmatch(name)}
    if done.returncode or asked - known:
        names = ", ".join(sorted(asked - known)) or f"names that nm does not list ({done.stderr.strip()[:200]})"
        raise _Absent(f"the kernel asks OpenMP for {names}, which ThreadSanitizer cannot follow")


def _names_of_loop(kind: str) -> tuple[str, ...]:
    return (f"GOMP_loop_{kind}_start", f"GOMP_loop_{kind}_next", f"GOMP_parallel_loop_{kind}")


def _program(tool: _Tool, place: Path) -> Path:
    """The program that makes the calls; raises `RuntimeError`."""
    made, package, compiler = place / "replay", package_dir("tvm_ffi"), cxx() or "g++"
    own = [str(HERE / "openmp.cpp")] if tool.own_threads else []
    objects = []
    for source, flags in ((str(HERE / "replay.cpp"), ()), *((one, ()) for one in own)):
        target = str(place / f"{Path(source).stem}.o")
        # ``openmp.cpp`` is compiled without the sanitizer: how it hands out iterations is no order of the kernel's.
        common = [compiler, "-std=c++17", "-g", "-O1", f"-I{package}/include", "-c", source, "-o", target]
        _compile([*common, *flags])
        objects.append(target)
    # What the program defines, its libraries use in place of libgomp's.
    _compile([compiler, *tool.program, "-rdynamic", *objects, "-ldl", "-lpthread", "-o", str(made)])
    return made


def _compile(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


def _with_path(line: str, built: Sequence[str]) -> str:
    return f"library {built[int(line.split()[1])]}" if line.startswith("library ") else line


def _run(tool: _Tool, command: Sequence[str], place: Path) -> str:
    """What a tool and the program print."""
    libraries = f"{package_dir('tvm_ffi')}/lib"
    environment = os.environ | dict(tool.environment) | {"LD_LIBRARY_PATH": libraries}
    try:
        done = subprocess.run(
            command, capture_output=True, env=environment, cwd=place, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        why = f"its calls took longer than {SECONDS:.0f} s with {tool.name}: give a smaller case"
        raise _Absent(why) from None
    ended = f"\nreplay: ended by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else ""
    return (done.stdout + done.stderr).decode(errors="replace") + ended


def _require_done(tool: _Tool, said: str, calls: int) -> None:
    """Raise `_Absent` where the calls did not all come to their end: then nothing found says nothing."""
    if "replay: done" in said and said.count("replay: made ") == calls:
        return
    lines = [line for line in said.splitlines() if re.search(r"replay: (?!made)|ERROR|FATAL|valgrind", line)]
    raise _Absent(f"{tool.name} could not make the calls again: {(lines or said.splitlines() or ['?'])[-1][:300]}")


def _files(libraries: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    sources = (text for one in libraries for text in one.get("cpp_sources", ()))
    return _OWN_FILES | {match["file"] for text in sources if (match := _PLACED.match(text))}
