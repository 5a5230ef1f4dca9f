"""What the judge says about an operator's graph: kinds, shapes, axes, intensity; without its values."""

from __future__ import annotations

import asyncio
import textwrap
import time
from pathlib import Path

import pytest

from akgflow.executors.local import LocalExecutor
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.machine import detect
from akgflow.verification.reference.tracing.from_shapes.features import features_of

FORM = """
import torch
from torch import nn
from torch.nn import functional as F

n = 64

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(256))
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        {body}

def get_inputs():
    return [torch.randn({shape})]

def get_init_inputs():
    return []
"""
WRITTEN_OUT = "e = torch.exp(x - x.amax(1, keepdim=True)); return e / e.sum(1, keepdim=True)"


def features(body: str, shape: str = "n, 256", **request: object) -> OperatorFeatures:
    text = FORM.format(body=body, shape=shape)
    return features_of(FeatureRequest("operator.py", text, **request))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "shape", "kinds", "reductions"),
    [
        ("return torch.relu(x * self.gain)", "n, 256", {"pointwise"}, set()),
        ("return x @ x.t()", "n, 256", {"contraction"}, set()),
        ("return x.softmax(1)", "n, 256", {"softmax"}, {"amax last medium", "sum last medium"}),
        ("return x.sum(0)", "n, 256", {"reduction"}, {"sum first short"}),
        ("return x.mean()", "n, 256", {"reduction"}, {"mean all long"}),
        ("return x.amax(1)", "4, n, 256", {"reduction"}, {"amax inner short"}),
        ("return F.layer_norm(x, (256,), self.gain)", "n, 256", {"norm"}, {"var_mean last medium"}),
        ("return self.conv(x)", "2, 3, 9, 9", {"convolution"}, set()),
        ("return F.max_pool2d(x, 2)", "2, 3, 8, 8", {"pool"}, set()),
        ("return x.cumsum(1)", "n, 256", {"scan"}, {"cumsum last medium"}),
        ("return x.topk(3)[0]", "n, 256", {"sort"}, set()),
    ],
)
def test_kinds_and_axes(body: str, shape: str, kinds: set[str], reductions: set[str]) -> None:
    found = features(body, shape)
    assert found.unknown == ""
    assert kinds <= set(found.kinds)
    assert set(found.reductions) == reductions


def test_a_softmax_written_out_consists_of_what_a_called_one_does() -> None:
    written, called = features(WRITTEN_OUT), features("return x.softmax(1)")
    assert written.primitives == called.primitives
    assert written.reductions == called.reductions
    assert written.kinds != called.kinds


def test_shapes_types_and_intensity_of_the_largest_case() -> None:
    found = features("return x @ x.t()", cases=({"n": 8}, {"n": 2048}), dtype="bfloat16")
    assert found.inputs == ((2048, 256),)
    assert found.outputs == ((2048, 2048),)
    assert found.dtypes == ("bfloat16",)
    assert found.flops == 2 * 2048 * 2048 * 256
    assert found.intensity == "compute"
    assert features("return torch.relu(x)").intensity == "memory"


def test_a_huge_case_costs_nothing() -> None:
    started = time.monotonic()
    found = features("return torch.relu(x) @ x.t()", "n, 1 << 16", cases=({"n": 1 << 17},))
    assert found.inputs == ((1 << 17, 1 << 16),)
    assert time.monotonic() - started < 5


def test_what_needs_values_is_called_on_real_ones_where_they_are_few() -> None:
    looping = "return x * 2 if x.sum().item() > 0 else x.exp() * 2"
    assert features(looping).kinds["reduction"] == 1
    assert "too many" in features(looping, "1 << 13, 1 << 13").unknown


@pytest.mark.parametrize("body", ["return nonesuch(x)", "raise SystemError('no')"])
def test_an_operator_that_cannot_be_traced_says_why(body: str) -> None:
    found = features(body)
    assert found.kinds == {} and found.unknown


@pytest.mark.thorough
def test_a_judge_answers_for_the_process_that_drives(tmp_path: Path) -> None:
    text = textwrap.dedent(FORM.format(body="return x.softmax(1)", shape="n, 256"))

    async def asked() -> OperatorFeatures:
        executor = LocalExecutor(detect(), tmp_path)
        try:
            return await executor.features(FeatureRequest("operator.py", text))
        finally:
            await executor.close()

    assert asyncio.run(asked()) == features("return x.softmax(1)")
