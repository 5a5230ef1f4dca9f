"""operator: linear_cross_entropy
dsl: triton
does: walks rows in chunks, turns each chunk's scores into their gradient in place, and adds up the weight's gradient
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl


@triton.jit
def mm_kernel(
    A, B, C, M, N, K, sam, sak, sbk, sbn, ADD: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr
):
    rm = tl.program_id(0) * BM + tl.arange(0, BM)
    rn = tl.program_id(1) * BN + tl.arange(0, BN)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(0, K, BK):
        rk = k + tl.arange(0, BK)
        a = tl.load(A + rm[:, None] * sam + rk[None, :] * sak, mask=(rm[:, None] < M) & (rk[None, :] < K), other=0.0)
        b = tl.load(B + rk[:, None] * sbk + rn[None, :] * sbn, mask=(rk[:, None] < K) & (rn[None, :] < N), other=0.0)
        acc = tl.dot(a, b, acc, input_precision="ieee")
    c_ptrs = C + rm[:, None] * N + rn[None, :]
    c_mask = (rm[:, None] < M) & (rn[None, :] < N)
    if ADD:
        acc += tl.load(c_ptrs, mask=c_mask, other=0.0)
    tl.store(c_ptrs, acc, mask=c_mask)


def mm(a, b, out, add=False):
    M, K = a.shape
    N = b.shape[1]
    grid = lambda META: (triton.cdiv(M, META["BM"]), triton.cdiv(N, META["BN"]))
    mm_kernel[grid](a, b, out, M, N, K, *a.stride(), *b.stride(), ADD=add, BM=16, BN=32, BK=16)


@triton.jit
def liger_cross_entropy_kernel(
    X_ptr,
    X_stride,
    Y_ptr,
    loss_ptr,
    n_cols,
    n_non_ignore,
    ignore_index,
    reduction: tl.constexpr,
    HAS_GRADIENTS: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
):
    program_id = tl.program_id(0).to(tl.int64)
    y = tl.load(Y_ptr + program_id)
    X_ptr += program_id * X_stride
    if y == ignore_index:
        for i in range(0, n_cols, BLOCK_SIZE):
            X_offsets = i + tl.arange(0, BLOCK_SIZE)
            tl.store(X_ptr + X_offsets, 0.0, mask=X_offsets < n_cols)
        return
    loss_ptr += program_id
    m = float("-inf")
    d = 0.0
    ori_X_y = tl.load(X_ptr + y).cast(tl.float32)
    for i in range(0, n_cols, BLOCK_SIZE):
        X_offsets = i + tl.arange(0, BLOCK_SIZE)
        X_block = tl.load(X_ptr + X_offsets, mask=X_offsets < n_cols, other=float("-inf")).cast(tl.float32)
        m_new = tl.maximum(m, tl.max(X_block))
        d = d * tl.exp(m - m_new) + tl.sum(tl.exp(X_block - m_new))
        m = m_new
    lse = m + tl.log(d)
    if HAS_GRADIENTS:
        for i in range(0, n_cols, BLOCK_SIZE):
            X_offsets = i + tl.arange(0, BLOCK_SIZE)
            X_block = tl.load(X_ptr + X_offsets, mask=X_offsets < n_cols, other=float("-inf")).cast(tl.float32)
            X_block = tl.exp(X_block - m) / d
            X_block = tl.where(X_offsets != y, X_block, X_block - 1.0)
            if reduction == "mean":
                X_block = X_block / n_non_ignore
            tl.store(X_ptr + X_offsets, X_block, mask=X_offsets < n_cols)
    tl.debug_barrier()
    loss = lse - ori_X_y
    if reduction == "mean":
        loss = loss / n_non_ignore
    tl.store(loss_ptr, loss)


@triton.jit
def count_kernel(target, count, n, ignore_index, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    t = tl.load(target + cols, mask=cols < n, other=ignore_index)
    tl.store(count, tl.sum((t != ignore_index).to(tl.int32)))


@triton.jit
def sum_kernel(x, out, n, BLOCK: tl.constexpr):
    cols = tl.arange(0, BLOCK)
    tl.store(out, tl.sum(tl.load(x + cols, mask=cols < n, other=0.0)))


class LigerFusedLinearCrossEntropyFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, _input, weight, target, ignore_index=-100):
        BT, H = _input.shape
        V = weight.shape[0]
        inc_factor = triton.cdiv(V, H)
        chunk_size = triton.next_power_of_2(triton.cdiv(BT, inc_factor))
        num_chunks = triton.cdiv(BT, chunk_size)
        grad_input = torch.zeros_like(_input)
        grad_weight = torch.zeros_like(weight)
        loss_1d = torch.zeros(BT, dtype=torch.float32, device=_input.device)
        count = torch.empty((), dtype=torch.int32, device=_input.device)
        count_kernel[(1,)](target, count, BT, ignore_index, BLOCK=triton.next_power_of_2(BT))
        total_n_non_ignore = max(count.item(), 1)
        for chunk_id in range(num_chunks):
            start_idx = chunk_id * chunk_size
            end_idx = min((chunk_id + 1) * chunk_size, BT)
            _input_chunk = _input[start_idx:end_idx]
            n_rows = _input_chunk.shape[0]
            logits_chunk = torch.empty(n_rows, V, device=_input.device, dtype=_input.dtype)
            mm(_input_chunk, weight.t(), logits_chunk)
            loss_1d_slice = loss_1d[start_idx:end_idx]
            target_chunk = target[start_idx:end_idx].contiguous()
            liger_cross_entropy_kernel[(n_rows,)](
                X_ptr=logits_chunk,
                X_stride=logits_chunk.stride(-2),
                Y_ptr=target_chunk,
                loss_ptr=loss_1d_slice,
                n_cols=V,
                n_non_ignore=total_n_non_ignore,
                ignore_index=ignore_index,
                reduction="mean",
                HAS_GRADIENTS=True,
                BLOCK_SIZE=min(32768, triton.next_power_of_2(V)),
                num_warps=32 if V > 32768 else 4,
            )
            mm(logits_chunk, weight, grad_input[start_idx:end_idx])
            mm(logits_chunk.t(), _input_chunk, grad_weight, add=True)
        loss = torch.empty((), dtype=torch.float32, device=_input.device)
        sum_kernel[(1,)](loss_1d, loss, BT, BLOCK=triton.next_power_of_2(BT))
        ctx.save_for_backward(grad_input.detach(), grad_weight.detach())
        return loss, grad_input, grad_weight


class ModelNew(torch.nn.Module):
    def forward(self, x, weight, target):
        return LigerFusedLinearCrossEntropyFunction.apply(x.contiguous(), weight.contiguous(), target)
