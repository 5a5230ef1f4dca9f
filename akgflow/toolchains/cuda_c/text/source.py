"""Reading CUDA C++ text: what it launches, what its host functions take, what a CPU cannot interpret."""

from __future__ import annotations

import re
from typing import NamedTuple

from akgflow.toolchains.base import Unsupported

_SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_HOST_FUNCTION = re.compile(r"extern\s+\"C\"\s+(?!\{)([\w:\s*]+?)\s*\b(\w+)\s*\(")
_LINE = re.compile(r"^#line (\d+) [^\n]*$", re.MULTILINE)
_EXTERN_BLOCK = re.compile(r"extern\s+\"C\"\s*\{")

_UNSUPPORTED = {
    r"\bcudaLaunchCooperativeKernelMultiDevice\b|\bmulti_grid_group\b": "barriers of several devices",
    r"\bcuda::ptx\b|\bCUtensorMap\b|\bcuda::device\b": "mbarrier and TMA",
    r"\b__cluster_dims__\b|\bcluster_group\b": "thread block clusters",
    r"\btex[123]D\w*\s*[<(]|\bcudaTextureObject_t\b|\bsurf[123]D\w*": "textures and surfaces",
    r"\bthrust::(?!(?:pair|make_pair|tuple|make_tuple|get|plus|maximum|minimum)\b)": "thrust",
    r"\bcutlass\b|\bcute::": "CUTLASS",
    r"\bcublas\w*|\bcudnn\w*": "cuBLAS and cuDNN",
    r"\b__nv_fp[46]\w*|\b__nv_fp8\w*e8m0": "fp4, fp6 and e8m0 types",
    r"\b__v\w+[24]\s*\(|\b__dp2a\w*": "SIMD-in-word intrinsics",
    r"\bcuda(LaunchKernelEx\w*|LaunchHostFunc)\b|\bcuLaunchKernel\b": "launches by attributes or by the driver",
    r"\bcudaGraph\w+|\bcudaStreamBeginCapture\b": "graphs",
}


def masked(text: str) -> str:
    """``text`` with comments and literals blanked out, so that every other character keeps its place."""
    return _SKIPPED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def line_at(text: str, place: int) -> int:
    """The number of the line at ``place``, as the last ``#line`` before it has compilers count."""
    directive, number = 0, 1
    for found in _LINE.finditer(text, 0, place):
        directive, number = found.end() + 1, int(found[1])
    return number + text.count("\n", directive, place)


def refuse_uninterpretable(text: str) -> None:
    """Raise `Unsupported`, with each feature and its first line, where the CPU interpreter does not cover the text."""
    plain = masked(text)
    found = []
    for pattern, name in _UNSUPPORTED.items():
        place = re.search(pattern, plain)
        if place:
            found.append(f"{name} ({place[0].strip(' (<')}, line {line_at(text, place.start())})")
    if found:
        raise Unsupported(f"CUDA C++ is not interpreted on a CPU where it uses {', '.join(found)}")


def blocks_may_wait(text: str) -> bool:
    """Whether a block may wait for what another one writes: by atomics, or by looking at memory that is volatile."""
    return re.search(r"atomic|(?<!asm )(?<!asm__ )(?<!__asm )volatile|acquire", masked(text), re.IGNORECASE) is not None


OPENING, CLOSING = "([{", ")]}"


def closing(plain: str, start: int, what: str) -> int | None:
    """Where ``what`` stands next outside all brackets that open after ``start``."""
    depth = 0
    for i in range(start, len(plain)):
        if depth == 0 and plain.startswith(what, i):
            return i
        depth += (plain[i] in OPENING) - (plain[i] in CLOSING)
        if depth < 0:
            return None
    return None


def split(plain: str, text: str, start: int, end: int) -> list[str]:
    """The pieces of ``text[start:end]`` between commas that stand in no brackets."""
    pieces, depth, begin = [], 0, start
    for i in range(start, end):
        depth += (plain[i] in OPENING) - (plain[i] in CLOSING)
        if plain[i] == "," and depth == 0:
            pieces.append(text[begin:i].strip())
            begin = i + 1
    return [*pieces, text[begin:end].strip()]


class HostFunction(NamedTuple):
    """An ``extern "C"`` function: the types of its parameters as written, without names."""

    name: str
    returns: str
    parameters: tuple[str, ...]


def host_functions(text: str) -> dict[str, HostFunction]:
    """The ``extern "C"`` functions that are defined in ``text``, by name."""
    plain = masked(text)
    # `masked` blanks the "C" itself: look for the words in the text, at places that are no comment.
    spots = [m for m in _HOST_FUNCTION.finditer(text) if plain[m.start()] == "e"]
    found = {f.name: f for m in spots if (f := _function_at(plain, text, m.start(1), m[1], m[2], m.end()))}
    for block in (m for m in _EXTERN_BLOCK.finditer(text) if plain[m.start()] == "e"):
        end = closing(plain, block.end(), "}") or len(plain)
        inner = re.compile(r"(?:^|[;}{\n])\s*((?:[\w:]+\s+|\w+\s*\*\s*)+)(\w+)\s*\(")
        for m in inner.finditer(plain, block.end() - 1, end):
            function = _function_at(plain, text, m.start(1), m[1], m[2], m.end())
            if function:
                found[function.name] = function
    return found


def _function_at(plain: str, text: str, begin: int, returns: str, name: str, opening: int) -> HostFunction | None:
    end = closing(plain, opening, ")")
    if end is None or not plain[end + 1 :].lstrip().startswith("{") or "__global__" in plain[begin:opening]:
        return None
    written = [p for p in split(plain, text, opening, end) if p and p != "void"]
    return HostFunction(name, " ".join(returns.split()), tuple(_type_of(p) for p in written))


def _type_of(parameter: str) -> str:
    """``const float*`` for ``const float* __restrict__ x``."""
    plain = re.sub(r"\b(__restrict__|__restrict|restrict|const|volatile)\b", " ", parameter.split("=")[0])
    if "*" in plain or "[" in plain:
        return "*"
    words = plain.split()
    known = {"unsigned", "signed", "long", "short", "int", "char", "float", "double", "bool"}
    return " ".join(words[:-1] if len(words) > 1 and words[-1] not in known else words)


def kernels_in(text: str) -> tuple[str, ...]:
    """Names of the ``__global__`` functions in ``text``."""
    pattern = r"__global__\s+(?:[\w\s]*?\b)?void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\("
    plain = re.sub(r"(__global__)\s+__launch_bounds__\s*\([^)]*\)", r"\1", masked(text))
    return tuple(dict.fromkeys(re.findall(pattern, plain)))
