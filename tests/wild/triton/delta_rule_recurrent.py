"""operator: delta_rule
dsl: triton
does: FLA's recurrent form as a registered operator with a fake, pointers that walk, a constexpr function, device_print
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl

VERBOSE = tl.constexpr(False)


@triton.constexpr_function
def padded(n):
    return 1 << (n - 1).bit_length()


@triton.heuristics({"STORE_STATE": lambda args: args["ht"] is not None})
@triton.jit(do_not_specialize=["T"], debug=False)
def fused_recurrent_fwd(
    q, k, v, g, beta, o, ht, scale, T,
    H: tl.constexpr, K: tl.constexpr, V: tl.constexpr, BV: tl.constexpr,
    NORM: tl.constexpr, STORE_STATE: tl.constexpr,
):  # fmt: skip
    BK: tl.constexpr = padded(K)
    i_v, i_nh = tl.program_id(0), tl.program_id(1)
    i_n, i_h = i_nh // H, i_nh % H
    o_k = tl.arange(0, BK)
    o_v = i_v * BV + tl.arange(0, BV)
    bos = i_n * T
    p_q = q + (bos * H + i_h) * K + o_k
    p_k = k + (bos * H + i_h) * K + o_k
    p_v = v + (bos * H + i_h) * V + o_v
    p_o = o + (bos * H + i_h) * V + o_v
    p_g = g + bos * H + i_h
    p_b = beta + bos * H + i_h
    mask_k = o_k < K
    mask_v = o_v < V
    mask_h = mask_k[:, None] & mask_v[None, :]
    b_h = tl.zeros([BK, BV], dtype=tl.float32)
    tl.static_print("K is", K)
    if VERBOSE:
        tl.device_print("program", i_nh)
    for _ in range(0, T):
        b_q = tl.load(p_q, mask=mask_k, other=0).to(tl.float32)
        b_k = tl.load(p_k, mask=mask_k, other=0).to(tl.float32)
        b_v = tl.load(p_v, mask=mask_v, other=0).to(tl.float32)
        if NORM:
            b_q = b_q * tl.rsqrt(tl.sum(b_q * b_q) + 1e-6)
            b_k = b_k * tl.rsqrt(tl.sum(b_k * b_k) + 1e-6)
        b_q = b_q * scale
        b_h *= tl.exp(tl.load(p_g).to(tl.float32))
        b_v -= tl.sum(b_h * b_k[:, None], 0)
        b_v *= tl.load(p_b).to(tl.float32)
        b_h += b_k[:, None] * b_v[None, :]
        b_o = tl.sum(b_h * b_q[:, None], 0)
        tl.store(p_o, b_o.to(p_o.dtype.element_ty), mask=mask_v)
        p_q += H * K
        p_k += H * K
        p_v += H * V
        p_o += H * V
        p_g += H
        p_b += H
    if STORE_STATE:
        p_ht = ht + i_nh * K * V + o_k[:, None] * V + o_v[None, :]
        tl.store(p_ht, b_h, mask=mask_h)


@torch.library.custom_op("honest_delta::recurrent", mutates_args=(), device_types="cuda")
def recurrent(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor, beta: torch.Tensor, scale: float, norm: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    B, T, H, K = q.shape
    V = v.shape[-1]
    o = torch.empty_like(v)
    ht = q.new_empty(B, H, K, V, dtype=torch.float32)
    BV = min(triton.next_power_of_2(V), 8)
    fused_recurrent_fwd[(triton.cdiv(V, BV), B * H)](
        q, k, v, g, beta, o, ht, scale, T, H=H, K=K, V=V, BV=BV, NORM=norm, num_warps=1, num_stages=3
    )
    return o, ht


@recurrent.register_fake
def _(q, k, v, g, beta, scale, norm):
    B, T, H, K = q.shape
    return torch.empty_like(v), q.new_empty(B, H, K, v.shape[-1], dtype=torch.float32)


class ModelNew(torch.nn.Module):
    scale = None

    def forward(self, q, k, v, beta, g, *, use_qk_l2norm: bool = True):
        scale = self.scale or k.shape[-1] ** -0.5
        args = (t.contiguous() for t in (q, k, v, g, beta))
        return torch.ops.honest_delta.recurrent(*args, scale, use_qk_l2norm)
