import tilelang
import tilelang.cpu.language as T
import torch


@tilelang.jit
def gemm_bias_relu(x, weight, bias, BM: int = 64, BN: int = 64, BK: int = 64):
    M, N, K = T.const("M, N, K")
    x: T.Tensor((M, K), T.float32)
    weight: T.Tensor((K, N), T.float32)
    bias: T.Tensor((N,), T.float32)
    out = T.empty((M, N), T.float32)

    with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM)) as (bx, by):
        xs = T.alloc_local((BM, BK), T.float32)
        ws = T.alloc_local((BK, BN), T.float32)
        acc = T.alloc_local((BM, BN), T.float32)
        for i in T.serial(BM):
            for j in T.serial(BN):
                acc[i, j] = T.float32(0)
        for step in T.serial(T.ceildiv(K, BK)):
            for i in T.serial(BM):
                for k in T.serial(BK):
                    xs[i, k] = x[by * BM + i, step * BK + k]
            for k in T.serial(BK):
                for j in T.serial(BN):
                    ws[k, j] = weight[step * BK + k, bx * BN + j]
            for i in T.serial(BM):
                for k in T.serial(BK):
                    for j in T.serial(BN):
                        acc[i, j] += xs[i, k] * ws[k, j]
        for i in T.serial(BM):
            for j in T.serial(BN):
                v = acc[i, j] + bias[bx * BN + j]
                out[by * BM + i, bx * BN + j] = T.if_then_else(v < 0, T.float32(0), v)
    return out


class ModelNew(torch.nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(in_features, out_features))
        self.bias = torch.nn.Parameter(torch.empty(out_features))

    def forward(self, x):
        return gemm_bias_relu(x, self.weight, self.bias)


def reference(inputs, parameters):
    return torch.relu(inputs[0] @ parameters["weight"] + parameters["bias"])
