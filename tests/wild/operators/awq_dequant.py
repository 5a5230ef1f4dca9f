"""4-bit weights in AWQ's order of nibbles, with zeros and scales of groups, as halves."""

import torch

ORDER = (0, 4, 1, 5, 2, 6, 3, 7)


class Model(torch.nn.Module):
    def forward(self, qweight: torch.Tensor, scales: torch.Tensor, qzeros: torch.Tensor):
        shifts = torch.tensor(ORDER, device=qweight.device, dtype=torch.int32) * 4
        w = ((qweight[..., None] >> shifts) & 15).flatten(1)
        z = ((qzeros[..., None] >> shifts) & 15).flatten(1)
        group = qweight.shape[0] // scales.shape[0]
        z, s = (x.repeat_interleave(group, 0) for x in (z, scales))
        return (w - z).to(scales.dtype) * s


def get_inputs():
    high = 2**31
    return (
        torch.randint(-high, high - 1, (64, 6), dtype=torch.int32),
        torch.rand(2, 48, dtype=torch.float16),
        torch.randint(-high, high - 1, (2, 6), dtype=torch.int32),
    )


def get_init_inputs():
    return []
