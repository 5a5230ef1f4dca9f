"""Numbers in words: never more than the verdict says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akgflow.operators.preparation import Prepared
from akgflow.reporting import phrases
from akgflow.verdict import Roofline, Timing

TIMING = Timing({"m": 8}, "eager", 4e-5, 6e-5, 1.5, (1.45, 1.55), "faster", 24, 0.02, "NVIDIA H200")
ROOFLINE = Roofline(2e-5, 0.0, 9.6e7, "memory", 0.5)
PREPARED = Prepared(1.2e-3, (1e-3, 2e-3), 3_400_000, 1000, 1.55, (1.5, 1.6), 60)


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        (TIMING, "1.50x [1.45, 1.55] faster than eager"),
        (replace(TIMING, call="same"), "1.50x [1.45, 1.55] same as eager"),
        (replace(TIMING, prepared=PREPARED), "1.50x [1.45, 1.55] (over 1,000 calls) faster than eager"),
        (replace(TIMING, baseline="torch.compile", call="slower"), "1.50x [1.45, 1.55] slower than torch.compile"),
    ],
)
def test_a_ratio_names_what_it_is_against(timing: Timing, said: str) -> None:
    assert phrases.speed(timing) == said


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        (TIMING, ""),
        (replace(TIMING, cold_seconds=5e-5), "50 us with cold caches"),
        (replace(TIMING, roofline=ROOFLINE), "50% of the roofline (memory: 20 us)"),
        (
            replace(TIMING, cold_seconds=5e-5, roofline=ROOFLINE),
            "50 us with cold caches; 50% of the roofline (memory: 20 us)",
        ),
    ],
)
def test_cold_caches_and_the_roofline_are_said_where_they_are_known(timing: Timing, said: str) -> None:
    assert phrases.limits(timing) == said


@pytest.mark.parametrize(
    ("after", "said"), [(60, "pays after 60 calls"), (1, "pays after 1 call"), (None, "never pays")]
)
def test_what_preparing_takes_is_said_with_what_it_is_worth(after: int | None, said: str) -> None:
    found = replace(PREPARED, pays_after=after)
    assert phrases.prepared(found) == f"prepare() 1.2 ms, 3.4 MB; 1.55x [1.50, 1.60] without it; {said}"


def test_both_times_are_said_with_where_they_were_taken() -> None:
    assert phrases.times(TIMING) == "40 us against 60 us at m=8 on NVIDIA H200"
