"""Whose fault a failure is: the candidate's, or that of what stands in for a device and its compiler here.

Only the compiler's own words about the candidate's lines, and wrong values, are the candidate's. What a stand-in cannot
do makes evidence absent, with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from akgflow.toolchains.base import CompileFailure, Unsupported


class StandIn(Enum):
    """What takes a device's place."""

    HOST = "host code, redirected to the CPU"
    INTERPRETER = "Triton's interpreter"
    COMPILER = "the compiler, driven without a device"


class Whose(Enum):
    """Whom a failure is told to."""

    CANDIDATE = "candidate"
    STAND_IN = "absent"


class Rule(NamedTuple):
    """Failures of a stand-in: what they are, whose they are, and the words by which those of its own are known."""

    where: StandIn
    what: str
    whose: Whose
    words: str = ""


RULES = (
    Rule(StandIn.COMPILER, "the front end, the code generator or the assembler refuses the kernel", Whose.CANDIDATE),
    Rule(StandIn.COMPILER, "more shared memory, registers or threads than the target has", Whose.CANDIDATE),
    Rule(StandIn.COMPILER, "no compiler for the target is installed", Whose.STAND_IN),
    Rule(StandIn.INTERPRETER, "an address outside every tensor", Whose.CANDIDATE),
    Rule(StandIn.INTERPRETER, "programs race, or lanes of one store", Whose.CANDIDATE),
    Rule(StandIn.INTERPRETER, "an assertion of a debug build fails, or a condition of tl.assume", Whose.CANDIDATE),
    Rule(StandIn.INTERPRETER, "any other exception in a kernel that the front end took", Whose.STAND_IN),
    Rule(StandIn.INTERPRETER, "programs that wait for later programs", Whose.STAND_IN),
    Rule(StandIn.INTERPRETER, "more programs than can be run in minutes", Whose.STAND_IN),
    Rule(StandIn.HOST, "an exception of the candidate's own code", Whose.CANDIDATE),
    Rule(StandIn.HOST, "a driver or a library of the device is called",
         Whose.STAND_IN,
         r"Torch not compiled with CUDA|no NVIDIA driver|Cannot access accelerator|libcuda|CUDA driver|"
         r"Found no .* driver|HIP driver|no HIP GPUs|NVTX functions|Attempting to deserialize object on a CUDA"),
    Rule(StandIn.HOST, "an operator that PyTorch has on the device and not on the CPU, or not for this type",
         Whose.STAND_IN,
         r"not implemented for '(Half|BFloat16|Float8|Float4|UInt|ComplexHalf)|_cpu\W* not implemented|"
         r"Could not run '[\w:.]+' with arguments from the 'CPU'|only supported on CUDA|"
         r"no kernel found? for .*CPU|There was no CPU implementation"),
    Rule(StandIn.HOST, "a part of torch.cuda that is not stood in for",
         Whose.STAND_IN,
         r"module 'torch\._C' has no attribute '_cuda|Tried to instantiate dummy base class"),
)  # fmt: skip


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, innermost last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def of_the_stand_in(error: BaseException) -> str | None:
    """Why a failure of redirected host code is not the candidate's; None where it is."""
    if isinstance(error, Unsupported):
        return str(error)
    if isinstance(error, CompileFailure):
        return None
    for one in _chain(error):
        for rule in RULES:
            if rule.words and re.search(rule.words, str(one)):
                return f"{rule.where.value}: {rule.what} ({type(one).__name__}: {str(one)[:300]})"
    return None
