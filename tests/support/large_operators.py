"""Operators whose inputs are large, or stand for such: their texts, kernels for them, and sound answers."""

import textwrap

import torch

from akgflow.verification.reference.sliced import SlicedReference

GIB = 1 << 30


def operator(result: str, inputs: str, *, members: str = "", names: str = "x", sizes: str = "") -> str:
    """An operator in KernelBench form."""
    return textwrap.dedent(f"""
        import torch
        {sizes}
        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                {members or "pass"}

            def forward(self, {names}):
                return {result}

        def get_inputs():
            return [{inputs}]

        def get_init_inputs():
            return []
    """)


SOFTMAX = operator("torch.softmax(x * self.scale, -1)", "torch.randn(600, 500)",
                   members="self.scale = torch.nn.Parameter(torch.ones(500))")  # fmt: skip

LARGE = operator("torch.relu(x - 0.5)", "torch.rand(512, 1 << 15)")
"""64 MiB of inputs and of outputs."""


def kernel(body: str) -> str:
    """A candidate whose ``forward`` has a body of one line."""
    return f"""
        import torch

        class ModelNew(torch.nn.Module):
            def forward(self, x):
                {body}
    """


def answer(reference: SlicedReference, draw) -> torch.Tensor:
    """A sound answer to the softmax that is not the framework's: float64, rounded once."""
    (x,) = draw.inputs
    return torch.softmax((x * reference.state["scale"]).double(), -1).float()
