"""Device time: what judgements hold, and how they are cut off when the ceiling is reached."""

from __future__ import annotations

import asyncio

import pytest

from akgflow.budget.device import CutOff, DeviceClock
from akgflow.budget.wall import WallClock
from akgflow.errors import BudgetError

SECOND = 1 / 60


def test_seconds_add_up_over_what_runs_side_by_side() -> None:
    async def judge(clock: DeviceClock) -> None:
        async with clock.use():
            await asyncio.sleep(0.1)

    async def main() -> float:
        clock = DeviceClock()
        clock.charge(2.0)
        await asyncio.gather(*(judge(clock) for _ in range(3)))
        return clock.spent

    assert asyncio.run(main()) == pytest.approx(2.3, abs=0.15)


def test_all_are_cut_off_the_moment_the_ceiling_is_reached_and_never_later() -> None:
    highest = 0.0

    async def judge(clock: DeviceClock, cleaning_up: float) -> float:
        nonlocal highest
        try:
            async with clock.use():
                try:
                    await asyncio.sleep(30)
                finally:
                    # A judge that is ended takes its time; that is beyond the ceiling and not counted.
                    await asyncio.shield(asyncio.sleep(cleaning_up))
        except CutOff as cut:
            assert "raise budget.device_minutes" in str(cut)
            highest = max(highest, clock.spent)
            return cut.seconds
        raise AssertionError("it went on")

    async def main() -> None:
        clock = DeviceClock(1.0 * SECOND)
        seconds = await asyncio.gather(*(judge(clock, 0.1 * n) for n in range(4)))
        assert sum(seconds) == pytest.approx(1.0, abs=0.05)
        assert highest <= 1.0 and clock.spent == pytest.approx(1.0, abs=1e-3)
        with pytest.raises(BudgetError, match=r"0\.0166667 device minutes"):
            async with clock.use():
                raise AssertionError("it began")

    asyncio.run(main())


def test_who_ends_early_leaves_the_rest_to_the_others() -> None:
    async def judge(clock: DeviceClock, seconds: float) -> str:
        try:
            async with clock.use():
                await asyncio.sleep(seconds)
        except CutOff:
            return "cut"
        return "done"

    async def main() -> list[str]:
        clock = DeviceClock(0.8 * SECOND)
        return await asyncio.gather(judge(clock, 0.05), judge(clock, 0.05), judge(clock, 5.0))

    assert asyncio.run(main()) == ["done", "done", "cut"]


def test_the_run_s_wall_time_cuts_off_too() -> None:
    async def main() -> None:
        clock = DeviceClock(10.0, WallClock(0.3 * SECOND))
        with pytest.raises(CutOff, match=r"raise budget\.minutes") as cut:
            async with clock.use():
                await asyncio.sleep(30)
        assert cut.value.seconds == pytest.approx(0.3, abs=0.1)
        with pytest.raises(BudgetError, match=r"raise budget\.minutes"):
            async with clock.use():
                raise AssertionError("it began")

    asyncio.run(main())


def test_a_timeout_of_the_judgement_s_own_is_its_own() -> None:
    async def main() -> None:
        async with DeviceClock(1.0).use():
            raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(main())
