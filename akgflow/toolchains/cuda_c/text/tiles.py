"""Inline PTX of tiles as C++: `cp.async`, `ldmatrix`, `mma.sync`, by the functions of ``tiles.h``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Value = Callable[[str], str | None]
"""A written operand as C++; None where it is not known."""

_COPY = re.compile(r"cp\.async\.c[ag]\.shared(?:::cta)?\.global\S* \[([^\]]+)\], \[([^\]]+)\], ([^,]+)(?:, ([^,]+))?")
_WAIT = re.compile(r"cp\.async\.wait_group (\S+)")
_LOAD = re.compile(
    r"ldmatrix\.sync\.aligned(?:\.m8n8)?\.x([124])(\.trans)?(?:\.m8n8)?\.shared(?:::cta)?\.b16 "
    r"\{([^}]*)\}, \[([^\]]+)\]"
)
_TILE = r"\{([^}]*)\}"
_MULTIPLY = re.compile(
    rf"mma\.sync\.aligned\.m16n8k\d+\.row\.col\.f32\.(f16|bf16|tf32)\.\1\.f32 {_TILE}, {_TILE}, {_TILE}, {_TILE}"
)
_NAMESPACE = "::cuda_on_cpu::"


def statement(ptx: str, value: Value) -> str | None:
    """The C++ of one instruction, whose white space is single blanks; None where it is none of these."""
    ptx = re.sub(r"\s*,\s*", ", ", re.sub(r"([{\[]) | ([}\]])", r"\1\2", ptx))
    if ptx == "cp.async.commit_group":
        return f"{_NAMESPACE}commit_copies()"
    if ptx == "cp.async.wait_all":
        return f"{_NAMESPACE}wait_for_copies(0, true)"
    if found := _WAIT.fullmatch(ptx):
        return _call("wait_for_copies", [value(found[1])])
    if found := _COPY.fullmatch(ptx):
        to, source, size = _shared(found[1], value), value(found[2]), value(found[3])
        return _call("copy_async", [to, source and f"(const void*)({source})", size, value(found[4] or found[3])])
    if found := _LOAD.fullmatch(ptx):
        return _load(found, value)
    if found := _MULTIPLY.fullmatch(ptx):
        return _multiply(found, value)
    return None


def _call(name: str, values: Sequence[str | None]) -> str | None:
    known = [one for one in values if one is not None]
    return f"{_NAMESPACE}{name}({', '.join(known)})" if len(known) == len(values) else None


def _shared(written: str, value: Value) -> str | None:
    """An address of shared memory: an operand, and perhaps a distance in bytes."""
    base, _, distance = (part.strip() for part in written.partition("+"))
    found = value(base)
    return found and f"{_NAMESPACE}at_shared({found}) + ({distance or 0})"


def _listed(written: str, value: Value) -> list[str] | None:
    found = [value(one.strip()) for one in written.split(",")]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else None


def _load(found: re.Match[str], value: Value) -> str | None:
    names, address = _listed(found[3], value), _shared(found[4], value)
    if names is None or address is None or len(names) != int(found[1]):
        return None
    call = f"{_NAMESPACE}load_matrices<{'true' if found[2] else 'false'}>(akgflow_tile, {address})"
    moves = "; ".join(f"{name} = akgflow_tile[{i}]" for i, name in enumerate(names))
    return f"{{ uint32_t akgflow_tile[{found[1]}]; {call}; {moves}; }}"


def _multiply(found: re.Match[str], value: Value) -> str | None:
    tiles = [_listed(found[place], value) for place in (2, 3, 4, 5)]
    d, a, b, c = tiles
    if d is None or a is None or b is None or c is None or len(d) != 4 or len(c) != 4 or len(a) != 2 * len(b):
        return None
    given = [f"const float akgflow_c[] = {{{', '.join(c)}}}", "float akgflow_d[4]"]
    for name, tile in (("a", a), ("b", b)):
        given.append(f"const uint32_t akgflow_{name}[] = {{{', '.join(f'(uint32_t)({one})' for one in tile)}}}")
    call = (
        f"{_NAMESPACE}multiply_tiles<{_NAMESPACE}{found[1].capitalize()}>(akgflow_d, akgflow_a, akgflow_b, akgflow_c)"
    )
    return f"{{ {'; '.join([*given, call, *(f'{name} = akgflow_d[{i}]' for i, name in enumerate(d))])}; }}"
