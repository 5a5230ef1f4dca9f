"""Whose fault it is when a text fails where something stands in for PyTorch's headers, for CUDA's, or for a device.

The candidate's are only what a real nvcc with the real PyTorch would say about its own lines as well, and what its
kernels do wrong. What a stand-in lacks or says is no evidence at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from akgflow.toolchains.base import CompileFailure, KernelFault, Unsupported
from akgflow.toolchains.common import nvidia
from akgflow.toolchains.common.diagnostics import first_errors, says_an_error
from akgflow.toolchains.cuda_c.text.headers import in_pytorch, lacking


class Failure(Enum):
    """What can fail."""

    OWN_LINE = auto()
    """A compiler says it about a line of the candidate, and it names nothing that a stand-in has or lacks."""
    OUR_HEADER = auto()
    """A compiler says it about a line of a header of ours."""
    MISSING = auto()
    """A compiler does not know a name that PyTorch or CUDA has."""
    OUR_TYPES = auto()
    """A compiler says it about a type or a function of a stand-in, which the real one may allow."""
    DOUBTED = auto()
    """The C++ compiler says it about a line of the candidate, and nvcc does not."""
    SYMBOL = auto()
    """A built library needs a function that the candidate neither has nor names."""
    KERNEL = auto()
    """An interpreted kernel races, deadlocks, touches what it may not, or cannot be launched."""
    NOT_INTERPRETED = auto()
    """An interpreted kernel needs what fibers on a CPU do not have."""
    HOST = auto()
    """Host code that ran with real values threw."""
    HOST_WITHOUT_VALUES = auto()
    """Host code that ran with shapes only threw, or asked for a value."""
    HOST_ABSENT = auto()
    """Host code asked a stand-in for what it cannot do."""
    BUILDER = auto()
    """PyTorch's own builder fails and no compiler says why: a tool is missing, or a disk is full."""
    LAUNCH = auto()
    """A compiled kernel would be launched in a way that the target refuses."""


WHOSE: Mapping[Failure, type[Exception]] = MappingProxyType(
    {
        # The candidate's.
        Failure.OWN_LINE: CompileFailure,
        Failure.KERNEL: KernelFault,
        Failure.HOST: RuntimeError,
        Failure.LAUNCH: CompileFailure,
        # A stand-in's: this evidence is absent.
        Failure.OUR_HEADER: Unsupported,
        Failure.MISSING: Unsupported,
        Failure.OUR_TYPES: Unsupported,
        Failure.DOUBTED: Unsupported,
        Failure.SYMBOL: Unsupported,
        Failure.BUILDER: Unsupported,
        Failure.NOT_INTERPRETED: Unsupported,
        Failure.HOST_WITHOUT_VALUES: Unsupported,
        Failure.HOST_ABSENT: Unsupported,
    }
)
"""The one table: what is raised for each kind."""

_SAYS = {
    Failure.OUR_HEADER: "a header that stands in for PyTorch's or CUDA's does not take this",
    Failure.MISSING: "{name} is not in the headers that stand in for PyTorch's and CUDA's",
    Failure.OUR_TYPES: "the headers that stand in for PyTorch's and CUDA's do not take this",
    Failure.DOUBTED: "the C++ compiler that interprets CUDA C++ does not take this, and nvcc does",
    Failure.SYMBOL: "there is no {name} without a device and its libraries",
    Failure.BUILDER: "PyTorch's builder failed for a reason other than this text",
    Failure.HOST_WITHOUT_VALUES: "without a device, host code ran with shapes and no values",
}


def failure(kind: Failure, words: str, name: str = "") -> Exception:
    """The exception for a failure of this kind, with the cause in the first line."""
    says = _SAYS.get(kind, "").format(name=name)
    return WHOSE[kind](f"{says}: {words}" if says else words)


class Stage(NamedTuple):
    """A way to build. ``stands_in`` matches names that stand-ins are made of; ``confirm`` asks a real compiler for its
    log, empty where it takes the text and None where there is none to ask."""

    stands_in: re.Pattern[str]
    confirm: Callable[[], str | None] = lambda: None


_TORCH = (
    r"\b(torch|at|c10|pybind11|py|akgflow)\s*::|\bakgflow_\w+|\b(AT_|TORCH_|C10_|PYBIND11_|AKGFLOW_)\w+|\bgpuAtomic\w*"
)
_CUDA = (
    r"\bcuda_on_cpu\b|\bCUDA_ON_CPU_\w+|\bcuda[A-Z]\w*|\bcu[A-Z]\w*|\bCU[A-Z_]\w+|\b__\w+|\bdim3\b|\bhalf2?\b|"
    r"\b(nv_bfloat16\w*|cub|cooperative_groups|cg|atomic[A-Z]\w*|h2?(exp|log|sin|cos|sqrt|rsqrt|rcp|tanh)\w*)\b|"
    r"\b(u?(char|short|int|long|longlong)|float|double)[1-4]\b|\bmake_\w+|"
    r"\b(r?norm([34]d)?|r?hypot|erfc?inv|erfcx|normcdf\w*|cyl_bessel_i[01]|(sin|cos|sincos|tan)pi|exp10|rcbrt|fdivide)f?\b|"
    r"\b(u|ll|ull)(min|max)\b|\bclock\w*\b"
)
STUBBED_TORCH = re.compile(_TORCH)
STUBBED_CUDA = re.compile(f"{_TORCH}|{_CUDA}")

_PLACE = re.compile(
    r"^(?P<file>[^\s:(]+)(?:\((?P<line>\d+)\)|:(?P<line2>\d+)(?::\d+)?):\s*(?:fatal |catastrophic )?error"
)
_MACRO = re.compile(r"\b(AT|TORCH|C10|PYBIND11)_\w+\s*\(")
"""A macro of a stand-in: compilers place what is wrong in it where it is used."""
_MISSING_FILE = re.compile(r"fatal error: (\S+): No such file|cannot open source file [\"‘]([^\"’]+)")
_UNKNOWN = (
    re.compile(r"‘(?P<name>[^’]+)’ is not a member of ‘(?P<of>[^’]+)’"),
    re.compile(r"‘(?P<of>[^’]+)’ has no member named ‘(?P<name>[^’]+)’"),
    re.compile(r"‘(?P<name>[^’]+)’ in namespace ‘(?P<of>[^’]+)’ does not name"),
    re.compile(r"(?:namespace|class|struct) \"(?P<of>[^\"]+)\" has no member \"(?P<name>[^\"]+)\""),
    re.compile(r"‘(?P<name>[^’]+)’ (?:was not declared|does not name a type|has not been declared)(?P<of>)"),
    re.compile(r"identifier \"(?P<name>[^\"]+)\" is undefined(?P<of>)"),
    re.compile(r"there are no arguments to ‘(?P<name>[^’]+)’(?P<of>)"),
)
_SYMBOL = re.compile(r"undefined symbol: (\w+)")


def of_log(log: str, files: frozenset[str], stage: Stage) -> Exception:
    """What a compiler's log means; ``files`` are the names of the candidate's own.

    The first error decides: what follows may come of it.
    """
    words = first_errors(log)
    kind, name = _kind(words, files, stage)
    asks = kind in (Failure.OWN_LINE, Failure.MISSING, Failure.OUR_TYPES, Failure.OUR_HEADER)
    if not asks or (said := stage.confirm()) is None:
        return failure(kind, words, name)
    if not said:
        return failure(Failure.DOUBTED if kind is Failure.OWN_LINE else kind, words, name)
    # nvcc has CUDA's real headers, and shows its lines: what it says decides about the candidate's own.
    other = first_errors(said)
    real, real_name = _kind(other, files, Stage(STUBBED_TORCH))
    if real is Failure.OWN_LINE:
        return failure(real, words if kind is real else other)
    return failure(real, other, real_name) if kind is Failure.OWN_LINE else failure(kind, words, name)


def _kind(words: str, files: frozenset[str], stage: Stage) -> tuple[Failure, str]:
    line, shown = _first_error(words)
    place = _PLACE.match(line)
    if missing := _MISSING_FILE.search(line):
        return Failure.MISSING, missing[1] or missing[2]
    if place is None or Path(place["file"]).name not in files:
        return Failure.OUR_HEADER, ""
    said = line[place.end() :]
    for pattern in _UNKNOWN:
        if found := pattern.search(said):
            return _unknown(found["name"], found["of"], stage)
    if name := lacking(shown):
        return Failure.MISSING, name
    # A name that is ambiguous may be so because a stand-in has one that the real headers have not.
    ours = stage.stands_in.search(said) or _MACRO.search(shown) or "ambiguous" in said
    return (Failure.OUR_TYPES if ours else Failure.OWN_LINE), ""


def _first_error(words: str) -> tuple[str, str]:
    """The first line that is an error with a place, and what is shown of the text below it."""
    lines = words.splitlines() or [""]
    at = next((i for i, line in enumerate(lines) if _PLACE.match(line)), 0)
    end = next((i for i in range(at + 1, len(lines)) if _PLACE.match(lines[i])), len(lines))
    return lines[at], "\n".join(lines[at + 1 : end])


def _unknown(name: str, of: str, stage: Stage) -> tuple[Failure, str]:
    """A name that a compiler does not know: one that PyTorch or CUDA has, or the candidate's own mistake."""
    whole = f"{of}::{name}" if of else name
    if of and re.match(r"(class |struct )?(const )?(torch|at|c10|pybind11)\b", of):
        return (Failure.MISSING if in_pytorch(name) else Failure.OWN_LINE), whole
    if of or not stage.stands_in.search(name):
        return (Failure.OUR_TYPES if stage.stands_in.search(of) else Failure.OWN_LINE), whole
    if re.fullmatch(_TORCH, name):
        return (Failure.MISSING if in_pytorch(name) else Failure.OWN_LINE), whole
    return Failure.MISSING, whole


def of_loading(error: OSError, text: str) -> Exception:
    """What a built library that cannot be loaded means: a function that only the candidate can have is its fault."""
    found = _SYMBOL.search(str(error))
    if found is None:
        return failure(Failure.OUR_HEADER, str(error))
    name = nvidia.plain_name(found[1])
    own = name != found[1] and not STUBBED_CUDA.match(name) and re.search(rf"\b{re.escape(name)}\s*\(", text)
    if own:
        return failure(Failure.OWN_LINE, f"{name} is declared or called and never defined ({found[1]})")
    return failure(Failure.SYMBOL, str(error), found[1])


def of_real_build(log: str) -> Exception:
    """What PyTorch's own builder says on a device: a compiler's errors are about the candidate, other words are not."""
    kind = Failure.OWN_LINE if says_an_error(log) else Failure.BUILDER
    return failure(kind, first_errors(log))
