"""Instructions of tensor cores in what was compiled: by nvcc for a chip that is not here, by words for the others."""

import subprocess
from pathlib import Path

import pytest

from akgflow.toolchains.common import nvidia
from akgflow.toolchains.common.matrix_units import in_sass, of_amdgcn

SOURCE = r"""
#include <mma.h>
using namespace nvcuda;

template <class T, class P, int K> __device__ void tile(const T* a, const T* b, float* c) {
  wmma::fragment<wmma::matrix_a, 16, 16, K, P, wmma::row_major> x;
  wmma::fragment<wmma::matrix_b, 16, 16, K, P, wmma::row_major> y;
  wmma::fragment<wmma::accumulator, 16, 16, K, float> sum;
  wmma::fill_fragment(sum, 0.f);
  wmma::load_matrix_sync(x, a, K);
  wmma::load_matrix_sync(y, b, 16);
  wmma::mma_sync(sum, x, y, sum);
  wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
}

extern "C" __global__ void in_tf32(const float* a, const float* b, float* c) {
  tile<float, wmma::precision::tf32, 8>(a, b, c);
}
extern "C" __global__ void in_half(const half* a, const half* b, float* c) { tile<half, half, 16>(a, b, c); }
extern "C" __global__ void in_bfloat16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c) {
  tile<__nv_bfloat16, __nv_bfloat16, 16>(a, b, c);
}
extern "C" __global__ void without(float* c) { c[threadIdx.x] *= 2; }
extern "C" __global__ void by_groups(float* c) {
  unsigned long long a = threadIdx.x * 77ull, b = a * 3;
  float r[4] = {};
#if __CUDA_ARCH__ >= 900
  asm volatile(
      "wgmma.fence.sync.aligned;\n"
      "wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%0,%1,%2,%3}, %4, %5, 1, 1, 1;\n"
      "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e5m2 {%0,%1,%2,%3}, %4, %5, 1, 1, 1;\n"
      "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;"
      : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]) : "l"(a), "l"(b));
#endif
  c[threadIdx.x] = r[0] + r[1] + r[2] + r[3];
}
// wgmma in a comment, and where it is never reached.
extern "C" __global__ void in_words_only(float* c) { c[0] = 1; }
"""
FOUND = {
    "in_tf32": ("mma tf32",),
    "in_half": ("mma fp16",),
    "in_bfloat16": ("mma bf16",),
    "without": (),
    "by_groups": ("wgmma fp8", "wgmma tf32"),
    "in_words_only": (),
}


def test_they_are_read_from_what_nvcc_made_for_another_chip(tmp_path: Path) -> None:
    compiler = nvidia.nvcc()
    if compiler is None or (why := nvidia.no_nvcc("sm_90a")):
        pytest.skip(why if compiler else nvidia.NO_NVCC)
    source, ptx, library = tmp_path / "kernels.cu", tmp_path / "kernels.ptx", tmp_path / "kernels.so"
    source.write_text(SOURCE)
    code = ["-gencode", "arch=compute_90a,code=sm_90a", "-gencode", "arch=compute_80,code=sm_80"]
    subprocess.run([compiler, "-gencode", "arch=compute_90a,code=compute_90a", "-ptx", source, "-o", ptx], check=True)
    usages = nvidia.assemble(nvidia.ptxas_beside(compiler), ptx, "sm_90a")
    assert {usage.kernel: usage.tensor_cores for usage in usages} == FOUND
    # A library holds the same kernels for several chips.
    command = [compiler, "-shared", "-cudart", "none", "-Xcompiler", "-fPIC", *code, source, "-o", library]
    subprocess.run(command, check=True)
    found = {(usage.arch.rstrip("a"), usage.kernel): usage.tensor_cores for usage in nvidia.usage_of_library(library)}
    assert found == {("sm_90", kernel): words for kernel, words in FOUND.items()} | {
        ("sm_80", kernel): words for kernel, words in (FOUND | {"by_groups": ()}).items()
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/*00a0*/  UTCHMMA gdesc[UR4], gdesc[UR6], tmem[UR8], idesc[UR9], UPT ;", "tcgen05 fp16"),
        ("/*00a0*/  UTCQMMA.2CTA gdesc[UR4], gdesc[UR6], tmem[UR8] ;", "tcgen05 fp8"),
        ("/*00a0*/  IMMA.16832.S8.S8 R8, R4.ROW, R9.COL, RZ ;", "mma int8"),
        ("/*00a0*/  DMMA.8x8x4 R4, R4, R6, RZ ;", "mma fp64"),
    ],
)
def test_the_words_of_a_chip(line: str, words: str) -> None:
    assert in_sass(f"\tFunction : kernel\n{line}\n") == {"kernel": (words,)}


def test_amd_names_them_in_its_assembly() -> None:
    text = "v_mfma_f32_16x16x16_f16 a\n v_mfma_f32_32x32x8_bf16_1k b\n v_mfma_f32_32x32x2f32 c\n v_add_f32 d\n"
    assert of_amdgcn(text) == ("mfma bf16", "mfma fp16", "mfma fp32")
    assert of_amdgcn("v_mfma_f32_16x16x32_fp8_fp8 a\nv_smfmac_i32_16x16x64_i8 b") == ("mfma fp8", "mfma int8")
