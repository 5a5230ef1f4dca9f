"""The least time that an operator can take: what is counted, what is said, what is refused."""

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from judging import CPU  # noqa: E402

from akgflow.precision import Operands  # noqa: E402
from akgflow.verification.judge.candidate_process import CandidateFailed  # noqa: E402
from akgflow.verification.judge.resources import roofline  # noqa: E402
from akgflow.verification.reference.reference import Reference  # noqa: E402

HEAD = "import torch\nimport torch.nn.functional as F\n"
OPERATOR = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        {state}

    def forward(self, {names}):
        {body}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""


def operator(names, body, inputs, state="pass"):
    return HEAD + OPERATOR.format(names=names, body=body, inputs=inputs, state=state)


def work(text, dtype=None):
    reference = Reference(text, "operator.py", {}, dtype, "cpu")
    reference.prepare()
    return roofline.load(reference)


F4 = 4
SQUARE = 64 * 64 * F4
TABLE = "self.table = torch.nn.Parameter(torch.zeros(1000, 64))"
COUNTS = {
    # name: operator, operations, bytes that move from call to call, bytes of parameters
    "elementwise": (operator("x", "return x * 2 + 1", "torch.randn(64, 64)"), 0, 2 * SQUARE, 0),
    "product": (operator("a, b", "return a @ b", "torch.randn(64, 64), torch.randn(64, 64)"), 2 * 64**3, 3 * SQUARE, 0),
    "8 bits": (
        operator("x", "return x.float() * 2", "torch.randn(64, 64).to(torch.float8_e4m3fn)"),
        0,
        SQUARE // 4 + SQUARE,
        0,
    ),
    "slice": (operator("x", "return x[:, :32] * 2", "torch.randn(64, 64)"), 0, SQUARE, 0),
    "one value for all": (operator("x", "return x * 2", "torch.randn(64, 1).expand(64, 64)"), 0, SQUARE + 64 * F4, 0),
    "lookup": (operator("i", "return self.table[i]", "torch.arange(8) * 3", TABLE), 0, 8 * 64 * F4, 8 * 64 * F4),
    "no gradient": (operator("x", "return x.argmax(-1)", "torch.randn(64, 64)"), 0, 64 * 8, 0),
    "in place": (operator("x", "return x.add_(1)", "torch.randn(64, 64)"), 0, 2 * SQUARE, 0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_is_counted(name):
    text, flops, varying, constant = COUNTS[name]
    found = work(text)
    assert (found.flops, found.varying, found.constant) == (flops, varying, constant)


def test_zeros_of_a_gradient_do_not_halve_what_is_read():
    found = work(operator("x", "return torch.relu(x)", "torch.randn(64, 64)"))
    assert 1.95 * SQUARE < found.varying <= 2 * SQUARE


def test_only_a_single_dense_product_counts_as_dense():
    assert work(COUNTS["product"][0]).dense
    assert not work(operator("a, b", "return (a @ b).sum(1)", "torch.randn(64, 64), torch.randn(64, 64)")).dense
    assert not work(operator("a, b", "return a @ b", "torch.randn(64, 64).tril(), torch.randn(64, 64)")).dense


FACTS = {"hbm_gbps": 1000, "l2_mib": 1, "tflops": {"fp32": 50, "bf16": 200}}


def load(flops, varying, constant=0.0, dense=False, dtype=torch.float32):
    return roofline.Load(flops, varying, constant, dense, dtype)


def test_the_higher_of_the_two_terms_is_the_floor():
    streaming = roofline.roofline(load(0, 1e9), FACTS, 2e-3)
    assert (streaming.limit, streaming.floor_seconds, streaming.share) == ("memory", 1e-3, 0.5)
    product = roofline.roofline(load(1e12, 1e9, dtype=torch.bfloat16), FACTS, 1e-2)
    assert (product.limit, product.floor_seconds) == ("compute", 5e-3)
    assert math.isclose(product.share, 0.5)
    assert roofline.roofline(load(0, 1e9), {"sms": 100}, 1.0) is None
    assert roofline.roofline(load(1e12, 1e9, dtype=torch.float64), FACTS, 1.0) is None


HOPPER = {"hbm_gbps": 1e9, "tflops": {"fp32": 60, "tf32": 480, "fp16": 990, "bf16": 990}}
PEAKS = {
    # name: what may be rounded, operations that are convolutions', the peak in TFLOP/s
    "split operands": (Operands(), 0.0, 330),
    "TF32": (Operands("tf32", "tf32"), 0.0, 480),
    "bfloat16": (Operands("bf16", "bf16"), 0.0, 990),
    "TF32 in convolutions, of which there are none": (Operands(None, "tf32"), 0.0, 330),
    "TF32 in convolutions alone": (Operands(None, "tf32"), 1e12, 480),
    "half of it convolutions": (Operands(None, "tf32"), 0.5e12, 2 / (1 / 330 + 1 / 480)),
}


@pytest.mark.parametrize("name", PEAKS)
def test_the_peak_is_that_of_the_precision(name):
    allowed, convolved, peak = PEAKS[name]
    found = roofline.roofline(replace(load(1e12, 1.0), convolved=convolved), HOPPER, 1.0, allowed)
    assert math.isclose(found.floor_seconds, 1 / peak) and not found.note


def test_what_no_rate_is_known_for_has_no_peak():
    assert roofline.roofline(load(1e12, 1.0), {"hbm_gbps": 1, "tflops": {"tf32": 480}}, 1.0) is None


def test_a_share_above_one_says_how_that_is_possible():
    found = roofline.roofline(load(1e12, 1.0), HOPPER, 1e-3, Operands("tf32", "tf32"))
    assert found.share > 2 and "peak at TF32" in found.note
    assert "caches" in roofline.roofline(load(0, 1e9), FACTS, 5e-4).note


def test_convolutions_are_counted_apart():
    body = "return F.conv1d(x, w).flatten(1) @ w.reshape(-1)[:12]"
    found = work(operator("x, w", body, "torch.randn(4, 2, 6), torch.randn(3, 2, 3)"))
    assert found.convolved == 2 * 4 * 3 * 4 * 2 * 3
    assert found.flops >= found.convolved


MIB = 1 << 20
POSSIBLE = {
    # name: work, cache bytes, calls, microseconds, whether it is possible
    "streams as fast as memory": (load(0, 1e9), MIB, 8, 1000, True),
    "a device with a little more bandwidth": (load(0, 1e9), MIB, 8, 850, True),
    "faster than memory": (load(0, 1e9), MIB, 8, 700, False),
    "lies in the caches": (load(0, 1e6), 50 * MIB, 8, 0.1, True),
    "too much for the caches over all calls": (load(0, 1e6), 50 * MIB, 4000, 0.1, False),
    "parameters that the caches hold": (load(0, 1e3, 4e6), 8 * MIB, 1000, 1, True),
    "parameters that they do not hold": (load(0, 1e3, 1e9), 8 * MIB, 1000, 1, False),
    "a product in another type": (load(2e12, 1e6, dense=True), MIB, 1, 6000, True),
    "a product that nobody can do": (load(2e12, 1e6, dense=True), MIB, 1, 4000, False),
    "a product that need not be done": (load(2e12, 1e6), MIB, 1, 4000, True),
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_only_what_nobody_can_reach_is_refused(name):
    found, cache, calls, microseconds, possible = POSSIBLE[name]
    if possible:
        roofline.require_possible(found, FACTS, cache, calls, microseconds * 1e-6)
        return
    with pytest.raises(CandidateFailed, match="seems to take") as refused:
        roofline.require_possible(found, FACTS, cache, calls, microseconds * 1e-6)
    assert refused.value.status == "REFUSED"


STREAM = operator("x", "return x * 2 + 1", "torch.randn(256, 1024)")
PRODUCT = operator("a, b", "return a @ b", "torch.randn(256, 256), torch.randn(256, 256)")


def timed(bench, text, facts):
    """The verdict on an operator against itself, where this machine gives times."""
    target = replace(CPU, facts=facts)
    verdict = bench.judge(text.replace("Model(", "ModelNew("), text, target=target, time=True)
    if "timing" in verdict.absent:
        pytest.skip(f"no timing: {verdict.absent['timing']}")
    return verdict


@pytest.mark.thorough
def test_a_time_stands_beside_its_floor(bench):
    verdict = timed(bench, STREAM, {"hbm_gbps": 1e6})
    assert verdict.passed, verdict.message
    (timing,) = verdict.timing
    assert timing.roofline.bytes == 2 * 256 * 1024 * 4
    assert timing.roofline.limit == "memory"
    assert math.isclose(timing.roofline.share, timing.roofline.floor_seconds / timing.seconds)


@pytest.mark.thorough
def test_a_time_that_the_facts_forbid_is_refused(bench):
    # Operations, since caches can hold all the bytes of a window where they are large.
    verdict = timed(bench, PRODUCT, {"hbm_gbps": 1e6, "tflops": {"fp32": 1e-6}})
    assert verdict.status == "REFUSED", verdict.message
    assert "1e-06 TFLOP/s" in verdict.message
