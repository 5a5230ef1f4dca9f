"""An operator that cannot be judged is an error of what was written: of every command, with the same exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openai_server import OpenAIServer
from plain_workspace import PLAIN_RIGHT, plain_workspace, wrong_then_right
from sampling import sampled

UNFIT = {
    "random": ("torch.relu(x * self.scale)", "torch.nn.functional.dropout(x * self.scale)", "draws random numbers"),
    "fails in the second case": ("return torch.relu", "assert len(x) != 5\n        return torch.relu", "forward fails"),
    "gives nothing": ("return torch.relu(x * self.scale)", "x * self.scale", "nothing to judge"),
    "inputs are no list": ("return [torch.randn(rows, columns)]", "return 3", "must give a list"),
}


def akgflow(*args: str, cwd: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "akgflow", *args]
    environ = {**os.environ, "TEST_KEY": "k"}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", sampled(UNFIT))
def test_verify_and_run_end_alike(tmp_path: Path, openai_server: OpenAIServer, name: str) -> None:
    right, wrong, words = UNFIT[name]
    openai_server.default = wrong_then_right()
    plain_workspace(tmp_path, openai_server.url)
    file = tmp_path / "tasks" / "operators" / "scale.py"
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))
    (tmp_path / "k.py").write_text(PLAIN_RIGHT)
    judged = akgflow(
        "verify", "k.py", "--task", "scale", "--dsl", "plain", "--target", "cpu", "--no-time", cwd=tmp_path
    )
    ran = akgflow("run", "scale", cwd=tmp_path)
    assert (judged[0], ran[0]) == (2, 2), (judged, ran)
    for _, said in (judged, ran):
        assert words in " ".join(said.replace("│", " ").split())
    assert "the operator cannot be judged" in ran[1]
