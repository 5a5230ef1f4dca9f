"""CUDA C++ sessions: threads as fibers on the CPU, resources from nvcc where there is one."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sampling import led

from akgflow.config.types import SourceKernel, Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains import CompileFailure, cuda_c
from akgflow.toolchains.common import nvidia

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SOFTMAX = (HERE / "candidates" / "cuda_softmax.py").read_text(encoding="utf-8")
REVERSE = (HERE / "candidates" / "cuda_reverse.py").read_text(encoding="utf-8")
ROWS = [[[4, 256]]]
BARRIER = "__syncthreads();"
needs_nvcc = pytest.mark.skipif(nvidia.nvcc() is None, reason="no nvcc here")


def gemm_source():
    return SourceKernel(
        dsl="cuda_c",
        file=Path("gemm.cu"),
        source=(REPOSITORY / "tasks" / "kernels" / "gemm.cu").read_text(encoding="utf-8"),
        call="gemm_bias_relu(x, weight, bias, out, x.shape[0], weight.shape[1], x.shape[1])",
        out=("x.shape[0]", "weight.shape[1]"),
    )


def gemm_module():
    reference = "def reference(i, p):\n    return __import__('torch').relu(i[0] @ p['weight'] + p['bias'])\n"
    return cuda_c.source_module(gemm_source()) + "\n\n" + reference


def gemm_case(m, n, k):
    return {"inputs": [[[m, k]]], "parameters": {"weight": [k, n], "bias": [n]}, "init": [k, n]}


@pytest.mark.parametrize("shape", [(250, 130, 77), (1, 257, 512)])
def test_the_tasks_gemm_is_right_on_the_cpu(drive, shape):
    seen = drive("cuda_c", "interpreted", "nvidia_h200", gemm_module(), **gemm_case(*shape))
    assert seen["errors"][0] < 2e-4, seen
    assert seen["kernels"] == ["gemm_bias_relu_kernel"]
    assert seen["home"] == []


@pytest.mark.thorough
def test_softmax_with_shuffles_and_dynamic_shared_memory_is_right_on_the_cpu(drive):
    seen = drive("cuda_c", "interpreted", "cpu", "cuda_softmax.py", [[[37, 1000]], [[1, 5]]])
    assert max(seen["errors"]) < 1e-6
    assert seen["kernels"] == ["softmax_kernel"]


@pytest.mark.thorough
def test_half_types_and_atomics_are_right_on_the_cpu(drive):
    seen = drive("cuda_c", "interpreted", "cpu", "cuda_half.py", [[[300], [300]]], dtype="bfloat16")
    assert seen["errors"][0] == 0.0, seen


@pytest.mark.thorough
@pytest.mark.parametrize(("dtype", "bound"), [("bfloat16", 0.05), ("float16", 0.006)])
def test_pairs_of_small_types_are_right_on_the_cpu(drive, dtype, bound):
    seen = drive("cuda_c", "interpreted", "cpu", "cuda_pairs.py", [[[300], [300]]], dtype=dtype)
    assert seen["errors"][0] < bound, seen


def test_right_synchronisation_is_not(drive):
    assert drive("cuda_c", "interpreted", "cpu", REVERSE, ROWS)["errors"] == [0.0]


@pytest.mark.parametrize(
    ("instead", "words"),
    led(
        1,
        [
            ("", "threads race"),
            (
                "if (threadIdx.x < 100) __syncthreads(); else\n  __syncthreads();",
                "different __syncthreads (lines 11 and 12)",
            ),
            ("if (threadIdx.x) __syncthreads(); else __shfl_sync(3u, 1, 1);", "deadlock: 255 threads"),
        ],
    ),
)
def test_wrong_synchronisation_is_found(drive, instead, words):
    seen = drive("cuda_c", "interpreted", "cpu", REVERSE.replace(BARRIER, instead), ROWS)
    assert seen["error"] == "KernelFault"
    assert words in seen["message"]


@pytest.mark.thorough
def test_an_impossible_block_is_found(drive):
    seen = drive("cuda_c", "interpreted", "cpu", REVERSE.replace("<<<rows, 256>>>", "<<<rows, dim3(64, 32)>>>"), ROWS)
    assert "a block of 64x32x1 threads is not possible" in seen["message"]


def test_what_cannot_be_interpreted_is_named(drive):
    text = REVERSE.replace(BARRIER, 'asm volatile("griddepcontrol.wait;"); __syncthreads();')
    seen = drive("cuda_c", "interpreted", "cpu", text, ROWS)
    line = text[: text.index("asm volatile")].count("\n") + 1
    assert seen["error"] == "Unsupported"
    assert f"inline PTX (line {line})" in seen["message"]


def test_errors_stand_at_the_candidates_lines(drive):
    text = REVERSE.replace("row[255 -", "roww[255 -")
    line = text[: text.index("roww")].count("\n") + 1
    seen = drive("cuda_c", "interpreted", "cpu", text, ROWS)
    assert seen["error"] == "CompileFailure"
    assert seen["message"].startswith(f"candidate.py:{line}:41: error:")


@pytest.mark.thorough
def test_wrong_arguments_are_named(drive):
    seen = drive("cuda_c", "interpreted", "cpu", REVERSE.replace("out, x.shape[0])", "out)"), ROWS)
    assert seen == {**seen, "error": "TypeError", "message": "reverse takes 3 arguments and got 2"}


@needs_nvcc
def test_kernels_are_compiled_with_resources(drive):
    seen = drive("cuda_c", "compiled", "nvidia_h200", gemm_module(), **gemm_case(64, 64, 64))
    (kernel,) = seen["resources"]
    assert kernel["kernel"] == "gemm_bias_relu_kernel"
    assert kernel["arch"] == "sm_90a"
    assert kernel["registers"] > 16
    assert kernel["shared_bytes"] == (2 * 16 * 65 + 2 * 16 * 64) * 4
    assert kernel["spill_bytes"] == 0
    assert kernel["extra"]["threads"] == 256


LIBRARY = """
template <class T> __global__ void reversed(T* x) {
  __shared__ T kept[32];
  kept[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = kept[31 - threadIdx.x];
}
extern "C" void go(float* x) { reversed<float><<<1, 32>>>(x); }
"""


@pytest.mark.thorough
@needs_nvcc
def test_after_a_run_resources_are_read_from_the_library_that_ran(tmp_path, targets):
    archs = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in (80, 90)]
    options = ["-shared", "-Xcompiler", "-fPIC", "-cudart", "none", "-x", "cu", "-"]
    folder = tmp_path / "builds" / "extension"
    folder.mkdir(parents=True)
    command = [str(nvidia.nvcc()), *archs, *options, "-o", str(folder / "extension.so")]
    subprocess.run(command, input=LIBRARY, text=True, check=True)
    (folder / "other.so").write_bytes(b"no library")
    for name, arch in (("nvidia_h200", "sm_90"), ("nvidia_a100", "sm_80")):
        (kernel,) = cuda_c.resources(targets[name], tmp_path)
        assert (kernel.kernel, kernel.arch, kernel.shared_bytes, kernel.spill_bytes) == ("reversed", arch, 128, 0)
    assert cuda_c.resources(targets["nvidia_b200"], tmp_path) == []


@needs_nvcc
def test_nvcc_speaks_for_itself(drive):
    seen = drive("cuda_c", "compiled", "nvidia_h200", REVERSE.replace("row[255 -", "roww[255 -"), ROWS)
    assert seen["error"] == "CompileFailure"
    assert 'identifier "roww" is undefined' in seen["message"]


def softmax_asking_for(more, allowed=""):
    return SOFTMAX.replace("cols * sizeof(float), 0", f"cols * sizeof(float) + {more}, 0").replace(
        "  softmax_kernel<128><<<", f"  {allowed}softmax_kernel<128><<<"
    )


ASKS = "cudaFuncSetAttribute(softmax_kernel<128>, cudaFuncAttributeMaxDynamicSharedMemorySize, 120000);"


@needs_nvcc
@pytest.mark.parametrize(
    ("candidate", "words"),
    led(
        1,
        [
            (REVERSE.replace("row[256]", "row[25600]"), "a block declares at most 49152 bytes of shared memory"),
            (
                softmax_asking_for(110000),
                "unless cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize",
            ),
            (
                softmax_asking_for(110000, ASKS),
                "kernel softmax_kernel needs 111152 bytes of shared memory, nvidia_rtx4090 has 101376 for a block: use "
                "smaller tiles or fewer stages (smem_kib 99 of nvidia_rtx4090 (hardware.yaml, after NVIDIA Ada",
            ),
            (
                REVERSE.replace("<<<rows, 256>>>", "<<<rows, dim3(64, 32)>>>"),
                "a block of 64x32x1 threads is not possible",
            ),
        ],
    ),
)
def test_what_the_target_does_not_have_is_a_compile_failure(drive, candidate, words):
    seen = drive("cuda_c", "compiled", "nvidia_rtx4090", candidate, [[[4, 256]]])
    assert seen["error"] == "CompileFailure", seen
    assert words in seen["message"]


@pytest.mark.thorough
@needs_nvcc
def test_too_many_registers_for_a_block_are_a_compile_failure(drive, targets, monkeypatch):
    few = replace(targets["nvidia_rtx4090"], facts={"regs_per_block": 2048})
    monkeypatch.setitem(targets, "nvidia_rtx4090", few)
    seen = drive("cuda_c", "compiled", "nvidia_rtx4090", REVERSE, ROWS)
    assert "registers for a block of 256 threads" in seen["message"]
    assert "more than 2048: regs_per_block 2048 of nvidia_rtx4090 (hardware.yaml, after NVIDIA Ada" in seen["message"]


@needs_nvcc
def test_shared_memory_of_launches_counts(drive):
    seen = drive("cuda_c", "compiled", "nvidia_h200", softmax_asking_for(110000, ASKS), [[[4, 256]]])
    (kernel,) = seen["resources"]
    assert kernel["shared_bytes"] == 128 + 256 * 4 + 110000


@pytest.mark.thorough
@needs_nvcc
def test_what_is_compiled_and_never_launched_is_no_kernel(drive):
    idle = SOFTMAX.replace("  softmax_kernel<128><<<", "  if (rows < 0) softmax_kernel<128><<<")
    assert drive("cuda_c", "compiled", "nvidia_h200", idle, ROWS)["kernels"] == []


@pytest.mark.thorough
@needs_nvcc
def test_what_cannot_be_interpreted_is_compiled_with_its_launches(drive):
    text = REVERSE.replace(BARRIER, 'asm volatile("griddepcontrol.wait;"); __syncthreads();')
    (kernel,) = drive("cuda_c", "compiled", "nvidia_h200", text, ROWS)["resources"]
    assert kernel["extra"]["threads"] == 256


@pytest.mark.parametrize(
    ("more", "words"),
    led(
        1,
        [
            (110000, "more than a block can have: smem_kib 99 of nvidia_rtx4090 (hardware.yaml, after NVIDIA Ada"),
            (60000, "unless cudaFuncSetAttribute"),
        ],
    ),
)
def test_too_much_shared_memory_is_found_on_the_cpu(drive, more, words):
    seen = drive("cuda_c", "interpreted", "nvidia_rtx4090", softmax_asking_for(more), ROWS)
    assert seen["error"] == "KernelFault"
    assert words in seen["message"]


def test_a_machine_without_nvcc_lacks_one_evidence_and_says_why(monkeypatch):
    monkeypatch.setattr(nvidia, "nvcc", lambda: None)
    target, machine = Target("h", "cuda", "sm_90a"), Machine("a cpu", 2)
    assert "pip install nvidia-cuda-nvcc" in cuda_c.missing(Evidence.COMPILED, target, machine)
    assert cuda_c.missing(Evidence.INTERPRETED, target, machine) is None


@pytest.mark.parametrize(
    ("evidence", "target", "words"),
    [
        (Evidence.COMPILED, Target("m", "hip", "gfx942"), "is a hip target"),
        (Evidence.COMPILED, Target("h", "cuda", "hopper"), "write it as sm_NN"),
        (
            Evidence.COMPILED,
            Target("h", "cuda", "sm_35"),
            "older CUDA toolkit, from before sm_35",
        ),
        (Evidence.COMPILED, Target("h", "cuda", "sm_139"), "install a newer CUDA toolkit"),
        (Evidence.EXECUTED, Target("h", "cuda", "sm_90a"), "this machine has no GPU"),
        (Evidence.LOWERED, Target("h", "cuda", "sm_90a"), "not lowered"),
    ],
)
def test_missing_gives_the_reason(evidence, target, words):
    assert words in cuda_c.missing(evidence, target, Machine("a cpu", 2))


def test_a_bare_file_without_a_call_is_refused():
    with pytest.raises(CompileFailure, match="give its 'call' and 'out'"):
        cuda_c.source_module(SourceKernel("cuda_c", Path("k.cu"), "__global__ void k() {}"))


@pytest.mark.thorough
def test_inputs_bind_by_name(drive):
    source = SourceKernel(
        "cuda_c",
        Path("sub.cu"),
        "__global__ void k(const float* a, const float* b, float* c) { int i = threadIdx.x; c[i] = a[i] - b[i]; }\n"
        'extern "C" void sub(const float* b, const float* a, float* c) { k<<<1, 64>>>(a, b, c); }\n',
        call="sub(y, x, out)",
        out=("x.shape[0]",),
        inputs=("x", "y"),
    )
    module = cuda_c.source_module(source) + "\n\ndef reference(i, p):\n    return i[0] - i[1]\n"
    assert drive("cuda_c", "interpreted", "cpu", module, [[[64], [64]]])["errors"][0] < 1e-6
