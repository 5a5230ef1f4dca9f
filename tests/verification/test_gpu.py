"""The same judge on a CUDA device: memory shared by CUDA IPC, oracle and clock the judge's own."""

import pytest
from judging import Bench

from akgflow import machine
from akgflow.config.types import Target

pytestmark = pytest.mark.gpu

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(n))

        def forward(self, a, b):
            return torch.relu(a @ b + self.bias)

    def get_inputs(n=1024):
        return [torch.rand(n, n), torch.rand(n, n)]

    def get_init_inputs(n=1024):
        return [n]
    """
SAME = OPERATOR.replace("Model(", "ModelNew(")
CASES = ({"n": 77}, {"n": 1024})
RIGHT = "torch.relu(a @ b + self.bias)"
WRONG = {
    "zeros": ("torch.zeros_like(a @ b)", "INCORRECT_NUMERICAL", "everything is zero"),
    "not written": ("torch.empty_like(a @ b)", "INCORRECT_NUMERICAL", ""),
    "times 1.019": (f"{RIGHT} * 1.019", "INCORRECT_NUMERICAL", "1.019 times"),
    "half inside": ("torch.relu((a.half() @ b.half()).float() + self.bias)", "INCORRECT_NUMERICAL", ""),
    "on the host": (f"{RIGHT}.cpu()", "INCORRECT_DTYPE", "must be on device cuda"),
    "half": (f"{RIGHT}.half()", "INCORRECT_DTYPE", "float16"),
    "inputs changed": (f"({RIGHT}, a.zero_())[0]", "REFUSED", "changed its input 0"),
    "device fault": ("a.view(-1)[torch.full((4,), 1 << 40, device='cuda')]", "RUNTIME_ERROR", ""),
    "out of memory": ("torch.empty(1 << 42, device='cuda')", "OUT_OF_MEMORY", ""),
    "cached by pointer": (
        f"globals().setdefault('kept', {{}}).setdefault((a.data_ptr(), a.shape), {RIGHT})",
        "INCORRECT_NUMERICAL",
        "",
    ),
}


def judge(bench, text, **changes):
    (device, *_) = machine.detect().devices
    target = Target("local_gpu", device.platform, device.arch, device=device.name)
    return bench.judge(text, OPERATOR, target=target, cases=CASES, **changes)


def test_the_same_model_passes_and_is_timed(bench):
    verdict = judge(bench, SAME, time=True)
    assert verdict.passed, verdict.message
    assert verdict.environment.hardware == machine.detect().devices[0].name
    (timing,) = verdict.timing
    assert timing.case == {"n": 1024}
    assert 0 < timing.interval[0] <= timing.interval[1]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_candidate_gets_its_status(bench: Bench, name):
    body, status, words = WRONG[name]
    verdict = judge(bench, SAME.replace(RIGHT, body))
    assert verdict.status == status, verdict.message
    assert words in verdict.message


def test_a_device_fault_does_not_reach_the_next_candidate(bench):
    judge(bench, SAME.replace(RIGHT, WRONG["device fault"][0]))
    assert judge(bench, SAME).passed


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision(bench, dtype):
    assert judge(bench, SAME, dtype=dtype).passed
    assert judge(bench, SAME.replace(RIGHT, f"{RIGHT} * 1.019"), dtype=dtype).status == "INCORRECT_NUMERICAL"


TRITON = """
    import torch
    import triton
    import triton.language as tl

    @triton.jit
    def scaled(x, y, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.store(y + at, tl.load(x + at, mask=at < n) * 1.5 + 0.25, mask=at < n)

    class ModelNew(torch.nn.Module):
        def forward(self, x):
            y = torch.empty_like(x)
            scaled[(triton.cdiv(x.numel(), 1024),)](x, y, x.numel(), BLOCK=1024)
            return y
    """
STREAM = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x * 1.5 + 0.25

    def get_inputs():
        return [torch.randn(8192, 4096)]

    def get_init_inputs():
        return []
    """


def test_a_triton_kernel_is_timed_against_eager_and_the_compiler(bench):
    (device, *_) = machine.detect().devices
    facts = {"hbm_gbps": 8000, "tflops": {"fp32": 100}}
    verdict = bench.judge(
        TRITON,
        STREAM,
        toolchain="triton",
        target=Target("local_gpu", device.platform, device.arch, device=device.name, facts=facts),
        time=True,
        baselines=("eager", "torch.compile"),
    )
    assert verdict.passed, verdict.message
    # Answers are taken from where they lie: nothing is copied on the candidate's own time.
    assert not [warning for warning in verdict.warnings if "copying the answers" in warning]
    assert [timing.baseline for timing in verdict.timing] == ["eager", "torch.compile"], verdict.warnings
    for timing in verdict.timing:
        assert timing.device == device.name
        assert timing.interval[0] <= timing.speedup <= timing.interval[1]
        assert timing.roofline.bytes == 2 * 8192 * 4096 * 4
        assert timing.roofline.limit == "memory"
        assert timing.cold_seconds is None or timing.cold_seconds > 0
