"""Inline PTX that a CPU interprets: single instructions whose meaning one C++ expression gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.cuda_c.text import tiles
from akgflow.toolchains.cuda_c.text.source import closing, line_at, split

_ASM = re.compile(r"\b(?:asm|__asm__|__asm)\b(?:\s*\b(?:volatile|__volatile__)\b)?\s*\(")
_TEXT = re.compile(r"\"((?:\\.|[^\"\\])*)\"")
_OPERAND = re.compile(r"\s*(?:\[\w+\]\s*)?\"[^\"]*\"\s*\((.*)\)\s*", re.DOTALL)
_STATEMENT = re.compile(r"([a-zA-Z0-9_.:]+)\s*(.*)", re.DOTALL)

_EXPRESSIONS: dict[str, Callable[[str], str]] = {
    r"(add|sub|mul|div)(\.(rn|full|approx|lo|ftz))*\.[fsu]\d+": lambda op: {
        "add": "{1} + {2}", "sub": "{1} - {2}", "mul": "{1} * {2}", "div": "{1} / {2}"}[op[:3]],
    r"(fma(\.rn|\.ftz)*|mad(\.lo)?)\.[fsu]\d+": lambda _: "{1} * {2} + {3}",
    r"(max|min)(\.ftz|\.NaN)*\.[fsu]\d+": lambda op: f"::{op[:3]}({{1}}, {{2}})",
    r"(and|or|xor)\.b\d+": lambda op: {"a": "{1} & {2}", "o": "{1} | {2}", "x": "{1} ^ {2}"}[op[0]],
    r"shl\.b\d+": lambda _: "{1} << {2}",
    r"shr\.[bu]\d+": lambda _: "{1} >> {2}",
    r"neg(\.ftz)?\.[fs]\d+": lambda _: "-{1}",
    r"abs(\.ftz)?\.f32": lambda _: "::fabsf({1})",
    r"ex2\.approx(\.ftz)?\.f32": lambda _: "::exp2f({1})",
    r"lg2\.approx(\.ftz)?\.f32": lambda _: "::log2f({1})",
    r"rcp\.(approx|rn)(\.ftz)?\.f32": lambda _: "1.0f / {1}",
    r"rsqrt\.approx(\.ftz)?\.f32": lambda _: "::rsqrtf({1})",
    r"sqrt\.(approx|rn)(\.ftz)?\.f32": lambda _: "::sqrtf({1})",
    r"tanh\.approx\.f32": lambda _: "::tanhf({1})",
    r"(sin|cos)\.approx(\.ftz)?\.f32": lambda op: f"::{op[:3]}f({{1}})",
    r"mov\.[bfsu]\d+": lambda _: "{1}",
    r"popc\.b32": lambda _: "::__popc({1})",
    r"brev\.b32": lambda _: "::__brev({1})",
    r"bfind\.u32": lambda _: "31 - ::__clz({1})",
}  # fmt: skip
_REGISTERS = {
    "%laneid": "::cuda_on_cpu::lane()",
    "%warpid": "(::cuda_on_cpu::here->current / 32)",
    "%lanemask_lt": "((1u << ::cuda_on_cpu::lane()) - 1)",
    "%smid": "0u",
    "%nsmid": "1u",
    **{f"%{name}.{axis}": f"{name_in_c}.{axis}" for axis in "xyz" for name, name_in_c in (
        ("tid", "threadIdx"), ("ctaid", "blockIdx"), ("ntid", "blockDim"), ("nctaid", "gridDim"))},
}  # fmt: skip
_CALLS = {
    r"bar\.sync\s+0|barrier\.sync\s+0": "__syncthreads()",
    r"bar\.warp\.sync\s+\S+": "__syncwarp()",
    r"membar\.\w+|fence\.\S+": "__threadfence()",
    r"prefetch\S*\s+.*": "(void)0",
}
_ORDER = r"(?:\.(?:volatile|weak|relaxed|acquire|release)(?:\.(?:cta|cluster|gpu|sys))?)?"
_LOAD = re.compile(rf"ld{_ORDER}\.global[\w.:]*?(?:\.v([24]))?\.[bfsu]\d+")
_STORE = re.compile(rf"st{_ORDER}\.global[\w.:]*?(?:\.v([24]))?\.[bfsu]\d+")
_ADD = re.compile(rf"red{_ORDER}\.global(?:\.gpu)?\.add\.([fsu])(32|64)")


def interpreted(text: str, plain: str) -> str:
    """``text`` with its inline PTX as C++; ``plain`` is the same without comments and literals.

    Raises `Unsupported` with the line where an instruction is not in the tables.
    """
    pieces, at = [], 0
    for found in _ASM.finditer(plain):
        end = closing(plain, found.end(), ")")
        if end is None:
            continue
        made = _statements(plain, text, found.end(), end)
        if made is None:
            line = line_at(text, found.start())
            raise Unsupported(f"CUDA C++ is not interpreted on a CPU where it uses inline PTX (line {line})")
        breaks = re.findall(r"\\?\n", text[found.start() : end])
        pieces += [text[at : found.start()], f"do {{ {made} }} while (0)", "".join(breaks)]
        at = end + 1
    return "".join([*pieces, text[at:]])


def _statements(plain: str, text: str, start: int, end: int) -> str | None:
    """The C++ of one ``asm(…)``; None where it is not known."""
    cuts = [start, *_colons(plain, start, end), end]
    sections = [(a + (i > 0), b) for i, (a, b) in enumerate(pairwise(cuts))]
    code = "".join(_TEXT.findall(text[slice(*sections[0])])).replace("\\n", "\n").replace("\\t", " ").replace("%%", "%")
    operands: list[str] = []
    for begin, stop in sections[1:3]:
        for piece in split(plain, text, begin, stop):
            # Inside a macro, lines end in a backslash.
            found = _OPERAND.fullmatch(piece.replace("\\\n", " ").rstrip("\\"))
            if piece and found is None:
                return None
            operands += [found[1]] if found else []
    made = [_statement(" ".join(part.split()), operands) for part in code.split(";") if part.strip(" {}\n")]
    return None if None in made else " ".join(f"{one};" for one in made)


def _colons(plain: str, start: int, end: int) -> list[int]:
    """Where ``:`` stands outside brackets."""
    places, depth = [], 0
    for i in range(start, end):
        depth += (plain[i] in "([{") - (plain[i] in ")]}")
        if plain[i] == ":" and depth == 0:
            places.append(i)
    return places


def _statement(ptx: str, operands: list[str]) -> str | None:
    for pattern, call in _CALLS.items():
        if re.fullmatch(pattern, ptx):
            return call
    if (moved := tiles.statement(ptx, lambda written: _value(written, operands))) is not None:
        return moved
    found = _STATEMENT.fullmatch(ptx)
    if found is None:
        return None
    name, written = found[1], found[2]
    values = [value.strip() for value in re.split(r",(?![^{]*\})", written)]
    if (memory := _memory(name, values, operands)) is not None:
        return memory
    wanted = next((make(name) for pattern, make in _EXPRESSIONS.items() if re.fullmatch(pattern, name)), None)
    read = [_value(value, operands) for value in values]
    if wanted is None or None in read or not re.fullmatch(r"%\d+", values[0]):
        return None
    return f"{read[0]} = {wanted.format(*(f'({value})' for value in read))}"


def _value(written: str, operands: list[str]) -> str | None:
    if written in _REGISTERS:
        return _REGISTERS[written]
    if found := re.fullmatch(r"%(\d+)", written):
        return operands[int(found[1])] if int(found[1]) < len(operands) else None
    if found := re.fullmatch(r"0[fF]([0-9a-fA-F]{8})", written):
        return f"::__uint_as_float(0x{found[1]}u)"
    return written if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", written) else None


def _memory(name: str, values: list[str], operands: list[str]) -> str | None:
    """Loads and stores of global memory, of one value or of a vector."""
    load, store, add = _LOAD.fullmatch(name), _STORE.fullmatch(name), _ADD.fullmatch(name)
    if len(values) != 2 or not (load or store or add):
        return None
    listed, place = (values[0], values[1]) if load else (values[1], values[0])
    found = re.fullmatch(r"\[\s*%(\d+)\s*(?:\+\s*(\d+)\s*)?\]", place)
    names = [_value(part.strip(), operands) for part in listed.strip("{}").split(",")]
    if found is None or int(found[1]) >= len(operands) or None in names:
        return None
    address = f"reinterpret_cast<char*>(const_cast<void*>((const void*)({operands[int(found[1])]}))) + {found[2] or 0}"
    if add:
        kind = {"f32": "float", "f64": "double", "s32": "int", "u32": "unsigned"}.get(add[1] + add[2])
        return kind and f"::atomicAdd(reinterpret_cast<{kind}*>({address}), {names[0]})"
    moves = ["::cuda_on_cpu::looks()"] if load and ("volatile" in name or "acquire" in name) else []
    for i, one in enumerate(names):
        cell = f"reinterpret_cast<std::remove_reference_t<decltype({one})>*>(akgflow_address)[{i}]"
        moves.append(f"{one} = {cell}" if load else f"{cell} = {one}")
    return f"{{ char* const akgflow_address = {address}; {'; '.join(moves)}; }}"
