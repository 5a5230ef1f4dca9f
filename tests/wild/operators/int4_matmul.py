"""A product with a matrix of four-bit numbers: eight in a word along K, a scale and a zero for each group of 32."""

import torch


class Model(torch.nn.Module):
    def forward(self, x, packed, scales, zeros):
        shifts = torch.arange(0, 32, 4, device=x.device)
        values = (packed[:, None, :] >> shifts[None, :, None]) & 15
        values = values.reshape(-1, packed.shape[1])
        group = torch.arange(values.shape[0], device=x.device) // 32
        weight = (values.to(x.dtype) - zeros[group].to(x.dtype)) * scales[group]
        return x @ weight


def get_inputs():
    k, n = 128, 40
    packed = torch.randint(-(2**31), 2**31, (k // 8, n), dtype=torch.int64).int()
    return [torch.randn(9, k), packed, torch.rand(k // 32, n) + 0.5, torch.randint(0, 16, (k // 32, n))]


def get_init_inputs():
    return []
