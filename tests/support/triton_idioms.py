"""Small Triton kernels that try one habit of published code each, with what must come of them.

`HONEST` ones are right: they are interpreted with the values of a reference, and compile. `FAULTY` ones are refused with
certain words: by the interpreter, by the compiler, or by both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch


class Honest(NamedTuple):
    """A module's text, what its model computes, how far off it may be, its inputs, the Triton that it needs."""

    text: str
    reference: Callable[..., Any]
    tolerance: float
    inputs: Callable[[], list[Any]]
    triton: tuple[tuple[int, int], tuple[int, int]]


class Faulty(NamedTuple):
    """A module's text; the error and its words when it is interpreted, and when it is compiled; None for no error."""

    text: str
    interpreted: tuple[str, str] | None
    compiled: tuple[str, str] | None


HONEST: dict[str, Honest] = {}
FAULTY: dict[str, Faulty] = {}


def rows() -> list[Any]:
    return [torch.randn(4, 64)]


def t(name, text, reference, tolerance=1e-5, inputs=rows, triton=((3, 6), (99, 0))):
    HONEST[name] = Honest(text, reference, tolerance, inputs, triton)


def bad(name, text, interpreted, compiled=None):
    FAULTY[name] = Faulty(text, interpreted, compiled)


HEAD = """
import torch, triton
import triton.language as tl
from triton.language.extra import libdevice
"""


def ew(expr, extra="", args="", host=""):
    return (
        HEAD
        + extra
        + f"""
@triton.jit
def k(x, o, n, s, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    m = at < n
    v = tl.load(x+at, mask=m, other=0.0)
{chr(10).join("    " + line for line in expr.strip().splitlines())}
    tl.store(o+at, r, mask=m)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), 2.5, B=64)
        return o
"""
    )


LIBDEVICE = {
    "exp": ("v", torch.exp),
    "tanh": ("v", torch.tanh),
    "erf": ("v", torch.erf),
    "expm1": ("v", torch.expm1),
    "fast_expf": ("v", torch.exp),
    "round": ("v", torch.round),
    "log1p": ("tl.abs(v)", lambda x: torch.log1p(x.abs())),
    "rsqrt": ("tl.abs(v)", lambda x: torch.rsqrt(x.abs())),
    "pow": ("tl.abs(v), 2.0", lambda x: x.abs() ** 2),
}
for name, (arguments, function) in LIBDEVICE.items():
    t("libdev_" + name, ew(f"r = libdevice.{name}({arguments})"), function)
t("libdev_cuda", ew("r = ld.tanh(v)", "from triton.language.extra.cuda import libdevice as ld"), torch.tanh)
t("alias_builtin", ew("r = exp(v)", "exp = tl.exp"), torch.exp)
t(
    "from_import",
    ew("r = exp(v) + where(v > 0, v, 0.0)", "from triton.language import exp, where"),
    lambda x: torch.exp(x) + x.clamp(min=0),
)
t(
    "boolop",
    ew("r = tl.where((v > 0) and (at % 2 == 0), v, 0.0)"),
    lambda x: torch.where((x > 0) & (torch.arange(x.numel()).view(x.shape) % 2 == 0), x, torch.zeros(())),
)
t("not_scalar", ew("r = v\nif not (n > 5):\n    r = v * 0"), lambda x: x)
t("minmax", ew("r = min(max(v, -1.0), 1.0)"), lambda x: x.clamp(-1, 1))
t("while_loop", ew("i = 0\nr = v\nwhile i < 3:\n    r += 1.0\n    i += 1"), lambda x: x + 3)
t("range_to", ew("r = v\nfor i in range(0, 3):\n    r += i.to(tl.float32)"), lambda x: x + 3)
t("tl_range", ew("r = v\nfor i in tl.range(0, 4, num_stages=2):\n    r += i"), lambda x: x + 6)
t("static_range", ew("r = v\nfor i in tl.static_range(4):\n    r += i"), lambda x: x + 6)
t(
    "inline_asm_simple",
    ew(
        'r = tl.inline_asm_elementwise("ex2.approx.ftz.f32 $0, $1;", "=f,f", [v], dtype=tl.float32, is_pure=True, pack=1)'
    ),
    torch.exp2,
)
t("cumsum", ew("r = tl.cumsum(v, 0)"), lambda x: x.view(-1, 64).cumsum(-1).view(x.shape))
t("sort", ew("r = tl.sort(v)"), lambda x: x.view(-1, 64).sort(-1)[0].view(x.shape))
t(
    "sort_desc",
    ew("r = tl.sort(v, descending=True)"),
    lambda x: x.view(-1, 64).sort(-1, descending=True)[0].view(x.shape),
)
t("flip", ew("r = tl.flip(v, 0)"), lambda x: x.view(-1, 64).flip(-1).view(x.shape))
t(
    "member",
    ew("r = v - v.max(0)\nr = r.sigmoid() + v.sum()"),
    lambda x: (
        torch.sigmoid(x.view(-1, 64) - x.view(-1, 64).amax(-1, keepdim=True)) + x.view(-1, 64).sum(-1, keepdim=True)
    ).view(x.shape),
)
t(
    "reduce_custom",
    ew("r = v - tl.reduce(v, 0, mx)", "@triton.jit\ndef mx(a, b):\n    return tl.where(a > b, a, b)\n"),
    lambda x: (x.view(-1, 64) - x.view(-1, 64).amax(-1, keepdim=True)).view(x.shape),
)
t(
    "scan_tuple",
    ew(
        "a, r = tl.associative_scan((tl.full([B], 0.9, tl.float32), v), 0, comb)",
        "@triton.jit\ndef comb(a1, b1, a2, b2):\n    return a1 * a2, b1 * a2 + b2\n",
    ),
    lambda x: torch.stack(
        [torch.stack([sum(row[j] * 0.9 ** (i - j) for j in range(i + 1)) for i in range(64)]) for row in x.view(-1, 64)]
    ).view(x.shape),
)
t(
    "scan_rev",
    ew("r = tl.cumsum(v, 0, reverse=True)"),
    lambda x: x.view(-1, 64).flip(-1).cumsum(-1).flip(-1).view(x.shape),
)
t("softmax_std", ew("r = tl.softmax(v)"), lambda x: torch.softmax(x.view(-1, 64), -1).view(x.shape))
t(
    "argmax",
    ew("r = v * 0 + tl.argmax(v, 0).to(tl.float32)"),
    lambda x: (x.view(-1, 64).argmax(-1, keepdim=True).float().expand(-1, 64)).reshape(x.shape),
)
t(
    "interleave",
    ew("a, b = tl.split(tl.reshape(v, [B//2, 2]))\nr = tl.interleave(b, a)"),
    lambda x: x.view(-1, 2).flip(-1).reshape(x.shape),
)
t("join_permute", ew("a, b = v.reshape([B//2, 2]).split()\nr = tl.join(a, b).permute([0,1]).reshape([B])"), lambda x: x)
t("gather", ew("r = tl.gather(v, (B - 1 - tl.arange(0, B)), 0)"), lambda x: x.view(-1, 64).flip(-1).view(x.shape))
t(
    "cat",
    ew("h = tl.reshape(v, [2, B//2])\na = tl.sum(h, 0)\nr = tl.cat(a, a, can_reorder=True)"),
    lambda x: x.view(-1, 2, 32).sum(1, keepdim=True).expand(-1, 2, 32).reshape(x.shape),
)
t("constexpr_left", ew("r = TWO * v + TWO", "TWO = tl.constexpr(2.0)"), lambda x: 2 * x + 2)
t(
    "constexpr_value",
    ew("Q: tl.constexpr = B // 2\nr = v * Q"),
    lambda x: 32 * x,
)
t("bf16_const", ew("r = (v.to(tl.bfloat16) * 2).to(tl.float32)"), lambda x: (x.bfloat16() * 2).float())
t("fp8_cast", ew("r = v.to(tl.float8e4nv).to(tl.float32)"), lambda x: x.to(torch.float8_e4m3fn).float())
t("fp8e5_cast", ew("r = v.to(tl.float8e5).to(tl.float32)"), lambda x: x.to(torch.float8_e5m2).float())
t("bitcast", ew("r = (v.to(tl.int32, bitcast=True) & 0x7fffffff).to(tl.float32, bitcast=True)"), torch.abs)
t("umulhi", ew("u = at.to(tl.uint32)\nr = tl.umulhi(u * 0x9E3779B9, u * 2 + 1).to(tl.float32) * 0 + v"), lambda x: x)
t(
    "printing",
    ew("tl.device_print('v', v)\ntl.device_assert(v > -100)\ntl.static_print(B)\nassert n > 5\nr = v"),
    lambda x: x,
)
t("rand", ew("r = tl.rand(42, at) * 0 + tl.randn(7, at) * 0 + v"), lambda x: x)
t("clamp", ew("r = tl.clamp(v, -1.0, 1.0) + tl.fma(v, v, v)"), lambda x: x.clamp(-1, 1) + (x * x + x), 1e-5)
t("divs", ew("r = tl.fdiv(v, 3.0) + tl.div_rn(v, 3.0)"), lambda x: 2 * (x / 3))
t("swizzle", ew("i, j = tl.swizzle2d(tl.program_id(0), 0, 1, 1, 1)\nr = v + i * 0"), lambda x: x)
t("xor_sum", ew("r = v * 0 + tl.xor_sum(at % 8, 0)"), lambda x: x * 0)
t(
    "topk",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr, K: tl.constexpr):
    r = tl.program_id(0)
    v = tl.load(x + r*B + tl.arange(0, B))
    tl.store(o + r*K + tl.arange(0, K), tl.topk(v, K))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = x.new_empty(x.shape[0], 8)
        k[(x.shape[0],)](x, o, 64, 8)
        return o
""",
    lambda x: x.topk(8)[0],
)
t(
    "histogram",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    v = tl.load(x + tl.arange(0, B))
    tl.store(o + tl.arange(0, 16), tl.histogram(v, 16))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty(16, dtype=torch.int32, device=x.device)
        k[(1,)](x, o, 64)
        return o
""",
    lambda x: torch.bincount(x, minlength=16),
    0,
    lambda: [torch.randint(0, 16, (64,), dtype=torch.int32)],
)


def mm(prec="", dt="float32", extra=""):
    return (
        HEAD
        + f"""
@triton.jit
def k(a, b, c, M, N, K, sam, sak, sbk, sbn, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    pm, pn = tl.program_id(0), tl.program_id(1)
    rm = pm*BM + tl.arange(0, BM); rn = pn*BN + tl.arange(0, BN); rk = tl.arange(0, BK)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for kk in range(0, tl.cdiv(K, BK)):
        x = tl.load(a + rm[:, None]*sam + (kk*BK + rk)[None, :]*sak, mask=(rm[:, None] < M) & ((kk*BK+rk)[None, :] < K), other=0.)
        y = tl.load(b + (kk*BK + rk)[:, None]*sbk + rn[None, :]*sbn, mask=((kk*BK+rk)[:, None] < K) & (rn[None, :] < N), other=0.)
        acc = tl.dot(x, y, acc{prec})
    tl.store(c + rm[:, None]*N + rn[None, :], acc, mask=(rm[:, None] < M) & (rn[None, :] < N))
class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        M, K = a.shape; N = b.shape[1]
        c = torch.empty(M, N, device=a.device)
        k[(triton.cdiv(M, 32), triton.cdiv(N, 32))](a, b, c, M, N, K, a.stride(0), a.stride(1), b.stride(0), b.stride(1), BM=32, BN=32, BK=32)
        return c
"""
    )


for p in ("ieee", "tf32", "tf32x3", "bf16x3", "bf16x6"):
    t(
        "dot_" + p,
        mm(f', input_precision="{p}"'),
        lambda a, b: a @ b,
        {"tf32": 0.3, "bf16x3": 1e-3}.get(p, 1e-4),
        lambda: [torch.randn(50, 77), torch.randn(77, 45)],
    )
t(
    "dot_fp16",
    mm(),
    lambda a, b: a.float() @ b.float(),
    1e-3,
    lambda: [torch.randn(50, 77).half(), torch.randn(77, 45).half()],
)
t(
    "dot_bf16",
    mm(),
    lambda a, b: a.float() @ b.float(),
    1e-3,
    lambda: [torch.randn(50, 77).bfloat16(), torch.randn(77, 45).bfloat16()],
)
t(
    "dot_fp8",
    mm(),
    lambda a, b: a.float() @ b.float(),
    1e-3,
    lambda: [torch.randn(50, 77).to(torch.float8_e4m3fn), torch.randn(77, 45).to(torch.float8_e4m3fn)],
)
DESC = (
    HEAD
    + """
@triton.jit
def k(x, o, M, N, BM: tl.constexpr, BN: tl.constexpr):
    d = tl.make_tensor_descriptor(x, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    e = tl.make_tensor_descriptor(o, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    i, j = tl.program_id(0)*BM, tl.program_id(1)*BN
    e.store([i, j], d.load([i, j]) * 2)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        def alloc(size, align, stream):
            return torch.empty(size, dtype=torch.int8, device="cuda")
        triton.set_allocator(alloc)
        o = torch.empty_like(x)
        M, N = x.shape
        k[(triton.cdiv(M, 16), triton.cdiv(N, 16))](x, o, M, N, 16, 16)
        return o
"""
)
t("descriptor_device", DESC, lambda x: 2 * x, 1e-6, lambda: [torch.randn(20, 36)])
t(
    "descriptor_host",
    HEAD
    + """
from triton.tools.tensor_descriptor import TensorDescriptor
@triton.jit
def k(d, e, BM: tl.constexpr, BN: tl.constexpr):
    i, j = tl.program_id(0)*BM, tl.program_id(1)*BN
    e.store([i, j], d.load([i, j]) * 2)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        M, N = x.shape
        k[(triton.cdiv(M, 16), triton.cdiv(N, 16))](TensorDescriptor.from_tensor(x, [16,16]), TensorDescriptor(o, o.shape, o.stride(), [16,16]), 16, 16)
        return o
""",
    lambda x: 2 * x,
    1e-6,
    lambda: [torch.randn(20, 36)],
)
t(
    "pointer_table",
    HEAD
    + """
@triton.jit
def k(ptrs, sizes, o, stride, B: tl.constexpr):
    g = tl.program_id(0)
    p = tl.load(ptrs + g).to(tl.pointer_type(tl.float32))
    n = tl.load(sizes + g)
    at = tl.arange(0, B)
    v = tl.load(p + at, mask=at < n, other=0.)
    tl.store(o + g*stride + at, v * 2, mask=at < stride)
class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        ptrs = torch.tensor([a.data_ptr(), b.data_ptr()], device="cuda")
        sizes = torch.tensor([a.numel(), b.numel()], device="cuda", dtype=torch.int32)
        o = torch.empty(2, 64, device="cuda")
        k[(2,)](ptrs, sizes, o, 64, 64)
        return o
""",
    lambda a, b: (
        torch.stack([torch.nn.functional.pad(a, (0, 64 - a.numel())), torch.nn.functional.pad(b, (0, 64 - b.numel()))])
        * 2
    ),
    1e-6,
    lambda: [torch.randn(30), torch.randn(50)],
)
t(
    "tutorial_warmup",
    HEAD
    + """
@triton.jit
def k(o, x, si, so, rows, cols, B: tl.constexpr, num_stages: tl.constexpr):
    start = tl.program_id(0); step = tl.num_programs(0)
    for r in tl.range(start, rows, step, num_stages=num_stages):
        c = tl.arange(0, B)
        v = tl.load(x + r*si + c, mask=c < cols, other=-float('inf'))
        e = tl.exp(v - tl.max(v, axis=0))
        tl.store(o + r*so + c, e / tl.sum(e, axis=0), mask=c < cols)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        rows, cols = x.shape
        B = triton.next_power_of_2(cols)
        kk = k.warmup(y, x, x.stride(0), y.stride(0), rows, cols, B=B, num_stages=2, num_warps=4, grid=(1,))
        kk._init_handles()
        assert kk.n_regs > 0 and kk.metadata.shared >= 0
        kk[(min(3, rows), 1, 1)](y, x, x.stride(0), y.stride(0), rows, cols, B, 2)
        return y
""",
    lambda x: torch.softmax(x, -1),
    1e-6,
    lambda: [torch.randn(7, 50)],
)
t(
    "atomic_bf16",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    v = tl.load(x + tl.program_id(0)*B + tl.arange(0, B))
    tl.atomic_add(o + tl.arange(0, B), v, sem="relaxed")
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.zeros(64, dtype=torch.bfloat16, device=x.device)
        k[(x.shape[0],)](x, o, 64)
        return o
""",
    lambda x: x.sum(0),
    0.2,
    lambda: [torch.randn(4, 64).bfloat16()],
)
t(
    "atomics_all",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    v = tl.load(x + tl.program_id(0)*B + tl.arange(0, B))
    tl.atomic_max(o, tl.max(v, 0)); tl.atomic_min(o + 1, tl.min(v, 0)); tl.atomic_add(o + 2, tl.sum(v, 0))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.zeros(3, device=x.device)
        k[(x.shape[0],)](x, o, 64)
        return o
""",
    lambda x: torch.stack([x.max().clamp(min=0), x.min().clamp(max=0), x.sum()]),
    1e-4,
)
t(
    "locks",
    HEAD
    + """
@triton.jit
def k(x, o, lock, count, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0)*B + at)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    c = tl.load(count)
    if c == 0:
        tl.atomic_xchg(count, 1)
    else:
        v += tl.load(o + at)
    tl.store(o + at, v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty(64, device=x.device); z = torch.zeros(2, dtype=torch.int32, device=x.device)
        k[(x.shape[0],)](x, o, z, z[1:], 64)
        return o
""",
    lambda x: x.sum(0),
    1e-4,
)
t(
    "last_arriver",
    HEAD
    + """
@triton.jit
def k(x, p, o, c, n, B: tl.constexpr, P: tl.constexpr):
    at = tl.arange(0, B); i = tl.program_id(0)
    tl.store(p + i, tl.sum(tl.load(x + i*B + at), 0))
    if tl.atomic_add(c, 1) == n - 1:
        j = tl.arange(0, P)
        tl.store(o, tl.sum(tl.load(p + j, mask=j < n, other=0.0), 0))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        n = x.shape[0]
        p = torch.empty(n, device=x.device); o = torch.empty(1, device=x.device); c = torch.zeros(1, dtype=torch.int32, device=x.device)
        k[(n,)](x, p, o, c, n, 64, 8)
        return o
""",
    lambda x: x.sum().view(1),
    1e-4,
)
t(
    "lookback",
    HEAD
    + """
@triton.jit
def k(x, o, part, flag, B: tl.constexpr):
    i = tl.program_id(0); at = tl.arange(0, B)
    v = tl.load(x + i*B + at)
    before = 0.0
    if i > 0:
        while tl.atomic_add(flag + i - 1, 0) == 0:
            pass
        before = tl.load(part + i - 1)
    tl.store(part + i, before + tl.sum(v, 0))
    tl.atomic_xchg(flag + i, 1)
    tl.store(o + i*B + at, before + tl.cumsum(v, 0))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        n = x.shape[0]
        o = torch.empty_like(x); part = torch.empty(n, device=x.device); flag = torch.zeros(n, dtype=torch.int32, device=x.device)
        k[(n,)](x, o, part, flag, 64)
        return o
""",
    lambda x: x.view(-1).cumsum(0).view(x.shape),
    1e-4,
)
t(
    "dot_scaled",
    HEAD
    + """
@triton.jit
def k(a, sa, b, sb, c, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    rm, rn, rk = tl.arange(0, M), tl.arange(0, N), tl.arange(0, K)
    rs = tl.arange(0, K // 32)
    x = tl.load(a + rm[:, None]*K + rk[None, :]); y = tl.load(b + rk[:, None]*N + rn[None, :])
    s = tl.load(sa + rm[:, None]*(K//32) + rs[None, :]); u = tl.load(sb + rn[:, None]*(K//32) + rs[None, :])
    acc = tl.dot_scaled(x, s, "e4m3", y, u, "e4m3")
    tl.store(c + rm[:, None]*N + rn[None, :], acc)
class ModelNew(torch.nn.Module):
    def forward(self, a, sa, b, sb):
        c = torch.empty(32, 32, device=a.device)
        k[(1,)](a, sa, b, sb, c, 32, 32, 64)
        return c
""",
    lambda a, sa, b, sb: (
        (a.float() * torch.exp2(sa.float() - 127).repeat_interleave(32, 1))
        @ (b.float() * torch.exp2(sb.float() - 127).repeat_interleave(32, 1).T)
    ),
    1e-2,
    lambda: [
        torch.randn(32, 64).to(torch.float8_e4m3fn),
        torch.randint(125, 130, (32, 2), dtype=torch.uint8),
        torch.randn(64, 32).to(torch.float8_e4m3fn),
        torch.randint(125, 130, (32, 2), dtype=torch.uint8),
    ],
    triton=((3, 7), (99, 0)),
)
t(
    "jit_as_constexpr",
    HEAD
    + """
@triton.jit
def relu(v):
    return tl.maximum(v, 0.0)
@triton.jit
def k(x, o, n, ACT: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    v = tl.load(x + at, mask=at < n)
    if ACT is not None:
        v = ACT(v)
    tl.store(o + at, v, mask=at < n)
class ModelNew(torch.nn.Module):
    kernels = {"k": k}
    kernel = k
    def forward(self, x):
        o = torch.empty_like(x)
        grid = lambda meta: (triton.cdiv(x.numel(), meta["B"]),)
        self.kernels["k"][grid](x, o, x.numel(), relu, B=64)
        self.kernel[grid](x, o, x.numel(), relu, B=64)
        return o
""",
    torch.relu,
)
t(
    "closure",
    HEAD
    + """
def make(scale, act):
    S = tl.constexpr(scale)
    @triton.jit
    def k(x, o, n, B: tl.constexpr):
        at = tl.program_id(0)*B + tl.arange(0, B)
        v = tl.load(x + at, mask=at < n)
        tl.store(o + at, act(v) * S, mask=at < n)
    return k
@triton.jit
def relu(v):
    return tl.maximum(v, 0.0)
kern = make(3.0, relu)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        kern[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
        return o
""",
    lambda x: torch.relu(x) * 3,
)
t(
    "block_ptr",
    HEAD
    + """
@triton.jit
def k(x, o, M, N, BM: tl.constexpr, BN: tl.constexpr):
    p = tl.make_block_ptr(x, shape=(M, N), strides=(N, 1), offsets=(tl.program_id(0)*BM, 0), block_shape=(BM, BN), order=(1, 0))
    q = tl.make_block_ptr(o, shape=(M, N), strides=(N, 1), offsets=(tl.program_id(0)*BM, 0), block_shape=(BM, BN), order=(1, 0))
    for j in range(0, tl.cdiv(N, BN)):
        tl.store(q, tl.load(p, boundary_check=(0, 1), padding_option="zero") * 2, boundary_check=(0, 1))
        p = tl.advance(p, (0, BN)); q = tl.advance(q, (0, BN))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x); M, N = x.shape
        k[(triton.cdiv(M, 16),)](x, o, M, N, 16, 16)
        return o
""",
    lambda x: 2 * x,
    1e-6,
    lambda: [torch.randn(20, 36)],
    triton=((3, 6), (3, 9)),
)
t(
    "triton_op",
    HEAD
    + """
from torch.library import triton_op, wrap_triton
@triton.jit
def k(x, o, n, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
@triton_op("feat::twice", mutates_args={})
def twice(x: torch.Tensor) -> torch.Tensor:
    o = torch.empty_like(x)
    wrap_triton(k)[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
    return o
class ModelNew(torch.nn.Module):
    def forward(self, x): return twice(x)
""",
    lambda x: 2 * x,
)
t(
    "library_impl",
    HEAD
    + """
@triton.jit
def k(x, o, n, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
lib = torch.library.Library("feat2", "FRAGMENT")
lib.define("twice(Tensor x) -> Tensor")
def twice(x):
    o = torch.empty_like(x)
    k[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
    return o
lib.impl("twice", twice, "CUDA")
@torch.library.register_fake("feat2::twice")
def _(x): return torch.empty_like(x)
class ModelNew(torch.nn.Module):
    def forward(self, x): return torch.ops.feat2.twice(x)
""",
    lambda x: 2 * x,
)
t(
    "custom_op_cuda",
    HEAD
    + """
@triton.jit
def k(x, o, n, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
@torch.library.custom_op("feat3::twice", mutates_args=(), device_types="cuda")
def twice(x: torch.Tensor) -> torch.Tensor:
    o = torch.empty_like(x)
    k[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
    return o
class ModelNew(torch.nn.Module):
    def forward(self, x): return twice(x)
""",
    lambda x: 2 * x,
)
t(
    "host_idioms",
    HEAD
    + """
@triton.jit
def k(x, o, n, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
class F(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda")
    def forward(ctx, x):
        o = torch.empty_like(x, device="cuda")
        with torch.cuda.device_of(x), torch.cuda.device(x.device.index):
            k[(triton.cdiv(x.numel(), 64),)](x, o, x.numel(), B=64)
        return o
    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx, g): return g * 2
class ModelNew(torch.nn.Module):
    @torch.compiler.disable
    def forward(self, x):
        assert torch.accelerator.is_available() and torch.accelerator.current_accelerator().type == "cuda"
        assert torch.get_device_module().device_count() == 1 and x.get_device() == 0 and not x.is_cpu
        s, e = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        s.record(); e.record(); e.synchronize(); s.elapsed_time(e)
        with torch.device("cuda"):
            z = torch.zeros(3)
        assert z.is_cuda
        torch.cuda.nvtx.range_push("a"); torch.cuda.nvtx.range_pop()
        h = torch.empty(3, pin_memory=True).cuda(non_blocking=True)
        torch._C._cuda_getCurrentRawStream(0)
        with torch.autocast("cuda", dtype=torch.float16, enabled=False):
            return F.apply(x)
""",
    lambda x: 2 * x,
)
t(
    "autotune_reset",
    HEAD
    + """
@triton.autotune(configs=[triton.Config({"B": 32}), triton.Config({"B": 64}, pre_hook=lambda a: a["o"].zero_()), triton.Config({"B": 128})], key=["n"], reset_to_zero=["o"], restore_value=["x"], do_bench=lambda f, quantiles: [1.0]*3)
@triton.jit
def k(x, o, n, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.atomic_add(o, tl.sum(tl.load(x + at, mask=at < n, other=0.0), 0))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.zeros(1, device=x.device)
        k[lambda m: (triton.cdiv(x.numel(), m["B"]),)](x, o, x.numel())
        return o
""",
    lambda x: x.sum().view(1),
    1e-3,
)
# faults
bad("oob_read", ew("w = tl.load(x + at + 1)\nr = v + w"), ("KernelFault", "reads 1 element past the end of x"), None)
t(
    "do_not_spec",
    HEAD
    + """
@triton.jit(do_not_specialize=["n"], repr=lambda spec: "mykernel", debug=False)
def k(x, o, n: tl.int64, s: tl.float32, B: tl.constexpr = 64, FLAG: tl.constexpr = True):
    at = tl.program_id(0).to(tl.int64)*B + tl.arange(0, B)
    big = n * 1000000000000
    v = tl.load(x + at, mask=(at < n) & (big > 0), other=0.0)
    if FLAG:
        v *= s
    tl.store(o + at, v, mask=at < n)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k.run(x, o, x.numel(), 2, grid=(triton.cdiv(x.numel(), 64),), warmup=False, FLAG=True)
        return o
""",
    lambda x: 2 * x,
)
t(
    "namedtuple",
    HEAD
    + """
from typing import NamedTuple
class P(NamedTuple):
    ptr: object
    n: int
@triton.jit
def k(p, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, 2 * tl.load(p.ptr + at, mask=at < p.n), mask=at < p[1])
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(4,)](P(x, x.numel()), o, B=64)
        return o
""",
    lambda x: 2 * x,
)
t(
    "reinterpret",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at).to(tl.float32))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        q = x.to(torch.float8_e5m2).view(torch.int8)
        o = torch.empty_like(x)
        k[(4,)](triton.reinterpret(q, tl.float8e5), o, B=64)
        return o
""",
    lambda x: x.to(torch.float8_e5m2).float(),
)
t(
    "shapes",
    HEAD
    + """
@triton.jit
def pair(a, b):
    return a + b, a * b
@triton.jit
def k(x, o, B: tl.constexpr):
    r = tl.arange(0, 8); c = tl.arange(0, 8)
    at = tl.program_id(0)*64 + r[:, None]*8 + c[None, :]
    v = tl.load(x + at)
    w, z = pair(v, v.T)
    w = tl.trans(w) + tl.zeros_like(v) + tl.expand_dims(tl.sum(v, 1), 1) * 0 + tl.broadcast_to(tl.max(v, 0, keep_dims=True), [8, 8]) * 0
    m, i = tl.max(v, 1, return_indices=True)
    w += (i * 0)[:, None] + tl.cumprod(v * 0 + 1, 0) - 1 + tl.ravel(v).reshape(8, 8) * 0
    u = tl.dot(v[None, :, :].broadcast_to(2, 8, 8) if False else v, v) if False else w
    tl.store(o + at, u)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(4,)](x, o, B=64)
        return o
""",
    lambda x: (x.view(4, 8, 8) + x.view(4, 8, 8).transpose(1, 2)).view(x.shape),
)
t(
    "early_return",
    HEAD
    + """
@triton.jit
def k(x, o, n, B: tl.constexpr):
    pid = tl.program_id(0)
    if pid * B >= n:
        return
    at = pid*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at) if n > 3 else tl.load(x + at) + 1)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(9, 1)](x, o, x.numel(), B=64)
        return o
""",
    lambda x: x,
)
t(
    "bool_io",
    HEAD
    + """
@triton.jit
def k(x, m, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    v = tl.load(x + at)
    tl.store(m + at, v > 0)
    b = tl.load(m + at)
    tl.store(o + at, tl.where(b, v, 0.0))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x); m = torch.empty(x.shape, dtype=torch.bool, device=x.device)
        k[(4,)](x, m, o, B=64)
        return o
""",
    torch.relu,
)
t(
    "int_ops",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    u = at.to(tl.uint32)
    h = (u ^ 61) ^ (u >> 16)
    h *= 9
    h = h ^ (h >> 4)
    h *= 0x27d4eb2d
    h = h ^ (h >> 15)
    q = (-7 // 2) * 0 + (at - 5) // 3 * 0 + (at - 5) % 3 * 0
    s = at.to(tl.int8) + at.to(tl.uint8) * 0
    tl.store(o + at, tl.load(x + at) + (h % 1).to(tl.float32) + q + s.to(tl.float32) * 0)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(4,)](x, o, B=64)
        return o
""",
    lambda x: x,
)
t(
    "streams",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at) * 2)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        s = torch.cuda.Stream(); s.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(s):
            k[(4,)](x, o, B=64, num_warps=8, num_stages=3)
        torch.cuda.current_stream().wait_stream(s)
        e = torch.cuda.Event(); e.record(s); torch.cuda.current_stream().wait_event(e)
        assert not torch.cuda.is_current_stream_capturing()
        free, total = torch.cuda.mem_get_info()
        g = torch.Generator(device="cuda") if False else None
        assert torch.cuda.get_device_name(0) and torch.version.cuda
        x.storage_offset(); x.element_size(); x.data_ptr()
        return o
""",
    lambda x: 2 * x,
)
t(
    "erf16",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    v = tl.load(x + at).to(tl.float32)
    g = 0.5 * v * (1 + tl.erf(v * 0.70710678)) + tl.math.rsqrt(v * v + 1) * 0
    tl.store(o + at, g.to(o.dtype.element_ty))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(4,)](x, o, B=64)
        return o
""",
    lambda x: torch.nn.functional.gelu(x.float()).half(),
    2e-3,
    lambda: [torch.randn(4, 64).half()],
)
t(
    "annot_future",
    "from __future__ import annotations\n"
    + HEAD
    + """
@triton.jit
def k(x: tl.tensor, o, n: int, B: tl.constexpr, T: "tl.constexpr" = None):
    at = tl.program_id(0)*B + tl.arange(0, B)
    if T is None:
        tl.store(o + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(4,)](x, o, x.numel(), 64)
        return o
""",
    lambda x: 2 * x,
)
t(
    "class_method_kernel",
    HEAD
    + """
class Ops:
    @staticmethod
    @triton.jit
    def k(x, o, B: tl.constexpr):
        at = tl.program_id(0)*B + tl.arange(0, B)
        tl.store(o + at, tl.load(x + at) * 2)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        Ops.k[(4,)](x, o, B=64)
        return o
""",
    lambda x: 2 * x,
)
t(
    "dtype_dispatch",
    HEAD
    + """
@triton.jit
def k(x, o, OUT: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    v = tl.load(x + at)
    if OUT == tl.float16:
        v = v.to(OUT)
    tl.static_assert(OUT == tl.float16 or OUT == tl.float32)
    tl.store(o + at, v)
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty(x.shape, dtype=torch.float16, device=x.device)
        k[(4,)](x, o, tl.float16, B=64)
        return o
""",
    lambda x: x.half(),
)
t(
    "nan_max",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    at = tl.arange(0, B)
    v = tl.load(x + tl.program_id(0)*B + at)
    tl.store(o + tl.program_id(0), tl.max(v, 0))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty(4, device=x.device)
        k[(4,)](x, o, B=64)
        return o
""",
    lambda x: x.nan_to_num(-9).amax(1),
    1e-6,
    lambda: [torch.where(torch.rand(4, 64) > 0.1, torch.randn(4, 64), torch.full((), float("nan")))],
)
t(
    "batched_dot",
    HEAD
    + """
@triton.jit
def k(x, o):
    b = tl.arange(0, 2); i = tl.arange(0, 16); j = tl.arange(0, 16)
    at = b[:, None, None]*256 + i[None, :, None]*16 + j[None, None, :]
    v = tl.load(x + at)
    tl.store(o + at, tl.dot(v, v, input_precision="ieee"))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(1,)](x, o)
        return o
""",
    lambda x: x @ x,
    1e-4,
    lambda: [torch.randn(2, 16, 16)],
)
t(
    "closure_helper",
    HEAD
    + """
def factory(n):
    @triton.jit
    def helper(v):
        return v * N
    N = tl.constexpr(n)
    @triton.jit
    def k(x, o, B: tl.constexpr):
        at = tl.program_id(0)*B + tl.arange(0, B)
        tl.store(o + at, helper(tl.load(x + at)))
    return k
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        factory(2)[(4,)](x, o, B=64)
        factory(3)[(4,)](x, o, B=64)
        return o
""",
    lambda x: 3 * x,
)
t(
    "set_default_device",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.store(o + at, tl.load(x + at) * 2)
torch.set_default_device("cuda")
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty(x.shape)
        assert x.to("cuda:0").is_cuda and torch.ones(3).cuda().device.type == "cuda" and torch.arange(3, device=torch.device("cuda", 0)).sum().item() == 3
        y = x.new_zeros(3, device="cuda"); y = torch.full((3,), 1.0, device=x.device); y = torch.as_tensor([1,2], device="cuda")
        y = torch.tensor(3, device="cuda"); y = torch.linspace(0, 1, 4, device="cuda"); y = torch.empty_strided((3,), (1,), device="cuda")
        k[(4,)](x, o, B=64)
        return o
""",
    lambda x: 2 * x,
)

bad(
    "oob_write",
    ew("tl.store(o + at + 1, v, mask=at == n - 1)\nr = v"),
    ("KernelFault", "writes 1 element past the end of o"),
    None,
)
bad("oob_before", ew("w = tl.load(x + at - 1)\nr = v + w"), ("KernelFault", "before the start of x"), None)
bad("race_ww", ew("tl.store(o + at % 64, v)\nr = v"), ("KernelFault", "programs race"), None)
bad(
    "race_rw",
    ew("tl.store(x + at, v + 1)\nw = tl.load(x + (at + 64) % n)\nr = v + w"),
    ("KernelFault", "programs race"),
    None,
)
bad("lanes", ew("tl.store(o + at // 2, v)\nr = v"), ("KernelFault", "one element in one store"), None)
bad(
    "debug_assert",
    HEAD
    + """
@triton.jit(debug=True)
def k(x, o, n, B: tl.constexpr):
    at = tl.program_id(0)*B + tl.arange(0, B)
    tl.device_assert(at < 100, "too far")
    tl.store(o + at, tl.load(x + at))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(4,)](x, o, x.numel(), B=64)
        return o
""",
    ("KernelFault", "device_assert failed: too far"),
    None,
)
bad(
    "asm_absent",
    ew(
        'r = tl.inline_asm_elementwise("{ .reg .f32 t; add.f32 t, $1, $1; mov.f32 $0, t; }", "=f,f", [v], dtype=tl.float32, is_pure=True, pack=1)'
    ),
    ("Unsupported", "inline assembly cannot be interpreted"),
    None,
)
bad(
    "compile_undefined",
    ew("r = v + nonsense"),
    ("CompileFailure", "nonsense is not defined"),
    ("CompileFailure", "nonsense is not defined"),
)
bad(
    "unknown_kw",
    HEAD
    + """
@triton.jit
def k(x, o, B: tl.constexpr):
    tl.store(o + tl.arange(0, B), tl.load(x + tl.arange(0, B)))
class ModelNew(torch.nn.Module):
    def forward(self, x):
        o = torch.empty_like(x)
        k[(1,)](x, o, B=64, num_wraps=4)
        return o
""",
    ("KeyError", "num_wraps"),
    ("KeyError", "num_wraps"),
)


bad(
    "ptxas_refuses",
    ew(
        "w = tl.load(x + at, mask=m, other=0.0, cache_modifier='.cg', eviction_policy='evict_first', volatile=True)\nr = v + w"
    ),
    ("CompileFailure", "ptxas: Modifier"),
    ("CompileFailure", "ptxas: Modifier"),
)
bad(
    "global_number",
    ew("r = v * TWO", "TWO: tl.constexpr = 2"),
    ("CompileFailure", "Cannot access global variable TWO"),
    ("CompileFailure", "Cannot access global variable TWO"),
)
bad(
    "noinline_on_blocks",
    ew("r = twice(v)", "@triton.jit(noinline=True)\ndef twice(v):\n    return v * 2\n"),
    ("CompileFailure", "is marked noinline"),
    ("CompileFailure", "is marked noinline"),
)


def seen(evidence: str, target: Any, scratch: Any, names: list[str]) -> dict[str, list[Any]]:
    """What became of each in one session: ``[error type, words]``, or ``[largest error, kernels]`` for one that ran."""
    from akgflow import toolchains
    from akgflow.terms import Evidence

    found: dict[str, list[Any]] = {}
    with toolchains.get("triton").session(Evidence(evidence), target, scratch) as session:
        for name in names:
            session.absent = None
            session.launched.clear()
            try:
                found[name] = [_worst(name, session, evidence), list(session.kernels())]
            except Exception as error:
                found[name] = [type(error).__name__, str(error)]
    return found


def _worst(name: str, session: Any, evidence: str) -> float:
    import importlib.util
    import sys
    from pathlib import Path
    from tempfile import mkdtemp

    case = HONEST.get(name) or FAULTY[name]
    path = Path(mkdtemp()) / f"{name}.py"
    path.write_text(case.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model, worst = module.ModelNew(), 0.0
    # Programs run in another order each time.
    for _ in range(3 if evidence == "interpreted" else 1):
        inputs = case.inputs() if isinstance(case, Honest) else rows()
        copies = [one.clone() for one in inputs]
        with torch.no_grad():
            given = session.call(model, inputs)
        if evidence == "interpreted" and isinstance(case, Honest):
            worst = max(worst, float((given.double() - case.reference(*copies).double()).abs().max()))
    return worst


def main() -> None:
    """``EVIDENCE TARGET-JSON SCRATCH RESULT NAME…``: writes what `seen` gives."""
    import json
    import sys
    from pathlib import Path

    from akgflow.base.serial import from_data
    from akgflow.config.types import Target

    evidence, target, scratch, result, *names = sys.argv[1:]
    found = seen(evidence, from_data(json.loads(target), Target), Path(scratch), names)
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
