"""One figure for all cases: the geometric mean, in which a case without a time gains nothing."""

import math

import pytest

from akgflow.speed import overall
from akgflow.verdict import Timing, Untimed


def timing(case: int, speedup: float, baseline: str = "eager") -> Timing:
    interval = speedup * 0.9, speedup * 1.1
    return Timing({"n": case}, baseline, 1e-3, 1e-3 * speedup, speedup, interval, "same", 8, 0.0, "a device")


@pytest.mark.parametrize(
    ("speedups", "untimed", "ratio"),
    [
        ((2.0,), 0, 2.0),
        ((2.0, 8.0), 0, 4.0),
        ((4.0,), 1, 2.0),
        ((0.25, 1.0), 1, (0.25 * 0.25) ** (1 / 3)),
    ],
)
def test_geometric_mean_over_the_cases(speedups, untimed, ratio):
    missing = [Untimed({"n": -1}, "too slow")] * untimed
    (found,) = overall([timing(at, one) for at, one in enumerate(speedups)], missing)
    assert math.isclose(found.speedup, ratio)
    assert (found.cases, found.untimed) == (len(speedups), untimed)
    assert found.interval[0] < found.speedup < found.interval[1]


def test_each_baseline_has_its_own():
    found = overall([timing(1, 2.0), timing(1, 0.5, "torch.compile"), timing(2, 8.0), timing(2, 0.5, "torch.compile")])
    assert {one.baseline: round(one.speedup, 6) for one in found} == {"eager": 4.0, "torch.compile": 0.5}
