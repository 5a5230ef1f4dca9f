"""Judging on a real Ray cluster of several nodes; its devices are CPU stand-ins, for scheduling only."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray")
from small_task import RIGHT, make_workspace
from stand_ins import Nodes, eventually, job, stand_in

from akgflow.executors.routing import RoutingExecutor
from akgflow.machine import detect
from akgflow.verdict import JudgeRequest, Verdict

pytestmark = pytest.mark.ray
HARDWARE = """\
version: 1
targets:
  h200_stand_in: {{platform: cpu, arch: native, reach: {{ray: {{address: "{address}", resources: {{h200: 1}}}}}}}}
  b200_stand_in: {{platform: cpu, arch: native, reach: {{ray: {{address: "{address}", resources: {{b200: 1}}}}}}}}
  real_h200:
    {{platform: cuda, arch: sm_90a, device: H200, reach: {{ray: {{address: "{address}", resources: {{h200: 1}}}}}}}}
"""
SPIES = RIGHT.replace(
    "_kernel.scale_relu(",
    "raise ValueError(' '.join(sorted(__import__('os').environ)))\n        _kernel.scale_relu(",
)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """The cluster, whose processes were started with a key in their environment, as careless as users are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AKGFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OPENAI_API_KEY", "sk-of-the-cluster")
        made = Nodes()
        patch.setenv("ANTHROPIC_API_KEY", "sk-of-the-driver")
        yield made
        made.close()


class Driver:
    """One executor for all tests: an actor takes seconds to start, a judgement a fraction of one."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[str] = []
        self.runner = asyncio.Runner()
        self.executor = RoutingExecutor(detect(), folder, notify=self.heard.append)

    def judge(self, request: JudgeRequest) -> Verdict:
        return self.runner.run(self.executor.judge(request))


@pytest.fixture(scope="module")
def driver(nodes, tmp_path_factory):
    found = Driver(tmp_path_factory.mktemp("scratch"))
    yield found
    found.runner.run(found.executor.close())
    found.runner.close()
    assert eventually(lambda: not judges())


def akgflow(*args: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "akgflow", *args], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plan_says_what_the_cluster_has_and_what_it_lacks(nodes, openai_server, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "sk-of-the-test")
    task = make_workspace(tmp_path, openai_server.url)
    task.write_text(task.read_text().replace("target: [cpu]", "target: [cpu, h200_stand_in, b200_stand_in, real_h200]"))
    task.write_text(task.read_text().replace("dsl: [cpp]", "dsl: [cpp, triton]"))
    (tmp_path / "hardware.yaml").write_text(HARDWARE.format(address=nodes.address))
    jobs = {job["id"]: job for job in json.loads(akgflow("plan", "scale", "--json", cwd=tmp_path))["plan"]["jobs"]}
    assert jobs["cpp-cpu"]["reach"]["at"] == ""
    assert jobs["cpp-h200_stand_in"]["reach"] == {
        "evidence": ["executed"],
        "gaps": {},
        "at": f"Ray at {nodes.address}, h200: 1",
    }
    assert "no node of the Ray cluster" in jobs["cpp-b200_stand_in"]["impossible"]
    assert "has b200: 1 (its 4 nodes have h200, mi300x)" in jobs["cpp-b200_stand_in"]["impossible"]
    # The node says what it has; that it offers a resource of that name does not make it one.
    real = jobs["triton-real_h200"]["reach"]
    assert real["evidence"] == ["interpreted", "compiled"]
    assert "no local device is real_h200" in real["gaps"]["executed"]
    said = akgflow("doctor", cwd=tmp_path)
    assert f"reach h200_stand_in      Ray at {nodes.address}, h200: 1: 2 at once on" in said
    assert f"none of its nodes is a real_h200; they are: {detect().cpu}" in said


def test_nobody_is_lost_or_counted_twice_when_a_node_dies(nodes, driver):
    done: list[int] = []

    async def one(number):
        wanted, request = job(number, stand_in("mi300x" if number % 4 == 3 else "h200", nodes.address))
        verdict = await driver.executor.judge(request)
        done.append(number)
        return number, wanted, verdict

    async def all_of_them():
        tasks = [asyncio.create_task(one(number)) for number in range(16)]
        while len(done) < 4:
            await asyncio.sleep(0.05)
        return await asyncio.to_thread(nodes.kill, "h200"), await asyncio.gather(*tasks)

    killed, results = driver.runner.run(all_of_them())
    assert sorted(done) == list(range(16))
    for number, wanted, verdict in results:
        assert verdict.status == wanted, verdict.message
        assert verdict.environment.hardware == detect().cpu
        if verdict.correctness:
            assert {case.case["rows"] for case in verdict.correctness.cases} == {number + 1}
    assert all(killed[:8] in said for said in driver.heard)


def test_no_key_reaches_a_candidate_and_no_device_that_is_not_its(nodes, driver):
    _, request = job(0, stand_in("mi300x", nodes.address))
    said = driver.judge(replace(request, candidate=SPIES)).message
    assert "CUDA_VISIBLE_DEVICES" in said
    assert "KEY" not in said and "RAY" not in said


def test_each_request_goes_where_its_target_is(nodes, driver):
    _, far = job(0, stand_in("mi300x", nodes.address))
    here, there = driver.judge(replace(far, target=replace(far.target, reach=None))), driver.judge(far)
    assert (here.passed, here.environment.node) == (True, "")
    assert (there.passed, there.environment.node != "") == (True, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resources": {"b200": 1}}, "has b200: 1 (its"),
        ({"resources": {"mi300x": 2}}, "has mi300x: 2 (its"),
        ({"address": "127.0.0.1:1"}, "one run uses one Ray cluster"),
    ],
)
def test_what_the_cluster_cannot_do_is_not_run_at_once(nodes, driver, change, said):
    _, request = job(0, stand_in("mi300x", nodes.address))
    reach = replace(request.target.reach, **change)
    verdict = driver.judge(replace(request, target=replace(request.target, name=said, reach=reach)))
    assert verdict.status == "NOT_RUN"
    assert said in verdict.message


def test_what_is_lost_everywhere_is_not_run_and_says_so(nodes, driver):
    _, request = job(0, stand_in("mi300x", nodes.address))
    sleeps = RIGHT.replace("_kernel.scale_relu(", "__import__('time').sleep(99)\n        _kernel.scale_relu(")
    driver.heard.clear()

    async def killed_on_every_node():
        task = asyncio.create_task(driver.executor.judge(replace(request, candidate=sleeps)))
        while not task.done():
            for worker in actors():
                worker.kill()
            await asyncio.sleep(0.1)
        return await task

    verdict = driver.runner.run(killed_on_every_node())
    assert verdict.status == "NOT_RUN"
    assert len(driver.heard) == 3
    assert "Ray cluster at" in verdict.environment.hardware
    assert verdict.absent["executed"] == verdict.message
    assert driver.judge(request).passed


def actors():
    """Ray's worker processes that hold a judge of this test's cluster."""
    parents = (judge.parent() for judge in judges())
    return [parent for parent in parents if parent and "ray::NodeJudge" in " ".join(parent.cmdline())]


def judges():
    mine = os.environ["AKGFLOW_CACHE"]
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "akgflow.verification.judge.worker" in (process.info["cmdline"] or ()):
            try:
                if process.environ().get("AKGFLOW_CACHE") == mine:
                    found.append(process)
            except psutil.Error:
                continue
    return found
