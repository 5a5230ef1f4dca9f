import tilelang
import tilelang.language as T
import torch


@tilelang.jit
def gemm_exact(x, weight, bias, BM: int = 128, BN: int = 128, BK: int = 16, stages: int = 3):
    # T.gemm would round float32 operands to TF32: these are fused multiply-adds.
    M, N, K = T.const("M, N, K")
    x: T.Tensor((M, K), T.float32)
    weight: T.Tensor((K, N), T.float32)
    bias: T.Tensor((N,), T.float32)
    out = T.empty((M, N), T.float32)

    with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM), threads=256) as (bx, by):
        xs = T.alloc_shared((BM, BK), T.float32)
        ws = T.alloc_shared((BK, BN), T.float32)
        acc = T.alloc_fragment((BM, BN), T.float32)
        T.clear(acc)
        for step in T.Pipelined(T.ceildiv(K, BK), num_stages=stages):
            T.copy(x[by * BM, step * BK], xs)
            T.copy(weight[step * BK, bx * BN], ws)
            for k in T.serial(BK):
                for i, j in T.Parallel(BM, BN):
                    acc[i, j] += xs[i, k] * ws[k, j]
        for i, j in T.Parallel(BM, BN):
            acc[i, j] += bias[bx * BN + j]
            acc[i, j] = T.if_then_else(acc[i, j] < 0, T.float32(0), acc[i, j])
        T.copy(acc, out[by * BM, bx * BN])
    return out


@tilelang.jit
def gemm_tensor_cores(x, weight, bias, dtype: str, BM: int = 128, BN: int = 128, BK: int = 64, stages: int = 3):
    M, N, K = T.const("M, N, K")
    x: T.Tensor((M, K), dtype)
    weight: T.Tensor((K, N), dtype)
    bias: T.Tensor((N,), dtype)
    out = T.empty((M, N), dtype)

    with T.Kernel(T.ceildiv(N, BN), T.ceildiv(M, BM), threads=256) as (bx, by):
        xs = T.alloc_shared((BM, BK), dtype)
        ws = T.alloc_shared((BK, BN), dtype)
        acc = T.alloc_fragment((BM, BN), T.float32)
        T.clear(acc)
        for step in T.Pipelined(T.ceildiv(K, BK), num_stages=stages):
            T.copy(x[by * BM, step * BK], xs)
            T.copy(weight[step * BK, bx * BN], ws)
            T.gemm(xs, ws, acc)
        for i, j in T.Parallel(BM, BN):
            acc[i, j] += T.cast(bias[bx * BN + j], T.float32)
            acc[i, j] = T.if_then_else(acc[i, j] < 0, T.float32(0), acc[i, j])
        T.copy(acc, out[by * BM, bx * BN])
    return out


class ModelNew(torch.nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(in_features, out_features))
        self.bias = torch.nn.Parameter(torch.empty(out_features))

    def forward(self, x):
        small = x.shape[0] <= 64
        if x.dtype == torch.float32:
            return gemm_exact(x, self.weight, self.bias, BM=32 if small else 128)
        return gemm_tensor_cores(x, self.weight, self.bias, str(x.dtype)[6:], BM=64 if small else 128)


def reference(inputs, parameters):
    return torch.relu(inputs[0] @ parameters["weight"] + parameters["bias"])
