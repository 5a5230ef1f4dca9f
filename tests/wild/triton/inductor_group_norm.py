"""operator: group_norm_silu
dsl: triton
does: what torch.compile writes: Welford's reduction in a loop, then one pointwise kernel, with its helpers
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl
from torch._inductor.runtime import triton_helpers
from torch._inductor.runtime.triton_helpers import libdevice, math as tl_math

empty_strided_cuda = torch._C._dynamo.guards._empty_strided_cuda
assert_size_stride = torch._C._dynamo.guards.assert_size_stride
reinterpret_tensor = torch._C._dynamo.guards._reinterpret_tensor


@triton.jit
def triton_red_fused_native_group_norm_0(
    in_ptr0, out_ptr0, out_ptr1, xnumel, r0_numel, XBLOCK: tl.constexpr, R0_BLOCK: tl.constexpr
):
    rnumel = r0_numel
    RBLOCK: tl.constexpr = R0_BLOCK
    xoffset = tl.program_id(0) * XBLOCK
    xindex = xoffset + tl.arange(0, XBLOCK)[:, None]
    xmask = xindex < xnumel
    r0_base = tl.arange(0, R0_BLOCK)[None, :]
    rbase = r0_base
    x0 = xindex
    tmp2_mean = tl.zeros([XBLOCK, R0_BLOCK], tl.float32)
    tmp2_m2 = tl.zeros([XBLOCK, R0_BLOCK], tl.float32)
    tmp2_weight = tl.zeros([XBLOCK, R0_BLOCK], tl.float32)
    for r0_offset in range(0, r0_numel, R0_BLOCK):
        r0_index = r0_offset + r0_base
        r0_mask = r0_index < r0_numel
        roffset = r0_offset
        rindex = r0_index
        r0_1 = r0_index
        tmp0 = tl.load(in_ptr0 + (r0_1 + r0_numel * x0), r0_mask & xmask, eviction_policy="evict_first", other=0.0)
        tmp1 = tl.broadcast_to(tmp0, [XBLOCK, R0_BLOCK])
        tmp2_mean_next, tmp2_m2_next, tmp2_weight_next = triton_helpers.welford_reduce(
            tmp1, tmp2_mean, tmp2_m2, tmp2_weight, roffset == 0
        )
        tmp2_mean = tl.where(r0_mask & xmask, tmp2_mean_next, tmp2_mean)
        tmp2_m2 = tl.where(r0_mask & xmask, tmp2_m2_next, tmp2_m2)
        tmp2_weight = tl.where(r0_mask & xmask, tmp2_weight_next, tmp2_weight)
    tmp5, tmp6, tmp7 = triton_helpers.welford(tmp2_mean, tmp2_m2, tmp2_weight, 1)
    tmp2 = tmp5[:, None]
    tmp3 = tmp6[:, None]
    tmp4 = tmp7[:, None]
    tl.store(out_ptr0 + (x0), tmp2, xmask)
    tl.store(out_ptr1 + (x0), tmp3, xmask)


@triton.jit
def triton_poi_fused_native_group_norm_silu_1(
    in_out_ptr0, in_ptr0, in_ptr1, in_ptr2, in_ptr3, in_ptr4, ks0, ks1, ks2, xnumel, XBLOCK: tl.constexpr
):
    xoffset = tl.program_id(0) * XBLOCK
    xindex = xoffset + tl.arange(0, XBLOCK)[:]
    xmask = xindex < xnumel
    x3 = xindex
    x4 = xindex // ks0
    x1 = (xindex // ks0) % ks1
    tmp0 = tl.load(in_ptr0 + (x3), xmask)
    tmp1 = tl.load(in_ptr1 + (x4 // ks2), xmask, eviction_policy="evict_last")
    tmp3 = tl.load(in_ptr2 + (x4 // ks2), xmask, eviction_policy="evict_last")
    tmp10 = tl.load(in_ptr3 + (x1), xmask, eviction_policy="evict_last")
    tmp12 = tl.load(in_ptr4 + (x1), xmask, eviction_policy="evict_last")
    tmp2 = tmp0 - tmp1
    tmp4 = ks0 * ks2
    tmp5 = tmp4.to(tl.float32)
    tmp6 = tmp3 / tmp5
    tmp7 = 1e-05
    tmp8 = tmp6 + tmp7
    tmp9 = libdevice.rsqrt(tmp8)
    tmp11 = tmp2 * tmp9
    tmp13 = tmp11 * tmp10
    tmp14 = tmp13 + tmp12
    tmp15 = tl.sigmoid(tmp14)
    tmp16 = tmp14 * tmp15
    tl.store(in_out_ptr0 + (x3), tmp16, xmask)


def call(args):
    primals_1, primals_2, primals_3 = args
    args.clear()
    s0, s1, s2, s3 = primals_1.size()
    assert_size_stride(primals_1, (s0, s1, s2, s3), (s1 * s2 * s3, s2 * s3, s3, 1))
    with torch.cuda._DeviceGuard(0):
        torch.cuda.set_device(0)
        buf0 = empty_strided_cuda((s0, 3, 1, 1), (3, 1, 3 * s0, 3 * s0), torch.float32)
        buf1 = empty_strided_cuda((s0, 3, 1, 1), (3, 1, 3 * s0, 3 * s0), torch.float32)
        triton_red_fused_native_group_norm_0[(triton.cdiv(s0 * 3, 8),)](
            primals_1, buf0, buf1, s0 * 3, s1 // 3 * s2 * s3, XBLOCK=8, R0_BLOCK=64
        )
        buf3 = empty_strided_cuda((s0, s1, s2, s3), (s1 * s2 * s3, s2 * s3, s3, 1), torch.float32)
        buf4 = buf3
        del buf3
        triton_poi_fused_native_group_norm_silu_1[(triton.cdiv(s0 * s1 * s2 * s3, 256),)](
            buf4, primals_1, buf0, buf1, primals_2, primals_3, s2 * s3, s1, s1 // 3, s0 * s1 * s2 * s3, XBLOCK=256
        )
        del primals_2
        del primals_3
    return (buf4,)


class ModelNew(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels))
        self.bias = torch.nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return call([x.contiguous(), self.weight, self.bias])[0]
