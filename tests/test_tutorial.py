"""The tutorial, followed word by word: its files are written, its commands run, with a model on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openai_server import OpenAIServer, Seen
from small_task import RIGHT, WRONG, by_agent, fenced

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


@pytest.mark.thorough
def test_every_step_does_what_it_says(tmp_path: Path, openai_server: OpenAIServer) -> None:
    replies = iter([WRONG, RIGHT])

    def code(seen: Seen) -> str:
        return fenced(next(replies, RIGHT))

    openai_server.default = by_agent("a row at a time", code)
    installed, *steps = blocks("sh")
    assert "akgflow init kernels" in installed
    operator, use = blocks("python")
    (task,) = blocks("yaml")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OPENAI_API_KEY": "none"}

    def shell(script: str, cwd: Path) -> str:
        done = subprocess.run(["bash", "-ec", script], cwd=cwd, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    shell("akgflow init kernels", tmp_path)
    space = tmp_path / "kernels"
    named = re.findall(r"Save it as `([^`]+)`", TEXT)
    for name, text in zip(named, (operator, task), strict=True):
        (space / name).parent.mkdir(exist_ok=True)
        (space / name).write_text(text, encoding="utf-8")
    said = []
    for step in steps:
        step = step.replace("http://localhost:8000/v1", openai_server.url)
        for name, value in re.findall(r"(\w+)=(\S+)", step if step.startswith("export") else ""):
            env[name] = value
        said.append(shell(step.replace("pip install", "pip install -q --no-index --no-deps --target site"), space))
    assert "columns" in said[0] and "executed" in said[1] and "PASSED" in said[2] and "PASSED" in said[3]
    assert (space / "report.html").is_file() and "earlier run" in shell("akgflow plan scale_relu", space)
    env["PYTHONPATH"] = str(space / "site")
    (space / "use.py").write_text(use, encoding="utf-8")
    assert "float64" in shell("python use.py", space)
