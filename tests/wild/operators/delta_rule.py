"""The gated delta rule: what a key reads is taken out of the state before its value is written, in halves of float."""

from typing import Optional

import torch


class Model(torch.nn.Module):
    scale: Optional[float] = None

    def forward(self, q, k, v, beta, g, *, use_qk_l2norm: bool = True):
        if use_qk_l2norm:
            q = q * torch.rsqrt(q.pow(2).sum(-1, keepdim=True) + 1e-6)
            k = k * torch.rsqrt(k.pow(2).sum(-1, keepdim=True) + 1e-6)
        scale = self.scale or k.shape[-1] ** -0.5
        b, t, h, d = q.shape
        s = v.new_zeros(b, h, d, v.shape[-1])
        o = torch.zeros_like(v)
        for i in range(t):
            s = s * g[:, i, :, None, None].exp()
            old = (s * k[:, i, :, :, None]).sum(-2)
            s = s + k[:, i, :, :, None] * ((v[:, i] - old) * beta[:, i, :, None])[..., None, :]
            o[:, i] = (s * (q[:, i, :, :, None] * scale)).sum(-2)
        return o, s


def get_inputs():
    b, t, h, d, dv = 2, 19, 2, 16, 24
    return {
        "q": torch.randn(b, t, h, d),
        "k": torch.randn(b, t, h, d),
        "v": torch.randn(b, t, h, dv),
        "beta": torch.rand(b, t, h),
        "g": -torch.rand(b, t, h),
        "use_qk_l2norm": True,
    }


def get_init_inputs():
    return []
