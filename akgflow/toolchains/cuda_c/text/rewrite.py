"""CUDA C++ as a C++ compiler reads it: launches, shared memory, inline PTX. Every line keeps its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from akgflow.toolchains.cuda_c.text import ptx
from akgflow.toolchains.cuda_c.text.source import CLOSING, OPENING, closing, masked

_NULL = re.compile(r"\bNULL\b")
_SHARED = re.compile(r"\b__shared__\b")
_STORAGE = re.compile(r"\b(?:extern|static|__shared__)\b|\b(?:alignas|__align__)\s*\((?:[^()]|\([^()]*\))*\)")
_BEFORE_SHARED = re.compile(r"(?:\b(?:extern|static|const|volatile)\s+|\b(?:alignas|__align__)\s*\([^;{}]*\)\s*)+$")
_DECLARATOR = re.compile(r"(?P<base>.*?)\s*\b(?P<name>[A-Za-z_]\w*)\s*(?P<sizes>(?:\[.*\]\s*)?)", re.DOTALL)
_LOOP = re.compile(r"\bwhile\s*\(")
_NO_BODY = re.compile(r"\s*(?:;|\{\s*\})")
_BREAK = re.compile(r"\\?\n")
_UNTYPED_LAUNCH = re.compile(
    r"\b(cudaLaunch(?:Cooperative)?Kernel)\s*\(\s*(?:\(\s*(?:const\s+)?void\s*\*\s*\)|reinterpret_cast<\s*(?:const\s+)?void\s*\*\s*>)\s*"
)


def for_cpu(text: str) -> str:
    """``text`` for the headers in ``include/cuda_on_cpu``. Raises `Unsupported` where it holds unknown inline PTX."""
    text = ptx.interpreted(text, masked(text))
    text = _rewrite_shared(text)
    plain = masked(text)
    for found in reversed(list(_UNTYPED_LAUNCH.finditer(plain))):
        text = f"{text[: found.start()]}{found[1]}({text[found.end() :]}"
    text = _rewrite_launches(_rewrite_waits(text))
    # A launch passes its arguments on by their types, and the type of NULL is a number's.
    for found in reversed(list(_NULL.finditer(masked(text)))):
        text = f"{text[: found.start()]}nullptr{text[found.end() :]}"
    return text


def _rewrite_waits(text: str) -> str:
    """Loops that do nothing but look at memory let other threads run: ``while (::cuda_on_cpu::looks() && (…))``."""
    plain = masked(text)
    for found in reversed(list(_LOOP.finditer(plain))):
        end = closing(plain, found.end(), ")")
        inner = text[found.end() : end]
        # ``do { … } while (0)`` is no loop.
        if end is None or inner.strip() in ("0", "false"):
            continue
        if "volatile" in plain[found.end() : end] or _NO_BODY.match(plain, end + 1):
            text = f"{text[: found.end()]}::cuda_on_cpu::looks() && ({inner}){text[end:]}"
    return text


def _rewrite_launches(text: str) -> str:
    """``k<T><<<grid, block>>>(x)`` becomes ``CUDA_ON_CPU_LAUNCH(k<T>)(grid, block)(x)``; nothing else moves."""
    plain, at = masked(text), 0
    while (at := plain.find("<<<", at)) >= 0:
        begin, end = _kernel_begin(plain, at), closing(plain, at + 3, ">>>")
        if begin is None or end is None:
            at += 3
            continue
        text = f"{text[:begin]}CUDA_ON_CPU_LAUNCH({text[begin:at]})({text[at + 3 : end]}){text[end + 3 :]}"
        plain = masked(text)
    return text


def _kernel_begin(plain: str, at: int) -> int | None:
    """Where the expression before ``<<<`` begins: names with ``::``, ``.``, ``->``, and what they take in brackets."""
    i = len(plain[:at].rstrip(" \t\n\\"))
    start = None
    while i > 0:
        if plain[i - 1].isalnum() or plain[i - 1] == "_":
            while i > 0 and (plain[i - 1].isalnum() or plain[i - 1] == "_"):
                i -= 1
            start = i
        elif plain[i - 1] in "])" or (plain[i - 1] == ">" and plain[i - 2] != "-"):
            i = _opening(plain, i - 1)
            if i < 0:
                return None
            if plain[i] == "(":
                start = i
            i = len(plain[:i].rstrip())
            continue
        if plain[:i].endswith(("::", "->")):
            i -= 2
        elif plain[:i].endswith("."):
            i -= 1
        else:
            break
    return start


def _opening(plain: str, end: int) -> int:
    """Where the bracket opens that closes at ``end``; -1 where it does not."""
    angle = plain[end] == ">"
    depth = brackets = 0
    for i in range(end, -1, -1):
        brackets += (plain[i] in CLOSING) - (plain[i] in OPENING)
        if angle and brackets == 0:
            depth += (plain[i] == ">") - (plain[i] == "<")
        if brackets == 0 and depth == 0:
            return i
        if brackets < 0:
            return -1
    return -1


def _rewrite_shared(text: str) -> str:
    """Variables in shared memory become references into memory that is guarded and poisoned for each block."""
    plain, pieces, at = masked(text), [], 0
    for found in _SHARED.finditer(plain):
        begin = found.start()
        before = _BEFORE_SHARED.search(plain[at:begin])
        begin = at + before.start() if before else begin
        end = closing(plain, found.end(), ";")
        if found.start() < at or end is None:
            continue
        declared = _declared(plain[begin:end], in_function=_in_function(plain, begin))
        if declared is None:
            continue
        pieces += [text[at:begin], declared + _lost_breaks(text[begin:end], declared)]
        at = end + 1
    return "".join([*pieces, text[at:]])


def _lost_breaks(before: str, after: str) -> str:
    """The line breaks of ``before`` that ``after`` lacks, as they are written there."""
    return "".join(_BREAK.findall(before)[len(_BREAK.findall(after)) :])


class _Variable(NamedTuple):
    kind: str
    name: str
    sizes: str


def _declared(declaration: str, *, in_function: bool) -> str | None:
    """What takes the place of one declaration; None where its type is defined in it."""
    if "{" in declaration:
        return None
    dynamic = re.search(r"\bextern\b", declaration) is not None
    variables = list(_variables(_STORAGE.sub(" ", declaration)))
    if not variables:
        return None
    made = []
    for kind, name, sizes in variables:
        if dynamic:
            rest = sizes[sizes.index("]") + 1 :] if "]" in sizes else ""
            made.append(f"static thread_local auto* const {name} = ::cuda_on_cpu::dynamic_shared<{kind}{rest}>();")
        else:
            made.append(f'static thread_local auto& {name} = ::cuda_on_cpu::shared<{kind}{sizes}>("{name}", [] {{}});')
            made += [f"::cuda_on_cpu::touch({name});"] if in_function else []
    return " ".join(made)


def _variables(declaration: str) -> Iterator[_Variable]:
    kind = ""
    for place, piece in enumerate(_declarators(declaration)):
        found = _DECLARATOR.fullmatch(piece.strip())
        if found is None or (place == 0 and not found["base"].strip()):
            return
        kind = " ".join(found["base"].replace("\\", " ").split()) if place == 0 else kind
        yield _Variable(kind, found["name"], " ".join(found["sizes"].replace("\\", " ").split()))


def _declarators(declaration: str) -> list[str]:
    """The pieces between commas that stand in no brackets and in no template arguments."""
    pieces, depth, begin = [], 0, 0
    for i, sign in enumerate(declaration):
        depth += (sign in OPENING + "<") - (sign in CLOSING + ">")
        if sign == "," and depth == 0:
            pieces.append(declaration[begin:i])
            begin = i + 1
    return [*pieces, declaration[begin:]]


_SCOPE = re.compile(r"(?:\bnamespace\b[\w\s:]*|\bextern\s+)$")


def _in_function(plain: str, at: int) -> bool:
    """False at namespace scope: only braces of namespaces and of ``extern "C"`` are open there."""
    open_braces: list[bool] = []
    for i in range(at):
        if plain[i] == "{":
            open_braces.append(_SCOPE.search(plain[max(0, i - 100) : i]) is None)
        elif plain[i] == "}" and open_braces:
            open_braces.pop()
    # A macro's body is a function's.
    line = plain[plain.rfind("\n", 0, at) + 1 : at]
    return (
        any(open_braces)
        or line.lstrip().startswith("#define")
        or plain[: plain.rfind("\n", 0, at) + 1].endswith("\\\n")
    )
