"""Timing: what it refuses, what it says, and the statistics under it. How fast anything is, is never asserted."""

import math
import random
import re

import pytest

torch = pytest.importorskip("torch")

from akgflow.verification.timing import estimate  # noqa: E402
from akgflow.verification.timing.window import Window, undisturbed  # noqa: E402

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(n))

        def forward(self, a, b):
            return a @ b + self.bias

    def get_inputs(n=96):
        return [torch.rand(n, n), torch.rand(n, n)]

    def get_init_inputs(n=96):
        return [n]
    """
SAME = OPERATOR.replace("Model(", "ModelNew(")
CASES = ({"n": 16}, {"n": 96})


def test_the_same_model_against_itself(bench):
    verdict = bench.judge(SAME, OPERATOR, cases=CASES, time=True)
    assert verdict.passed, verdict.message
    if not verdict.timing:
        assert re.search("too busy|differ among themselves|too short", verdict.absent["timing"])
        return
    (timing,) = verdict.timing
    assert timing.case == {"n": 96}
    assert timing.baseline == "eager"
    assert timing.device == bench.machine.cpu
    assert 0 < timing.seconds < 1
    assert timing.interval[0] <= timing.speedup <= timing.interval[1]
    assert math.isfinite(timing.interval[1])
    assert timing.call in ("faster", "same", "slower")


CHEATS = {
    "wrong once it is timed": (
        "return y if self.count < 25 else y * 1.01",
        "INCORRECT_NUMERICAL",
        "while it was timed",
    ),
    "cached by pointer once it is timed": (
        "return y if self.count < 25 else self.kept.setdefault(a.data_ptr(), y).clone()",
        "INCORRECT_NUMERICAL",
        "while it was timed",
    ),
    "changes its inputs once it is timed": (
        "if self.count > 25: a.zero_()\n            return y",
        "REFUSED",
        "changed its inputs",
    ),
    "exits once it is timed": (
        "import os\n            return y if self.count < 25 else os._exit(0)",
        "RUNTIME_ERROR",
        "exit",
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_timed_answers_are_judged_like_the_others(bench, name):
    body, status, words = CHEATS[name]
    lines = f"y = a @ b + self.bias\n            self.count = count(self)\n            {body}"
    text = SAME.replace("return a @ b + self.bias", lines) + (
        "\n    calls = [0]\n\n    def count(model):\n        calls[0] += 1\n"
        "        model.kept = model.__dict__.get('kept', {})\n        return calls[0]\n"
    )
    verdict = bench.judge(text, OPERATOR, cases=CASES, time=True)
    assert verdict.status == status, verdict.message
    assert words in verdict.message


def test_answers_that_the_next_call_overwrites_are_not_timed(bench):
    body = "self.kept = self.__dict__.get('kept', torch.empty(a.shape[0], b.shape[1]))\n            "
    body += "self.kept.copy_(a @ b + self.bias)\n            return self.kept"
    verdict = bench.judge(SAME.replace("return a @ b + self.bias", body), OPERATOR, cases=CASES, time=True)
    assert verdict.passed, verdict.message
    assert "overwritten" in verdict.absent["timing"]


def test_no_timing_where_none_is_asked_for(bench):
    assert bench.judge(SAME, OPERATOR).timing == ()


def figures(draw, seconds, between=0.005, within=0.01, processes=4):
    """Processes whose windows hold 3 s of handing over, with noise on top."""
    found = []
    for _ in range(processes):
        own = seconds * math.exp(draw.gauss(0, between))
        found.append(estimate.figure([3 + own * (1 + draw.gauss(0, within)) for _ in range(8)], 3.0))
    return found


@pytest.mark.parametrize("between", [0.0, 0.005, 0.02])
def test_the_same_code_is_called_the_same(between):
    draw = random.Random(2)
    called = [
        estimate.call(*estimate.interval(figures(draw, 2, between), figures(draw, 2, between))) for _ in range(200)
    ]
    assert called.count("same") >= 197


def test_a_difference_of_five_per_cent_is_told_apart():
    draw = random.Random(3)
    called = [estimate.call(*estimate.interval(figures(draw, 2.1), figures(draw, 2.0))) for _ in range(100)]
    assert called.count("slower") >= 95
    assert "faster" not in called


def test_the_interval_covers_the_truth():
    draw = random.Random(4)
    found = [estimate.interval(figures(draw, 1.0, 0.02), figures(draw, 2.0, 0.02)) for _ in range(200)]
    assert sum(low <= 2 <= high for low, high in found) >= 194


def test_windows_that_tell_nothing_give_no_interval():
    useless = [estimate.figure([1.0, 3.0, 2.0], 1.5)] * 5
    assert estimate.interval(useless, useless) == (0.0, math.inf)


def test_t_follows_student():
    # From tables: 16, 30 and 120 degrees of freedom.
    for freedom, value in ((16, 2.921), (30, 2.750), (120, 2.617)):
        assert abs(estimate._t99(freedom) - value) < 0.004


def test_windows_that_waited_for_a_core_are_left_out():
    calm, busy = [Window(1.0, 0.0)] * 8, [Window(3.0, 1.0)] * 8
    assert undisturbed([*busy, *calm]) == [1.0] * 8
    assert undisturbed(busy) == []
