"""operator: add_rms_norm
dsl: triton
does: adds a residual and normalises in bfloat16, with a casting mode that is a constant, several rows a program for short rows
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
dtype: bfloat16
"""

import torch
import triton
import triton.language as tl

try:
    from triton.language.extra.libdevice import rsqrt
except ModuleNotFoundError:
    from triton.language.extra.cuda.libdevice import rsqrt

_CASTING_MODE_NONE: tl.constexpr = tl.constexpr(-1)
_CASTING_MODE_LLAMA: tl.constexpr = tl.constexpr(0)
_CASTING_MODE_GEMMA: tl.constexpr = tl.constexpr(1)
_str_to_casting_mode = {"llama": _CASTING_MODE_LLAMA.value, "gemma": _CASTING_MODE_GEMMA.value, "none": -1}
torch_to_triton_dtype = {torch.float32: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}


@triton.jit
def _fused_add_rms_norm_kernel(
    Y_ptr,
    Y_row_stride,
    S_ptr,
    S_row_stride,
    X_ptr,
    X_row_stride,
    R_ptr,
    R_row_stride,
    W_ptr,
    RSTD_ptr,
    RSTD_row_stride,
    n_rows,
    n_cols,
    eps,
    offset,
    casting_mode: tl.constexpr,
    DTYPE: tl.constexpr,
    BLOCK_ROW: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
):
    row_idx = tl.program_id(0) * BLOCK_ROW + tl.arange(0, BLOCK_ROW)
    col_offsets = tl.arange(0, BLOCK_SIZE)
    row_mask = row_idx < n_rows
    mask = row_mask[:, None] & (col_offsets < n_cols)[None, :]
    X_row = tl.load(X_ptr + row_idx[:, None] * X_row_stride + col_offsets[None, :], mask=mask, other=0)
    R_row = tl.load(R_ptr + row_idx[:, None] * R_row_stride + col_offsets[None, :], mask=mask, other=0)
    S_row = X_row + R_row
    S_row_dtype = S_row.dtype
    tl.store(S_ptr + row_idx[:, None] * S_row_stride + col_offsets[None, :], S_row, mask=mask)
    W_row = tl.load(W_ptr + col_offsets, mask=col_offsets < n_cols, other=0)
    if casting_mode == _CASTING_MODE_LLAMA:
        S_row = S_row.to(tl.float32)
    if casting_mode == _CASTING_MODE_GEMMA:
        W_row = W_row.to(tl.float32)
        S_row = S_row.to(tl.float32)
    if casting_mode == _CASTING_MODE_NONE:
        eps = eps.to(S_row_dtype)
        offset = offset.to(S_row_dtype)
    mean_square = tl.sum(S_row * S_row, axis=1) / n_cols
    rstd = rsqrt(mean_square + eps)
    tl.store(RSTD_ptr + row_idx * RSTD_row_stride, rstd, row_mask)
    S_row = S_row * rstd[:, None]
    if casting_mode == _CASTING_MODE_LLAMA:
        S_row = S_row.to(DTYPE)
    Y_row = S_row * (offset + W_row)[None, :]
    if casting_mode == _CASTING_MODE_GEMMA:
        Y_row = Y_row.to(DTYPE)
    tl.store(Y_ptr + row_idx[:, None] * Y_row_stride + col_offsets[None, :], Y_row, mask=mask)


def rms_norm_forward(X, R, W, eps, offset, casting_mode):
    if not isinstance(casting_mode, int):
        assert casting_mode in _str_to_casting_mode, f"Invalid casting mode: {casting_mode}"
        casting_mode = _str_to_casting_mode[casting_mode]
    shape = X.shape
    dim = shape[-1]
    X = X.view(-1, dim)
    R = R.view(-1, dim)
    n_rows, n_cols = X.shape
    BLOCK_SIZE = triton.next_power_of_2(n_cols)
    Y = torch.empty((n_rows, n_cols), dtype=X.dtype, device=X.device)
    S = torch.empty((n_rows, n_cols), dtype=X.dtype, device=X.device)
    rstd_dtype = torch.float32 if casting_mode in (_CASTING_MODE_LLAMA.value, _CASTING_MODE_GEMMA.value) else X.dtype
    RSTD = torch.empty(n_rows, dtype=rstd_dtype, device=X.device)
    assert X.shape[1] == W.shape[0], "Incompatible hidden size dimension between tensor1.shape[1] and tensor2.shape[0]"
    BLOCK_ROW = 8
    _fused_add_rms_norm_kernel[(triton.cdiv(n_rows, BLOCK_ROW),)](
        Y,
        Y.stride(0),
        S,
        S.stride(0),
        X,
        X.stride(0),
        R,
        R.stride(0),
        W,
        RSTD,
        RSTD.stride(0),
        n_rows,
        n_cols,
        eps,
        offset,
        casting_mode,
        DTYPE=torch_to_triton_dtype[X.dtype],
        BLOCK_ROW=BLOCK_ROW,
        BLOCK_SIZE=BLOCK_SIZE,
        num_warps=4,
    )
    return Y.view(*shape), S.view(*shape)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x, residual):
        return rms_norm_forward(x.contiguous(), residual.contiguous(), self.weight, 1e-5, 0.0, "llama")
