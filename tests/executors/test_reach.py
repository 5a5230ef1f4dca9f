"""Targets that are elsewhere, and no cluster is there: what is said, and what is still judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from documents import document
from small_task import make_workspace

from akgflow.config import load
from akgflow.errors import ConfigError

HARDWARE = """\
version: 1
targets:
  far_h200: {platform: cuda, arch: sm_90a, device: H200, reach: {ray: {address: "127.0.0.1:1", resources: {h200: 1}}}}
  far_cpu: {platform: cpu, arch: native, reach: {ray: {address: "127.0.0.1:1", resources: {epyc: 1, CPU: 8}, wait: 9m}}}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    task = make_workspace(tmp_path, "http://127.0.0.1:9/v1")
    text = task.read_text().replace("dsl: [cpp]", "dsl: [cpp, triton]")
    task.write_text(text.replace("target: [cpu]", "target: [cpu, far_h200, far_cpu]"))
    (tmp_path / "hardware.yaml").write_text(HARDWARE)
    return tmp_path


def test_where_it_is_can_be_read_from_the_target(workspace: Path) -> None:
    reach = load("scale", root=workspace).workspace.targets["far_cpu"].reach
    assert reach is not None
    assert (str(reach), reach.wait) == ("Ray at 127.0.0.1:1, epyc: 1, CPU: 8", 540.0)


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        ("{}", "lacks 'ray'"),
        ("{ray: {}}", "lacks 'resources'"),
        ("{ray: {resources: {}}}", "'resources'"),
        ("{ray: {resources: {h200: 0.5}}}", "a whole number"),
        ("{ray: {resources: {h200: 0}}}", "at least 1"),
        ("{ray: {resource: {h200: 1}}}", "did you mean 'resources'?"),
        ("{slurm: {}}", "'slurm'"),
    ],
)
def test_devices_are_taken_whole_and_typos_are_found(workspace: Path, reach: str, said: str) -> None:
    (workspace / "hardware.yaml").write_text(
        f"version: 1\ntargets:\n  far_h200: {{platform: cuda, arch: sm_90a, reach: {reach}}}\n"
    )
    with pytest.raises(ConfigError) as error:
        load("scale", root=workspace)
    assert said in str(error.value)
    assert "hardware.yaml:3:" in str(error.value)


def test_a_cluster_that_is_not_there_leaves_what_can_be_seen_from_here(workspace: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "akgflow", "plan", "scale", "--json"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "ray" not in imported
    jobs = {job["id"]: job for job in document(done.stdout)["plan"]["jobs"]}
    reach = jobs["triton-far_h200"]["reach"]
    assert (reach["evidence"], reach["at"]) == (["interpreted", "compiled"], "")
    for reason in (reach["gaps"]["executed"], jobs["cpp-far_cpu"]["impossible"]):
        assert "there is no Ray cluster at 127.0.0.1:1" in reason or "ray is not installed" in reason
    assert jobs["cpp-cpu"]["reach"] == {"evidence": ["executed"], "gaps": {}, "at": ""}
