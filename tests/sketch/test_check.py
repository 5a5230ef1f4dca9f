"""Sketches: what the checker accepts, and what it says, with the place, about what does not fit."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from akgflow.sketch import MAX_LINES, check

ROOT = Path(__file__).resolve().parents[2]
GEMM = """\
sizes(M, K, N)
tiles(TM=64, TN=64, TK=32)
x: input[M, K, f32]
w: parameter[K, N, f32]
b: parameter[N, f32]
out: output[M, N, f32]
for i in each(M, TM):
    for j in each(N, TN):
        acc = zeros(TM, TN, f32)
        for k in steps(K, TK):
            p = load(x[i:i+TM, k:k+TK], near, edge=0)
            q = load(w[k:k+TK, j:j+TN], near, edge=0)
            acc += dot(p, q)
        c = load(b[j:j+TN], own, edge=0)
        store(out[i:i+TM, j:j+TN], relu(acc + c))
hint("arithmetic limits it")
"""
SOFTMAX = """\
sizes(R, C)
tiles(T=1024)
x: input[R, C, f16]
out: output[R, C, f16]
for r in each(R):
    top = full(1, f32, value=-inf)
    total = zeros(1, f32)
    for c in steps(C, T):
        v = cast(load(x[r, c:c+T], own, edge=-inf), f32)
        new = max(top, max(v, axis=0, keep=True))
        total = total * exp(top - new) + sum(exp(v - new), axis=0, keep=True)
        top = new
    for c in steps(C, T):
        v = cast(load(x[r, c:c+T], own, edge=-inf), f32)
        store(out[r, c:c+T], exp(v - top) / total)
"""
CONVOLUTION = """\
sizes(B, C, H, W, F, R, S)
tiles(TF=32, TW=64)
x: input[B, C, H, W, f32]
w: parameter[F, C, R, S, f32]
out: output[B, F, H - R + 1, W - S + 1, f32]
for b in each(B):
    for h in each(H - R + 1):
        for f in each(F, TF):
            for q in each(W - S + 1, TW):
                acc = zeros(TF, TW, f32)
                for c in steps(C):
                    for r in steps(R):
                        for s in steps(S):
                            line = load(x[b, c, h + r, q+s:q+s+TW], own, edge=0)
                            part = load(w[f:f+TF, c, r, s], own, edge=0)
                            acc += part[:, None] * line
                store(out[b, f:f+TF, h, q:q+TW], acc)
"""
ATTENTION = """\
sizes(B, H, L, D)
tiles(TQ=64, TK=64)
q: input[B, H, L, D, bf16]
k: input[B, H, L, D, bf16]
v: input[B, H, L, D, bf16]
out: output[B, H, L, D, bf16]
scale = 1 / sqrt(D)
for b in each(B):
    for h in each(H):
        for i in each(L, TQ):
            a = load(q[b, h, i:i+TQ, :], near, edge=0)
            acc = zeros(TQ, D, f32)
            top = full(TQ, f32, value=-inf)
            total = zeros(TQ, f32)
            for j in steps(L, TK):
                if j < i + TQ:  # what lies above the diagonal is not read
                    s = dot(a, load(k[b, h, j:j+TK, :], near, edge=0).T) * scale
                    s = where((j + iota(TK) < L) & (j + iota(TK) <= i + iota(TQ)[:, None]), s, -inf)
                    new = max(top, max(s, axis=1))
                    p = exp(s - new[:, None])
                    total = total * exp(top - new) + sum(p, axis=1)
                    c = load(v[b, h, j:j+TK, :], near, edge=0)
                    acc = acc * exp(top - new)[:, None] + dot(cast(p, bf16), c)
                    top = new
            store(out[b, h, i:i+TQ, :], acc / total[:, None])
"""
SPLIT_SUM = """\
sizes(N)
tiles(T=4096)
x: input[N, f32]
part: scratch[ceil(N / T), f32]
out: output[1, f32]
for p in each(ceil(N / T)):
    store(part[p], sum(load(x[p*T:p*T+T], own, edge=0), axis=0))
for one in each(1):
    total = zeros(1, f32)
    for p in steps(ceil(N / T)):
        total += load(part[p], own)
    store(out[:], total)
"""
EMBEDDING = """\
sizes(N, V, D)
tiles(T=128)
ids: input[N, i64]
table: parameter[V, D, f32]
out: output[N, D, f32]
for i in each(N, T):
    rows = load(ids[i:i+T], own, edge=0)
    store(out[i:i+T, :], load(table[rows, :], own))
"""
STRIDED = """\
sizes(N)
tiles(T=64)
x: input[2 * N, f32]
out: output[N, f32]
for i in each(N, T):
    even = load(x[2*i:2*i+2*T:2], own, edge=0)
    store(out[i:i+T], even)
"""


@pytest.mark.parametrize(
    "text",
    [GEMM, SOFTMAX, CONVOLUTION, ATTENTION, SPLIT_SUM, EMBEDDING, STRIDED],
    ids=["gemm", "softmax", "convolution", "attention", "split_sum", "embedding", "strided"],
)
def test_sound_sketches(text: str) -> None:
    assert [str(found) for found in check(text)] == []


def test_the_examples_of_the_page_are_sound() -> None:
    blocks = re.findall(r"```sketch\n(.*?)```", (ROOT / "docs/sketch.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    assert [str(found) for block in blocks for found in check(block)] == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("[M, K, f32]", "[M, KK, f32]", "3:13: KK is not defined: did you mean K?"),
        ("[M, K, f32]", "[M, K]", "3:1: the type stands last, one of f64, f32"),
        ("x: input", "x: inptu", "3:4: inptu is no role: did you mean input?"),
        ("w: parameter", "x: parameter", "4:1: x is defined twice"),
        ("TN=64", "TN=0", "2:17: the tile TN starts at 0: use 1 or more"),
        ("sizes(M, K, N)", "sizes(M=1)", "1:1: write sizes(M, N, K): names only"),
        ("w[k:k+TK, j:j+TN]", "ww[k:k+TK, j:j+TN]", "12:22: the tensor ww is not declared"),
        ("w[k:k+TK, j:j+TN]", "w[k:k+TK]", "12:22: w is [K, N]: give 2 indices"),
        ("w[k:k+TK, j:j+TN]", "w[j:j+TN, k:k+TK]", "13:20: dot of [TM, TK] and [TN, TK] does not fit"),
        ("near, edge=0)\n            q", "near)\n            q", "11:22: this can pass the end of x [M, K]: add edge="),
        (
            "near, edge=0)\n            q",
            "far, edge=0)\n            q",
            "11:41: x lies in far: load it into near or own",
        ),
        ("load(b[j:j+TN], own, edge=0)", "b", "14:13: b lies in far: load it first"),
        ("load(b[j:j+TN], own, edge=0)", "b[j:j+TN]", "14:13: b lies in far: load it first"),
        ("acc = zeros(TM, TN, f32)", "acc = zeros(TM, TN, f16)", "13:13: the sum acc is kept in f16"),
        ("acc = zeros(TM, TN, f32)", "acc = zeros(TM, TN)", "9:15: say in which type"),
        ("acc = zeros(TM, TN, f32)", "acc = zeros(TM, TN, f32, far)", "9:15: far memory is declared at the top"),
        ("acc = zeros(TM, TN, f32)", "acc = zeros(TM, TK, f32)", "13:13: shapes [TM, TK] and [TM, TN] do not match"),
        ("acc + c", "acc + cc", "15:47: cc is not defined: did you mean acc?"),
        ("relu(acc + c)", "rellu(acc + c)", "15:36: rellu is no operation of a sketch: did you mean relu?"),
        ("relu(acc + c)", "sum(acc + c)", "15:36: say over which dimension: axis=N"),
        ("relu(acc + c)", "sum(acc + c, axis=2)", "15:54: the value is [TM, TN]: axis is from 0 to 1"),
        ("relu(acc + c)", "sum(acc, axis=0)", "15:9: out[i:i + TM, j:j + TN] takes [TM, TN] and the value is [TN]"),
        ("store(out[", "store(x[", "15:15: x is an input and is left as it is"),
        ("        store(out[i:i+TM, j:j+TN], relu(acc + c))\n", "", "6:1: the output out is never stored"),
        ("out: output[M, N, f32]\n", "", "no output is declared"),
        ("for k in steps(K, TK)", "while k < K", "10:9: a loop needs a bound"),
        ("for k in steps(K, TK)", "for k in range(K)", "10:18: a loop needs a bound"),
        ("for k in steps(K, TK)", "for k in steps()", "10:18: a loop needs a bound"),
        ("for k in steps(K, TK)", "for k in steps(0, K, 0)", "10:30: a step of 0 never ends"),
        ("for k in steps(K, TK)", "for i in steps(K, TK)", "10:13: i is defined already"),
        ("            acc += dot(p, q)", "            acc += dot(p, q", "this cannot be read"),
        ("            acc += dot(p, q)\n", "            dot(p, q)\n", "13:13: dot does nothing by itself"),
        ("            acc += dot(p, q)\n", "            M = dot(p, q)\n", "13:13: M is a size"),
        (
            "            acc += dot(p, q)\n",
            "            acc = dot(p.T, p)\n",
            "13:13: acc is [TM, TN] and the new value [TK, TK]",
        ),
        ('hint("arithmetic limits it")', "hint()", '16:1: write hint("one sentence")'),
        ('hint("arithmetic limits it")', "import torch", "16:1: a sketch has no statement of this kind (Import)"),
        ('hint("arithmetic limits it")', "y = zeros(TM, f32)", "16:5: near and own belong to a piece of work"),
        ('hint("arithmetic limits it")', "store(out[:, :], 0)", "16:1: store belongs into a piece of work"),
        (
            "            q = load(w[k:k+TK, j:j+TN], near, edge=0)\n            acc += dot(p, q)\n",
            "",
            "4:1: w is never loaded",
        ),
    ],
    ids=lambda value: value[:32] if isinstance(value, str) else None,
)
def test_what_does_not_fit_is_said_with_its_place(old: str, new: str, finding: str) -> None:
    assert old in GEMM
    text = GEMM.replace(old, new, 1)
    found = [str(one) for one in check(text)]
    wanted = finding if finding[0].isdigit() else f": {finding}"
    assert any(one.startswith(wanted) or (wanted[0] == ":" and wanted in one) for one in found), found


def test_a_name_of_ones_own_hides_a_constant() -> None:
    text = (
        "sizes(M, N)\nx: input[M, N, f32]\nout: output[M, N, f32]\n"
        "for r in each(M):\n    v = load(x[r, :], own, edge=none)\n"
        "    e = exp(v - max(v, axis=0))\n    store(out[r, :], e / sum(e, axis=0))\n"
    )
    assert check(text) == ()


def test_one_mistake_is_one_finding() -> None:
    assert len(check(GEMM.replace("p = load(x[", "p = load(y["))) == 2  # y is not declared, and x is never loaded
    assert len(check(GEMM.replace("acc = zeros(TM, TN, f32)", "acc = zeros(TM, TN, f33)"))) == 1


def test_a_long_sketch_is_sent_back() -> None:
    (found,) = check(GEMM + "# a line\n" * MAX_LINES)
    assert str(found) == f"{MAX_LINES + 1}:1: a sketch has at most {MAX_LINES} lines and this one has 96: shorten it"


def test_whatever_is_written_gives_findings_and_no_exception() -> None:
    draw = random.Random(3)
    words = re.findall(r"\w+|[^\w\s]|\n *| +", GEMM + ATTENTION)
    clean = 0
    for _ in range(1500):
        text = re.findall(r"\w+|[^\w\s]|\n *| +", GEMM)
        for _ in range(draw.randrange(4)):
            text[draw.randrange(len(text))] = draw.choice(words)
        clean += not check("".join(text))
    assert 0 < clean < 1500
    assert check("x" * 100_000 + "(" * 300)
