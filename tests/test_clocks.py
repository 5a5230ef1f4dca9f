"""A GPU's clocks around the windows of a timing, and what could disturb timings: decided from what was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from akgflow.clocks import Clocks, Reading, inconclusive, slowed, summary
from akgflow.disturbances import Disturbance, of_nvidia, of_processor
from akgflow.machine import Machine
from akgflow.verification.judge.timing.arms import Samples
from akgflow.verification.judge.timing.device_clocks import MOST_DISCARDED, Watch, nvml_reader
from akgflow.verification.judge.timing.windows.questions import NotTimed
from akgflow.verification.judge.timing.windows.window import State

QUIET = Reading(1980, 2619, 310.0, 0x0)
IDLE = Reading(1980, 2619, 120.0, 0x1)
CAPPED = Reading(1410, 2619, 699.0, 0x4)
CAPPED_MORE = Reading(1200, 2619, 700.0, 0x4)
HOT = Reading(1100, 2619, 500.0, 0x20 | 0x8)


@pytest.mark.parametrize(
    ("readings", "why"),
    [
        ([QUIET, IDLE, QUIET], ""),
        ([CAPPED, CAPPED], ""),
        ([QUIET, HOT, QUIET], "hardware slowdown, thermal limit of the driver"),
        ([Reading(1980, 2619, 1.0, 0x80)], "power brake"),
        ([], ""),
    ],
)
def test_a_slowed_device_is_told_from_one_at_its_limit(readings: list[Reading], why: str) -> None:
    assert slowed(readings) == why


@pytest.mark.parametrize(
    ("kept", "discarded", "why"),
    [
        ([[QUIET] * 3] * 9, 0, None),
        ([[QUIET] * 3] * 9, 3, None),
        # What is left is too little, or less than what was thrown away.
        ([[QUIET] * 3] * 4, 1, "slowed (heat) in 1 of 5 pairings"),
        ([[QUIET] * 3] * 9, 10, "slowed (heat) in 10 of 19 pairings"),
        # At the power limit the clock follows the load: the same for all windows, or not.
        ([[CAPPED] * 3] * 9, 0, None),
        ([[CAPPED] * 3] * 5 + [[CAPPED_MORE] * 3] * 5, 0, "its SM clock went from 1200 to 1410 MHz"),
        ([[QUIET] * 3] * 8 + [[CAPPED] * 3], 0, "its SM clock went from 1410 to 1980 MHz"),
        # Nothing can be read on a part of a device, and a processor is not asked.
        ([], 0, None),
    ],
)
def test_windows_are_believed_or_inconclusive(kept: list[list[Reading]], discarded: int, why: str | None) -> None:
    found = inconclusive(kept, discarded, "heat")
    assert found.startswith("inconclusive: ") if why else not found
    assert (why or "") in found


def test_the_verdict_has_clocks_power_and_reasons() -> None:
    found = summary([QUIET, CAPPED, IDLE], 2)
    assert found == Clocks((1410, 1980), (2619, 2619), 699.0, ("power limit",), 2)
    words = "SM clock 1410 to 1980 MHz, up to 699 W, held by power limit, 2 pairings discarded"
    assert str(found) == words


class _Arm:
    def __init__(self) -> None:
        self.samples = [Samples()]


def watched(readings: Iterator[Reading], times: int) -> tuple[Watch, list[float], list[bool]]:
    """Pairings of one arm, each with one reading before and one after its window; what is left of the arm's samples."""
    watch, arm, overhead, kept = Watch(lambda: next(readings)), _Arm(), Samples(), []
    for number in range(times):
        watch.begin({"kernel": arm}, overhead)  # type: ignore[dict-item]
        arm.samples[0].singly[State.RUNNING].append(float(number))
        overhead.singly[State.RUNNING].append(-1.0)
        watch.look()
        kept.append(watch.keeps())
        assert len(overhead.singly[State.RUNNING]) == len(arm.samples[0].singly[State.RUNNING])
    return watch, arm.samples[0].singly[State.RUNNING], kept


def test_a_slowed_pairing_takes_all_that_it_measured_along() -> None:
    hot_third = iter([QUIET, QUIET, QUIET, QUIET, QUIET, HOT, *[QUIET] * 12])
    watch, left, kept = watched(hot_third, 9)
    assert (left, kept.count(False), watch.discarded) == ([0.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 1, 1)
    watch.require_conclusive()
    found = watch.found()
    assert found is not None
    assert (found.sm_mhz, found.reasons, found.discarded) == ((1980, 1980), (), 1)


def test_a_device_that_stays_slowed_is_not_waited_for() -> None:
    with pytest.raises(NotTimed, match=r"inconclusive: the device was slowed again and again .*thermal limit"):
        watched(iter([HOT] * 200), MOST_DISCARDED + 1)


@pytest.mark.gpu
def test_the_driver_gives_clocks_power_and_reasons() -> None:
    import torch

    read = nvml_reader(f"GPU-{torch.cuda.get_device_properties(0).uuid}")
    found = read()
    assert found is not None
    assert 100 < found.sm_mhz < 4000
    assert found.watts > 1


def named(found: Iterator[Disturbance]) -> dict[str, Disturbance]:
    return {one.name: one for one in found}


def test_what_could_disturb_timings_on_a_processor(tmp_path: Path) -> None:
    cpus, group = tmp_path / "sys/devices/system/cpu", tmp_path / "sys/fs/cgroup"
    machine = Machine("a processor", 8, ())
    quiet = named(of_processor(machine, tmp_path, load=0.4))
    assert all(one.ok for one in quiet.values())

    for path, text in (
        (cpus / "cpu0/cpufreq/scaling_governor", "powersave"),
        (cpus / "smt/active", "1"),
        (group / "cpu.max", "150000 100000"),
        (group / "cpu.stat", "usage_usec 5\nnr_throttled 12\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    found = named(of_processor(machine, tmp_path, load=6.5))
    assert not any(one.ok for one in found.values())
    assert found["cgroup quota"].detail == "1.5 cores; stopped 12 times so far"
    assert found["load"].detail == "6.50 on 8 cores in the last minute"
    assert "cpupower" in found["governor"].hint
    (group / "cpu.max").write_text("max 100000\n")
    assert named(of_processor(machine, tmp_path, load=0.1))["cgroup quota"].ok


def test_this_processor_is_looked_at() -> None:
    assert {"governor", "load", "SMT", "cgroup quota"} == set(named(of_processor(Machine("this", 2, ()))))


def test_what_could_disturb_timings_on_a_device() -> None:
    quiet = {
        "reasons": "0x0000000000000001",
        "application": "1980 MHz",
        "most": "1980 MHz",
        "persistence": "Enabled",
        "mig": "Disabled",
    }
    assert all(one.ok for one in of_nvidia([], quiet))
    disturbed = {
        "reasons": "0x0000000000000024",
        "application": "1755 MHz",
        "most": "1980 MHz",
        "persistence": "Disabled",
        "mig": "Enabled",
    }
    found = named(of_nvidia(["1234, python"], disturbed))
    assert not any(one.ok for one in found.values())
    assert found["other processes"].detail == "1 on the device: 1234 python"
    assert found["throttle reasons"].detail == "power limit, thermal limit of the driver"
    assert found["clocks"].detail == "1755 MHz by default, 1980 MHz at most"
    # A driver that says nothing leaves nothing to complain about but the clocks.
    silent = named(of_nvidia([], {}))
    assert [name for name, one in silent.items() if not one.ok] == ["clocks"]
