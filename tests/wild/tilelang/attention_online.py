"""operator: attention_aligned
dsl: tilelang
does: streams keys through an online softmax, causal from the last key, multiply-adds in float32
cpu: COMPILE_ERROR
nvidia_h200: PASSED
device: PASSED
message: shared memory and fragments
"""

import tilelang
import tilelang.language as T
import torch


@tilelang.jit
def attention(q, k, v, scale: float, BM: int = 16, BN: int = 32):
    B, H, NQ, NK, D = T.const("B, H, NQ, NK, D")
    q: T.Tensor((B, H, NQ, D), T.float32)
    k: T.Tensor((B, H, NK, D), T.float32)
    v: T.Tensor((B, H, NK, D), T.float32)
    o = T.empty((B, H, NQ, D), T.float32)
    with T.Kernel(T.ceildiv(NQ, BM), H, B, threads=128) as (bx, by, bz):
        q_shared = T.alloc_shared((BM, D), T.float32)
        k_shared = T.alloc_shared((BN, D), T.float32)
        v_shared = T.alloc_shared((BN, D), T.float32)
        s_shared = T.alloc_shared((BM, BN), T.float32)
        scores = T.alloc_fragment((BM, BN), T.float32)
        acc = T.alloc_fragment((BM, D), T.float32)
        top = T.alloc_fragment((BM,), T.float32)
        before = T.alloc_fragment((BM,), T.float32)
        part = T.alloc_fragment((BM,), T.float32)
        total = T.alloc_fragment((BM,), T.float32)
        T.copy(q[bz, by, bx * BM, 0], q_shared)
        T.clear(acc)
        T.clear(total)
        T.fill(top, -T.infinity(T.float32))
        for step in T.Pipelined(T.ceildiv(NK, BN), num_stages=1):
            T.copy(k[bz, by, step * BN, 0], k_shared)
            T.copy(v[bz, by, step * BN, 0], v_shared)
            T.clear(scores)
            for c in T.serial(D):
                for i, j in T.Parallel(BM, BN):
                    scores[i, j] += q_shared[i, c] * k_shared[j, c]
            for i, j in T.Parallel(BM, BN):
                seen = T.And(step * BN + j <= bx * BM + i + NK - NQ, step * BN + j < NK)
                scores[i, j] = T.if_then_else(seen, scores[i, j] * scale, -1e30)
            T.copy(top, before)
            T.reduce_max(scores, top, dim=1, clear=False)
            for i, j in T.Parallel(BM, BN):
                scores[i, j] = T.exp(scores[i, j] - top[i])
            T.reduce_sum(scores, part, dim=1)
            for i in T.Parallel(BM):
                total[i] = total[i] * T.exp(before[i] - top[i]) + part[i]
            for i, c in T.Parallel(BM, D):
                acc[i, c] *= T.exp(before[i] - top[i])
            T.copy(scores, s_shared)
            for j in T.serial(BN):
                for i, c in T.Parallel(BM, D):
                    acc[i, c] += s_shared[i, j] * v_shared[j, c]
        for i, c in T.Parallel(BM, D):
            acc[i, c] /= total[i]
        T.copy(acc, o[bz, by, bx * BM, 0])
    return o


class ModelNew(torch.nn.Module):
    def forward(self, q, k, v):
        return attention(q.contiguous(), k.contiguous(), v.contiguous(), q.shape[-1] ** -0.5)
