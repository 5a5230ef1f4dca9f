"""A part of the shipped migration through litellm: AKGFLOW_MODEL and AKGFLOW_API_BASE are all that makes it live."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from documents import document
from openai_server import Answer, OpenAIServer, Seen

from akgflow.base import resources
from akgflow.config import Loaded, load
from akgflow.models.recording import Recording, read_recording

ROLES = {"You lead": "conductor", "You design": "designer", "You write": "coder"}


@pytest.mark.thorough
def test_the_shipped_task_runs_with_a_model_behind_an_api(tmp_path: Path, openai_server: OpenAIServer) -> None:
    task = resources.tasks() / "gemm_migrate.yaml"
    loaded = load(str(task))
    recording = read_recording(task.parent / "recordings/gemm_migrate.akgflow.yaml")
    openai_server.models["anything"] = replay(loaded, recording)
    env = {"AKGFLOW_MODEL": "openai/anything", "AKGFLOW_API_BASE": openai_server.url, "OPENAI_API_KEY": "sk-local-test"}
    env["AKGFLOW_PRICE"] = "free"
    made = tmp_path / "made.yaml"
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "akgflow",
            "run",
            str(task),
            "--run-dir",
            tmp_path / "run",
            "--record",
            made,
            "--json",
            "--set",
            "matrix.dsl=[triton, cpp]",
            "--set",
            "matrix.target=[cpu, nvidia_h200, amd_mi300x]",
        ],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert shown.returncode == 0, shown.stderr
    result = document(shown.stdout)
    met = {job["job"]: job for job in result["jobs"] if job["outcome"] == "met"}
    assert set(met) == {"triton-cpu", "triton-nvidia_h200", "triton-amd_mi300x", "cpp-cpu"}
    assert {origin for job in met.values() for origin in job["origins"]} == {"live"}
    assert "executed" in met["cpp-cpu"]["verdict"]["evidence"]
    assert {"interpreted", "compiled"} <= set(met["triton-nvidia_h200"]["verdict"]["evidence"])
    recorded = Counter(one.job for one in recording.replies.values() if one.agent == "coder")
    assert {name: len(job["attempts"]) for name, job in met.items()} == {name: recorded[name] for name in met}
    assert max(recorded[name] for name in met) > 1, "one of them has a repair"
    # The server says what each call took; none was asked twice.
    assert result["spent"]["calls"] == len(openai_server.requests) == len(read_recording(made).replies)
    assert result["spent"]["prompt_tokens"] == 11 * len(openai_server.requests)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if "sk-local-test" in path.read_text(errors="replace")]


def replay(loaded: Loaded, recording: Recording) -> Callable[[Seen], Answer]:
    """A behaviour that knows from the prompt alone which of the recorded replies is wanted."""
    space = loaded.workspace

    def behave(seen: Seen) -> Answer:
        (agent,) = [role for opening, role in ROLES.items() if seen.prompt.startswith(opening)]
        step = "sketch" if agent == "designer" else "fix" if "What the judge found" in seen.prompt else "code"
        for reply in recording.replies.values():
            if (reply.agent, reply.step) != (agent, step):
                continue
            if agent == "designer":
                return Answer(reply.text)
            dsl, _, target = reply.job.partition("-")
            about_target = f"{space.targets[target].title} (" in seen.prompt
            title = space.dsls[dsl].title
            if about_target and (f"in {title}" in seen.prompt or f": {title} on" in seen.prompt):
                return Answer(reply.text)
        return Answer(status=500, body=f"no reply for {agent} in {step}")

    return behave
