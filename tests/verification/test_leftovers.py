"""What a kernel finds in registers and shared memory: values of ours, so that a kernel that reads them shows."""

from pathlib import Path

import pytest
import torch

from akgflow.toolchains.common import nvidia
from akgflow.verification.candidate import leftovers, stream_order


@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_120"])
def test_the_words_stay_in_registers_of_their_own(tmp_path: Path, arch: str) -> None:
    compiler = nvidia.nvcc()
    if compiler is None:
        pytest.skip(nvidia.NO_NVCC)
    ptx = tmp_path / "fill.ptx"
    ptx.write_text(leftovers.assembly())
    (usage,) = nvidia.assemble(nvidia.ptxas_beside(compiler), ptx, arch)
    assert usage.kernel == "fill"
    assert leftovers.REGISTERS < usage.registers <= 255
    assert usage.spill == 0


@pytest.mark.parametrize("staged", [True, False])
def test_they_are_filled_directly_before_the_call(staged: bool) -> None:
    done: list[str] = []
    inputs = torch.arange(4.0).view(torch.uint8)

    def noted(name: str):
        return lambda *_: done.append(name)

    names = stream_order.Queue._fields
    queue = stream_order.Queue(**{name: noted(name) for name in names})
    stream_order.bind(queue).begin(inputs if staged else None)
    assert done[-2:] == (["copy", "fill"] if staged else ["hold", "fill"])


def test_without_a_gpu_nothing_is_filled() -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    leftovers.filler()()


@pytest.mark.gpu
def test_a_kernel_finds_what_was_filled() -> None:
    """A kernel that writes nothing to shared memory reads large numbers there, of either sign in turns."""
    cuda_source = r"""
    #include <torch/extension.h>
    #include <ATen/cuda/CUDAContext.h>
    __global__ void look(int* out) {
      __shared__ int found[256];
      out[blockIdx.x * 256 + threadIdx.x] = reinterpret_cast<volatile int*>(found)[threadIdx.x];
    }
    torch::Tensor looked() {
      auto out = torch::empty({64, 256}, torch::dtype(torch::kInt32).device(torch::kCUDA));
      look<<<64, 256, 0, at::cuda::getCurrentCUDAStream()>>>(out.data_ptr<int>());
      return out;
    }
    """
    from torch.utils.cpp_extension import load_inline

    built = load_inline("leftovers_seen", "torch::Tensor looked();", cuda_source, functions=["looked"])
    fill = leftovers.filler()
    for byte in leftovers.BYTES * 2:
        fill()
        found = built.looked().cpu().view(torch.uint8)
        assert (found == byte).float().mean() > 0.9
