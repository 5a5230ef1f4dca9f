"""Timing: what it refuses, what it says, and the statistics under it. How fast anything is, is never asserted."""

import math
import random
import re

import pytest

torch = pytest.importorskip("torch")

from akgflow.verification.timing import Window, interval, undisturbed  # noqa: E402

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


def test_no_timing_where_none_is_asked_for(bench):
    assert bench.judge(SAME, OPERATOR).timing == ()


def test_the_interval_covers_equal_and_tells_apart():
    draw = random.Random(2)

    def windows(per_call, calls=10):
        """Seconds of windows with 3 s of their own and noise of 2 % on top."""
        return tuple([(3 + n * per_call) * (1 + 0.02 * draw.random()) for _ in range(40)] for n in (calls, 2 * calls))

    def told(ours, theirs):
        return interval(windows(ours), windows(theirs), windows(0.1), 10)

    low, high = told(2.1, 2.1)
    assert low < 1 < high
    assert told(2.3, 2.1)[1] < 1
    low, high = told(1.1, 2.1)
    assert 1.8 < low < 2 < high < 2.2


def test_windows_that_waited_for_a_core_are_left_out():
    calm, busy = [Window(1.0, 0.0)] * 8, [Window(3.0, 1.0)] * 8
    assert undisturbed([*busy, *calm]) == [1.0] * 8
    assert undisturbed(busy) == []
