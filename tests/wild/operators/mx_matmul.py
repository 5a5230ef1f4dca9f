"""A product of eight-bit numbers with a power of two for each thirty-two along K, as bytes."""

import torch


def wide(bytes, scales):
    return bytes.view(torch.float8_e4m3fn).float() * torch.exp2(scales.float() - 127).repeat_interleave(32, 1)


class Model(torch.nn.Module):
    def forward(self, a, scale_a, b, scale_b):
        return wide(a, scale_a) @ wide(b.t().contiguous(), scale_b).t()


def get_inputs():
    def numbers(*shape):
        return (torch.randint(0, 120, shape) + 128 * torch.randint(0, 2, shape)).to(torch.uint8)

    def scales(*shape):
        return torch.randint(122, 132, shape).to(torch.uint8)

    return [numbers(40, 128), scales(40, 4), numbers(128, 48), scales(48, 4)]


def get_init_inputs():
    return []
