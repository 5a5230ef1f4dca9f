"""relu(x @ weight + bias) in float32 as a Triton kernel for GPUs: x [m, k], weight [k, n], bias [n], out [m, n].

Each program computes a BLOCK_M x BLOCK_N piece of the result along k in steps of BLOCK_K. Programs are numbered so that
GROUP_M rows of pieces share the columns of ``weight`` that they read while those are in the cache. Strides are those of
the tensors, so that no operand has to be contiguous.
"""

import torch
import triton
import triton.language as tl

CONFIGS = [
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 16, "GROUP_M": 8}, num_warps=4, num_stages=3),
    triton.Config({"BLOCK_M": 128, "BLOCK_N": 64, "BLOCK_K": 16, "GROUP_M": 8}, num_warps=8, num_stages=2),
]


@triton.autotune(configs=CONFIGS, key=["m", "n", "k"])
@triton.jit
def gemm_bias_relu_kernel(
    x_ptr, weight_ptr, bias_ptr, out_ptr,
    m, n, k,
    stride_xm, stride_xk, stride_wk, stride_wn, stride_om, stride_on,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    pieces_m = tl.cdiv(m, BLOCK_M)
    pieces_n = tl.cdiv(n, BLOCK_N)
    group = program // (GROUP_M * pieces_n)
    first_m = group * GROUP_M
    rows_of_group = min(pieces_m - first_m, GROUP_M)
    piece_m = first_m + (program % (GROUP_M * pieces_n)) % rows_of_group
    piece_n = (program % (GROUP_M * pieces_n)) // rows_of_group

    rows = piece_m * BLOCK_M + tl.arange(0, BLOCK_M)
    cols = piece_n * BLOCK_N + tl.arange(0, BLOCK_N)
    depth = tl.arange(0, BLOCK_K)
    x_at = x_ptr + rows[:, None].to(tl.int64) * stride_xm + depth[None, :] * stride_xk
    weight_at = weight_ptr + depth[:, None].to(tl.int64) * stride_wk + cols[None, :] * stride_wn

    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for start in range(0, k, BLOCK_K):
        inside = depth < k - start
        x = tl.load(x_at, mask=(rows[:, None] < m) & inside[None, :], other=0.0)
        weight = tl.load(weight_at, mask=inside[:, None] & (cols[None, :] < n), other=0.0)
        # Full float32: the default would round the operands to TF32.
        total = tl.dot(x, weight, total, input_precision="ieee")
        x_at += BLOCK_K * stride_xk
        weight_at += BLOCK_K * stride_wk

    bias = tl.load(bias_ptr + cols, mask=cols < n, other=0.0).to(tl.float32)
    total += bias[None, :]
    # Not tl.maximum: a NaN must stay a NaN, as in torch.relu.
    total = tl.where(total < 0.0, 0.0, total)
    out_at = out_ptr + rows[:, None].to(tl.int64) * stride_om + cols[None, :] * stride_on
    tl.store(out_at, total.to(out_ptr.dtype.element_ty), mask=(rows[:, None] < m) & (cols[None, :] < n))


class ModelNew(torch.nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(in_features, out_features) / in_features**0.5)
        self.bias = torch.nn.Parameter(torch.randn(out_features))

    def forward(self, x):
        m, k = x.shape
        n = self.weight.shape[1]
        out = torch.empty((m, n), dtype=x.dtype, device=x.device)

        def grid(meta):
            return (triton.cdiv(m, meta["BLOCK_M"]) * triton.cdiv(n, meta["BLOCK_N"]),)

        gemm_bias_relu_kernel[grid](
            x, self.weight, self.bias, out,
            m, n, k,
            x.stride(0), x.stride(1), self.weight.stride(0), self.weight.stride(1), out.stride(0), out.stride(1),
        )  # fmt: skip
        return out
