"""Rankings: what is out, what is given up early, and that a candidate which lies about its place gains nothing."""

import textwrap
from dataclasses import replace

import pytest
from judging import DEVICES, target_of

from akgflow.ranking import RankRequest
from akgflow.terms import Status

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(n, n))

        def forward(self, x):
            return x @ self.weight

    def get_inputs(m=64, n=192):
        return [torch.rand(m, n)]

    def get_init_inputs(n=192):
        return [n]
    """
FIRST = OPERATOR.replace("Model(", "ModelNew(").partition("    def get_inputs")[0]
SLOW = FIRST.replace("return x @", "[x @ self.weight for _ in range(60)]\n            return x @")
WRONG = FIRST.replace("x @ self.weight", "x @ self.weight + 1")
BROKEN = FIRST.replace("return x", "return x x")
LEAVES = FIRST.replace("return x @", "self.calls = getattr(self, 'calls', 0) + 1\n            "
                       "self.calls > 3 and __import__('os')._exit(0)\n            return x @")  # fmt: skip
LIES = FIRST.replace("return x @", "self.calls = getattr(self, 'calls', 0) + 1\n            "
                     "if self.calls > 3: return torch.zeros_like(x)\n            return x @")  # fmt: skip
"""Answers without computing once it is timed."""


def rank(bench, device, *sources):
    request = bench.request(FIRST, OPERATOR, time=True, target=target_of(device))
    return bench.runner.run(bench.executor.rank(RankRequest(request, tuple(map(textwrap.dedent, sources)))))


@pytest.mark.parametrize("device", DEVICES)
def test_candidates_are_ranked_and_a_lie_gains_nothing(bench, device):
    sources = (FIRST, SLOW, WRONG, BROKEN, LEAVES, LIES)
    ranking = rank(bench, device, *sources)
    assert (ranking.reason, len(ranking.ranked)) == ("", len(sources))
    assert ranking.seconds > 0
    same, slow, wrong, broken, leaves, lies = ranking.ranked
    assert same.windows >= 3 and len(same.speeds) == 1 and same.speed
    assert 0 < slow.speed < 0.5, "sixty times the work"
    assert (wrong.status, wrong.speed) == (Status.INCORRECT_NUMERICAL, None)
    assert (broken.speed, leaves.speed) == (None, None)
    assert "SyntaxError" in broken.why and "ended its process" in leaves.why
    assert (lies.status, lies.speed) == (Status.INCORRECT_NUMERICAL, None), "it is asked again between the stages"


def test_why_nothing_is_ranked_is_said(bench):
    asked = bench.request(WRONG, OPERATOR, time=True)
    ranking = bench.runner.run(bench.executor.rank(RankRequest(asked, (textwrap.dedent(FIRST),))))
    assert ranking.reason.startswith("the candidate with which the others are compared: output 0")
    assert not ranking.ranked
    unknown = replace(asked, toolchain="nothing")
    assert bench.runner.run(bench.executor.rank(RankRequest(unknown, ()))).reason.startswith("no toolchain 'nothing'")
