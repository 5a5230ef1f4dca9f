"""Shapes that nobody has seen: drawn between the stated ones, judged, and timed beside the kernels of a dispatcher."""

from __future__ import annotations

import math
import textwrap

import pytest

pytest.importorskip("torch")

from akgflow.operators.shapes.guarantee import Guarantee, SizeRange
from akgflow.verification.judge.second_look.unseen import between

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x)

    def get_inputs(rows=64, cols=64):
        assert rows != 333
        return [torch.randn(rows, cols)]

    def get_init_inputs():
        return []
    """
SAME = textwrap.dedent(OPERATOR.replace("Model(", "ModelNew("))
CASES = ({"rows": 1024, "cols": 16}, {"rows": 16, "cols": 1024})


@pytest.mark.parametrize(
    ("shapes", "divisor"), [(Guarantee(), 16), (Guarantee(sizes={"cols": SizeRange(1, 4096, 24)}), 24)]
)
def test_a_drawn_shape_is_on_the_way_between_two_cases(shapes, divisor):
    for _ in range(50):
        case = between(CASES, shapes)
        assert case is not None
        assert case not in CASES
        assert all(16 <= size <= 1024 for size in case.values())
        assert case["cols"] % divisor == 0 or case["cols"] == 16
        assert case["rows"] * case["cols"] <= 1024 * 16, "no larger than the larger case"
        # Both sizes are equally far on the way, but for rounding down to what divides the cases.
        assert math.log(case["rows"] * case["cols"], 2) > 14 - 2.1


@pytest.mark.parametrize(
    "cases",
    [
        (),
        CASES[:1],
        ({"rows": 8, "dtype": "float16"}, {"rows": 16, "dtype": "float32"}),
        ({"rows": 8}, {"cols": 8}),
        ({"causal": True}, {"causal": False}),
    ],
)
def test_cases_that_differ_in_more_than_sizes_have_none_between(cases):
    assert between(cases) is None


@pytest.mark.thorough
def test_a_dispatcher_is_judged_on_drawn_shapes_and_timed_beside_its_kernels(bench):
    rivals = {"first": SAME, "second": SAME + "\n# another\n"}
    verdict = bench.judge(SAME, OPERATOR, cases=CASES, time=True, rivals=rivals, unseen=2)
    assert verdict.passed, verdict.message
    assert verdict.correctness is not None
    drawn = list({str(one.case): one.case for one in verdict.correctness.cases if one.secret}.values())
    assert len(drawn) == 2
    assert all(16 <= size <= 1024 for case in drawn for size in case.values())
    assert {one.baseline for one in verdict.timing} <= {"eager"}
    assert all(one.case in CASES for one in verdict.timing)
    assert all(one.case in drawn and one.baseline in rivals for one in verdict.beside)
    timed = {str(one.case) for one in verdict.beside}
    assert len(timed) == 2 or verdict.absent["beside"].startswith(f"{2 - len(timed)} of 2 shapes: ")
    assert all(one.sizes == tuple(one.case.values()) for one in (*verdict.timing, *verdict.beside))
