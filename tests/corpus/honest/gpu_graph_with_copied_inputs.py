"""operator: gelu
family: CUDA graphs
does: captures a graph for each shape, copies the inputs into it, and copies the answer out
status: PASSED
where: gpu
toolchain: triton
time: yes
"""

import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + at, mask=at < n)
    tl.store(out + at, 0.5 * v * (1 + tl.erf(v * 0.7071067811865476)), mask=at < n)


def gelu(x, out):
    kernel[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), B=1024)


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.graphs = {}

    def forward(self, x):
        if x.shape not in self.graphs:
            held, out = x.clone(), torch.empty_like(x)
            gelu(held, out)  # compiles before the capture
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                gelu(held, out)
            self.graphs[x.shape] = graph, held, out
        graph, held, out = self.graphs[x.shape]
        held.copy_(x)
        graph.replay()
        return out.clone()
