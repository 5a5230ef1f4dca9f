"""Reading and rewriting CUDA C++ text: what it launches, what its host functions take, what a CPU cannot interpret."""

from __future__ import annotations

import re
from typing import NamedTuple

from akgflow.toolchains.base import CompileFailure, Unsupported

_SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_KERNEL_END = re.compile(r"[\w:]+$")
_DYNAMIC_SHARED = re.compile(
    r"(?:alignas\s*\([^)]*\)\s*)?extern\s+__shared__\s+(?:(?:__align__|alignas)\s*\((?:[^()]|\([^()]*\))*\)\s*)?"
    r"((?:unsigned\s+|signed\s+)?[\w:]+)\s+(\w+)\s*\[\s*\]\s*;"
)
_NULL = re.compile(r"\bNULL\b")
_HOST_FUNCTION = re.compile(r"extern\s+\"C\"\s+(?!\{)([\w:\s*]+?)\s*\b(\w+)\s*\(")
_EXTERN_BLOCK = re.compile(r"extern\s+\"C\"\s*\{")

_UNSUPPORTED = {
    r"\basm\b": "inline PTX",
    r"\bnvcuda\b|\bwmma\b|#include\s*<mma\.h>": "wmma",
    r"\bcooperative_groups\b|cooperative_groups\.h": "cooperative groups",
    r"\b__pipeline_\w+|\bcuda::pipeline\b|\bcuda::memcpy_async\b|\bcp_async\w*": "cp.async",
    r"\bcuda::barrier\b|\bcuda::ptx\b|\bCUtensorMap\b": "mbarrier and TMA",
    r"\b__cluster_dims__\b|\bcluster_group\b": "thread block clusters",
    r"\btex[123]D\w*\s*[<(]|\bcudaTextureObject_t\b|\bsurf[123]D\w*": "textures and surfaces",
    r"\bcub::|#include\s*<cub/": "cub",
    r"\bthrust::|#include\s*<thrust/": "thrust",
    r"\bcutlass\b|\bcute::": "CUTLASS",
    r"\bcublas\w*|\bcudnn\w*": "cuBLAS and cuDNN",
    r"\b__nv_fp8\w*|\b__nv_fp4\w*": "fp8 and fp4 types",
    r"\b__dp[24]a\w*|\b__v\w+[24]\s*\(": "SIMD-in-word intrinsics",
    r"\bcudaLaunch(Cooperative)?Kernel(ExC)?\b|\bcuLaunchKernel\b": "launches without <<<…>>>",
    r"\bcudaGraph\w+|\bcudaEvent\w+|\bcudaStreamCreate\w*": "streams, events and graphs",
}


def masked(text: str) -> str:
    """``text`` with comments and literals blanked out, so that every other character keeps its place."""
    return _SKIPPED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def refuse_uninterpretable(text: str) -> None:
    """Raise `Unsupported`, with each feature and its first line, where the CPU interpreter does not cover the text."""
    plain = masked(text)
    found = []
    for pattern, name in _UNSUPPORTED.items():
        place = re.search(pattern, plain)
        if place:
            found.append(f"{name} (line {plain.count(chr(10), 0, place.start()) + 1})")
    if found:
        raise Unsupported(f"CUDA C++ is not interpreted on a CPU where it uses {', '.join(found)}")


def for_cpu(text: str) -> str:
    """``text`` with launches and dynamic shared memory as a C++ compiler reads them; lines keep their numbers."""
    return _rewrite_launches(_rewrite_shared(text))


def _rewrite_shared(text: str) -> str:
    plain = masked(text)
    pieces, at = [], 0
    for found in _DYNAMIC_SHARED.finditer(plain):
        kind, name = " ".join(found[1].split()), found[2]
        newlines = "\n" * found[0].count("\n")
        pieces += [text[at : found.start()], f"{kind}* {name} = ::cuda_on_cpu::dynamic_shared<{kind}>();{newlines}"]
        at = found.end()
    return "".join([*pieces, text[at:]])


def _rewrite_launches(text: str) -> str:
    """``k<T><<<grid, block, bytes, stream>>>(args)`` becomes a call of ``cuda_on_cpu::launch``."""
    while (at := (plain := masked(text)).find("<<<")) >= 0:
        line = plain.count("\n", 0, at) + 1
        begin = _kernel_begin(plain, at)
        config_end = _closing(plain, at + 3, ">>>")
        if begin is None or config_end is None:
            raise CompileFailure(f"line {line}: the launch `<<<…>>>` cannot be read")
        opening = config_end + 3 + len(plain[config_end + 3 :]) - len(plain[config_end + 3 :].lstrip())
        end = _closing(plain, opening + 1, ")") if plain[opening : opening + 1] == "(" else None
        if end is None:
            raise CompileFailure(f"line {line}: the launch has no argument list in brackets")
        kernel = text[begin:at].strip()
        config = _split(plain, text, at + 3, config_end)
        if not 2 <= len(config) <= 4:
            raise CompileFailure(
                f"line {line}: a launch takes 2 to 4 values between <<< and >>>, this one {len(config)}"
            )
        shared = config[2] if len(config) > 2 else "0"
        arguments = text[opening + 1 : end]
        kept = sum(part.count("\n") for part in (kernel, config[0], config[1], shared, arguments))
        # Line breaks that fell away come back before the arguments, so that those keep their lines.
        between = "\n" * (text.count("\n", begin, end) - kept)
        # Arguments are evaluated once, as by a launch, and not by every thread.
        call = (
            f'::cuda_on_cpu::launch("{kernel.split("<")[0].strip()}", ::dim3({config[0]}), ::dim3({config[1]}), '
            f"{shared}, [&](const auto&... akgflow_args) {{{between} {kernel}(akgflow_args...); }}"
            f"{', ' if arguments.strip() else ''}{_NULL.sub('nullptr', arguments)})"
        )
        text = text[:begin] + call + text[end + 1 :]
    return text


def _kernel_begin(plain: str, at: int) -> int | None:
    """Where the expression before ``<<<`` begins: a name with namespaces, and template arguments if it has them."""
    end = len(plain[:at].rstrip())
    if plain[:end].endswith(">"):
        depth = brackets = 0
        for i in range(end - 1, -1, -1):
            brackets += (plain[i] in _CLOSING) - (plain[i] in _OPENING)
            if brackets == 0:
                depth += (plain[i] == ">") - (plain[i] == "<")
            if depth == 0 and brackets == 0:
                end = len(plain[:i].rstrip())
                break
        else:
            return None
    found = _KERNEL_END.search(plain[:end])
    return found.start() if found else None


_OPENING, _CLOSING = "([{", ")]}"


def _closing(plain: str, start: int, what: str) -> int | None:
    """Where ``what`` stands next outside all brackets that open after ``start``."""
    depth = 0
    for i in range(start, len(plain)):
        if depth == 0 and plain.startswith(what, i):
            return i
        depth += (plain[i] in _OPENING) - (plain[i] in _CLOSING)
        if depth < 0:
            return None
    return None


def _split(plain: str, text: str, start: int, end: int) -> list[str]:
    """The pieces of ``text[start:end]`` between commas that stand in no brackets."""
    pieces, depth, begin = [], 0, start
    for i in range(start, end):
        depth += (plain[i] in _OPENING) - (plain[i] in _CLOSING)
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
        end = _closing(plain, block.end(), "}") or len(plain)
        inner = re.compile(r"(?:^|[;}{\n])\s*((?:[\w:]+\s+|\w+\s*\*\s*)+)(\w+)\s*\(")
        for m in inner.finditer(plain, block.end() - 1, end):
            function = _function_at(plain, text, m.start(1), m[1], m[2], m.end())
            if function:
                found[function.name] = function
    return found


def _function_at(plain: str, text: str, begin: int, returns: str, name: str, opening: int) -> HostFunction | None:
    end = _closing(plain, opening, ")")
    if end is None or not plain[end + 1 :].lstrip().startswith("{") or "__global__" in plain[begin:opening]:
        return None
    written = [p for p in _split(plain, text, opening, end) if p and p != "void"]
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
