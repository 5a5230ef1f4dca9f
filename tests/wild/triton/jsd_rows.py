"""operator: jsd
dsl: triton
does: each row's program sums its own losses, and the framework adds up one number a row
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

from typing import Optional

import torch
import triton
import triton.language as tl

MAX_FUSED_SIZE = 65536 // 2


@triton.jit
def _jsd_kernel(
    X_ptr, X_stride, Y_ptr, Y_stride, loss_ptr, dX_ptr, dX_stride, label_ptr,
    beta: tl.constexpr, n_non_ignore: int, ignore_index: tl.constexpr, n_cols,
    BLOCK_SIZE: tl.constexpr, HAS_LABEL: tl.constexpr,
):  # fmt: skip
    pid = tl.program_id(0).to(tl.int64)
    X_ptr += pid * X_stride
    dX_ptr += pid * dX_stride
    Y_ptr += pid * Y_stride
    if HAS_LABEL:
        label_ptr += pid
        label = tl.load(label_ptr)
        if label == ignore_index:
            for i in range(0, n_cols, BLOCK_SIZE):
                offsets = i + tl.arange(0, BLOCK_SIZE)
                tl.store(dX_ptr + offsets, 0.0, mask=offsets < n_cols)
            return
    total = 0.0
    for i in range(0, n_cols, BLOCK_SIZE):
        offsets = i + tl.arange(0, BLOCK_SIZE)
        mask = offsets < n_cols
        X = tl.load(X_ptr + offsets, mask=mask, other=float("-inf")).to(tl.float32)
        Y = tl.load(Y_ptr + offsets, mask=mask, other=float("-inf")).to(tl.float32)
        if beta == 0.0:
            Y_max = tl.max(Y, axis=0)
            Y_shifted = Y - Y_max
            Y_prob = tl.exp(Y_shifted) * tl.exp(Y_max)
            loss = Y_prob * (Y - X)
            dX = -Y_prob
        else:
            max_val = tl.maximum(tl.max(X, axis=0), tl.max(Y, axis=0))
            exp_max = tl.exp(max_val)
            Q = tl.exp(X - max_val) * exp_max
            P = tl.exp(Y - max_val) * exp_max
            beta_P = beta * P
            one_minus_beta_Q = (1 - beta) * Q
            M = beta_P + one_minus_beta_Q
            log_M = tl.log(M)
            loss = beta_P * Y + one_minus_beta_Q * X - M * log_M
            dX = one_minus_beta_Q * (X - log_M)
        scale = 1.0 / n_non_ignore
        loss = tl.where(mask, loss * scale, 0.0)
        dX = dX * scale
        total += tl.sum(loss)
        tl.store(dX_ptr + offsets, dX, mask=mask)
    tl.store(loss_ptr + pid, total)


def jsd_forward(_input, target, shift_labels, beta, ignore_index, has_label):
    BT, V = _input.shape
    n_rows = BT
    BLOCK_SIZE = min(MAX_FUSED_SIZE, triton.next_power_of_2(V))
    loss = torch.zeros(_input.shape[0], dtype=torch.float32, device=_input.device)
    dX = torch.empty_like(_input)
    if has_label:
        n_non_ignore = (shift_labels != ignore_index).sum().item()
    else:
        n_non_ignore = BT
    if n_non_ignore == 0:
        return torch.sum(loss), torch.zeros_like(_input)
    _jsd_kernel[(n_rows,)](
        X_ptr=_input,
        X_stride=_input.stride(-2),
        Y_ptr=target,
        Y_stride=target.stride(-2),
        loss_ptr=loss,
        dX_ptr=dX,
        dX_stride=dX.stride(-2),
        label_ptr=shift_labels if has_label else torch.empty(1, device=_input.device),
        beta=beta,
        n_non_ignore=n_non_ignore,
        ignore_index=ignore_index,
        n_cols=V,
        BLOCK_SIZE=BLOCK_SIZE,
        HAS_LABEL=has_label,
    )
    return torch.sum(loss).to(_input.dtype), dX


class LigerJSDFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, _input: torch.Tensor, target: torch.Tensor, shift_labels: Optional[torch.Tensor] = None,
        beta: float = 0.5, ignore_index: int = -100,
    ):  # fmt: skip
        has_label = False
        if shift_labels is not None:
            assert shift_labels.shape == (_input.shape[0],)
            shift_labels = shift_labels.contiguous()
            has_label = True
        loss, dX = jsd_forward(_input, target, shift_labels, beta, ignore_index, has_label)
        ctx.save_for_backward(dX)
        return loss, dX


class ModelNew(torch.nn.Module):
    def __init__(self, beta: float = 0.5, ignore_index: int = -100):
        super().__init__()
        self.beta = beta
        self.ignore_index = ignore_index

    def forward(self, log_q, log_p, label):
        return LigerJSDFunction.apply(log_q.contiguous(), log_p.contiguous(), label, self.beta, self.ignore_index)
