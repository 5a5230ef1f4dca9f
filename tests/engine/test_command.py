"""A run whose model is a command: answered, booked, recorded and replayed like any other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from openai_server import OpenAIServer
from plain_workspace import PLAIN_RIGHT, plain_workspace
from running import run
from small_task import fenced

from akgflow.runs import Outcome


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_command_answers_a_task(tmp_path: Path, openai_server: OpenAIServer, output: str) -> None:
    printed = {"result": fenced(PLAIN_RIGHT), "usage": {"input_tokens": 1000, "output_tokens": 200}}
    answer = json.dumps(printed) if output == "json" else fenced(PLAIN_RIGHT)
    script = tmp_path / "space" / "bin" / "agent"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!{sys.executable}\nimport sys\nassert 'ModelNew' in sys.stdin.read()\nprint({answer!r})\n")
    script.chmod(0o755)
    task = plain_workspace(tmp_path / "space", openai_server.url)
    command = f"[bin/agent, -p], output: {output}, price: {{usd_per_million_tokens: {{in: 1, out: 10}}}}"
    (tmp_path / "space" / "agents.yaml").write_text(f"version: 1\nmodels:\n  default: {{command: {command}}}\n")
    recording = task.parent / "recordings" / "scale.mine.yaml"
    first = run(task, "workflow=code_only", record=recording)
    (job,) = first.jobs
    assert (job.outcome, job.origins, job.calls) == (Outcome.MET, ("live",), 1)
    assert "command/default" in {row.model for row in first.accounts} and first.spent.usd > 0
    if output == "json":
        assert (first.spent.tokens, first.spent.usd) == (1200, pytest.approx(0.003))
    (tmp_path / "space" / "agents.yaml").write_text("version: 1\nmodels:\n  default: {model: recorded/mine}\n")
    script.unlink()
    again = run(task, "workflow=code_only")
    assert (again.jobs[0].outcome, again.jobs[0].origins) == (Outcome.MET, ("recorded",))
    assert again.jobs[0].best == job.best
