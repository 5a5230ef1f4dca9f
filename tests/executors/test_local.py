"""The local executor: judges come and go, and nothing is left running."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from judging import Bench

from akgflow.errors import MachineExhausted
from akgflow.executors.slots import TimingLock
from akgflow.terms import Status
from akgflow.verification.sandbox import process_tree

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x + 1

    def get_inputs():
        return [torch.rand(40)]

    def get_init_inputs():
        return []
    """
RIGHT = """
    import torch

    class ModelNew(torch.nn.Module):
        def forward(self, x):
            return x + 1
    """
SLEEP = f"61.{os.getpid():07}"
"""Seconds by which this process's sleepers are told from those of tests that run beside it."""
HANGS = RIGHT.replace("return x + 1", f"__import__('subprocess').run(['sleep', '{SLEEP}'])")


def family(pid=None):
    """Everything that this process (or ``pid``) has started and that still runs."""
    return [p for p in psutil.Process(pid).children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]


def judges():
    return [p for p in family() if "akgflow.verification.judge.worker" in p.cmdline()]


def sleepers():
    return [p for p in psutil.process_iter(["cmdline"]) if SLEEP in (p.info["cmdline"] or [])]


def runs(pid):
    """Whether a process goes on; one that has ended may wait long to be reaped."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def eventually(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.mark.thorough
def test_a_judge_is_kept_for_the_next_candidate(bench):
    assert bench.judge(RIGHT, OPERATOR).passed
    before = {p.pid for p in family()}
    assert bench.judge(RIGHT, OPERATOR).passed
    assert {p.pid for p in family()} == before


@pytest.mark.thorough
def test_a_judge_that_is_killed_is_replaced_and_then_the_run_must_stop(bench):
    async def killed_twice():
        task = asyncio.create_task(bench.executor.judge(Bench.request(HANGS, OPERATOR)))
        for _ in range(2):
            while not sleepers():
                await asyncio.sleep(0.05)
            for judge in judges():
                judge.kill()
            while sleepers():
                await asyncio.sleep(0.05)
        return await task

    # No verdict says it: the candidate is judged again when the same command is given again.
    with pytest.raises(MachineExhausted, match="the judge process was ended by SIGKILL"):
        bench.runner.run(asyncio.wait_for(killed_twice(), 90))
    assert bench.judge(RIGHT, OPERATOR).passed


@pytest.mark.thorough
def test_a_request_that_cannot_be_read_is_no_wait_without_an_end(bench):
    verdict = bench.judge(RIGHT, OPERATOR, secret_cases=None)
    assert verdict.status is Status.NOT_RUN
    assert "the judge process ended with code 3" in verdict.message and "secret_cases" in verdict.message
    assert bench.judge(RIGHT, OPERATOR).passed


@pytest.mark.thorough
def test_a_judge_that_died_in_between_is_replaced(bench):
    assert bench.judge(RIGHT, OPERATOR).passed
    for process in family():
        process.kill()
    assert bench.judge(RIGHT, OPERATOR).passed


@pytest.mark.thorough
def test_a_cancelled_judgement_ends_its_processes(bench):
    async def interrupted():
        task = asyncio.create_task(bench.executor.judge(Bench.request(HANGS, OPERATOR)))
        while not sleepers():
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    bench.runner.run(asyncio.wait_for(interrupted(), 60))
    assert eventually(lambda: not sleepers())
    assert bench.judge(RIGHT, OPERATOR).passed


@pytest.mark.thorough
def test_close_ends_every_process(bench, tmp_path):
    outside = {p.pid for p in family()}
    own = Bench(tmp_path / "scratch", cores=4)

    async def closed_early():
        tasks = [asyncio.create_task(own.executor.judge(Bench.request(text, OPERATOR))) for text in (RIGHT, HANGS)]
        while not sleepers():
            await asyncio.sleep(0.05)
        assert (await tasks[0]).passed
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        await own.executor.close()

    own.runner.run(asyncio.wait_for(closed_early(), 90))
    own.close()
    assert eventually(lambda: not sleepers())
    assert [p.cmdline() for p in family() if p.pid not in outside] == []


def test_a_process_that_has_ended_does_not_run_on_until_it_is_reaped():
    """In a container the first process is often no init: the judge's orphans stay in its group, and a close waited."""
    leader = subprocess.Popen(["sleep", "99"], start_new_session=True)
    assert process_tree.runs_in_group(leader.pid)
    leader.kill()
    assert eventually(lambda: not process_tree.runs_in_group(leader.pid))
    os.killpg(leader.pid, 0)
    leader.wait()


def test_killing_the_owner_ends_every_process(bench, tmp_path):
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent.parent / "support")!r})
        from pathlib import Path
        from judging import Bench
        bench = Bench(Path({str(tmp_path)!r}))
        bench.judge({HANGS!r}, {OPERATOR!r})
        """
    owner = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    assert eventually(lambda: bool(sleepers()), 60)
    started = [p.pid for p in family(owner.pid)]
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    assert len(started) >= 3
    assert eventually(lambda: not any(runs(pid) for pid in started))
    assert sleepers() == []


def test_the_executor_itself_loads_no_torch():
    code = "import sys, akgflow.executors.local; print(sorted({'torch', 'litellm', 'jsonschema'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_judging_needs_neither_litellm_nor_jsonschema():
    unwanted = {"litellm", "jsonschema", "rich", "click"}
    code = f"import sys, akgflow.verification.judge.judge; print(sorted({unwanted} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_timing_has_the_floor_alone():
    seen = []

    async def judging(lock, name):
        async with lock.shared():
            seen.append(f"{name} in")
            await asyncio.sleep(0.02)
            seen.append(f"{name} out")

    async def timing(lock):
        async with lock.exclusive():
            seen.append("timing in")
            await asyncio.sleep(0.02)
            seen.append("timing out")

    async def everybody():
        lock = TimingLock()
        first = [asyncio.create_task(judging(lock, name)) for name in "ab"]
        await asyncio.sleep(0.005)
        alone = asyncio.create_task(timing(lock))
        await asyncio.sleep(0.005)
        await asyncio.gather(*first, alone, judging(lock, "c"))

    asyncio.run(everybody())
    assert set(seen[:4]) == {"a in", "b in", "a out", "b out"}
    assert seen[4:] == ["timing in", "timing out", "c in", "c out"]
