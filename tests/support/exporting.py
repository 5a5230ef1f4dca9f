"""Real runs whose kernels are exported, and processes that use the packages without akgflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from openai_server import OpenAIServer
from plain_workspace import plain_workspace
from running import run
from small_task import RIGHT, by_agent, fenced, make_workspace

import akgflow
from akgflow.base.serial import to_json

TRITON = Path(__file__).with_name("scale_triton.py").read_text()
_WITHOUT_AKGFLOW = "import sys\nsys.modules['akgflow'] = None\n"


def finished_run(folder: Path, dsl: str) -> Path:
    """The folder of a run in which a model wrote a right kernel for ``relu(x * scale)``."""
    server = OpenAIServer()
    server.default = by_agent("a sketch", lambda _: fenced(TRITON if dsl == "triton" else RIGHT))
    before = os.environ.get("TEST_KEY")
    os.environ["TEST_KEY"] = "a key"
    try:
        task = make_workspace(folder, server.url)
        task.write_text(task.read_text().replace("dsl: [cpp]", f"dsl: [{dsl}]"))
        result = run(task)
    finally:
        server.close()
        os.environ.pop("TEST_KEY") if before is None else os.environ.update(TEST_KEY=before)
    assert result.jobs[0].verdict is not None and result.jobs[0].verdict.passed, result.jobs[0]
    return Path(result.folder)


def python(package: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A process that finds the package of an exported folder, and whatever is installed here."""
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(package / "src"), **env},
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def uses(package: Path, script: str) -> str:
    """What a script prints that imports the package where there is no akgflow."""
    done = python(package, "-c", f"{_WITHOUT_AKGFLOW}import torch, {package.name} as package\n{script}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported_operator(
    folder: Path,
    operator: str,
    kernel: str,
    *cases: str,
    fallback: bool = False,
    mode: str | None = None,
    prepare: bool | None = None,
    stem: str = "strange",
) -> Path:
    """A package of a kernel in plain PyTorch for any operator, by way of `verify` and its verdict in a file."""
    task = plain_workspace(folder, "http://127.0.0.1:9")
    space = task.parent.parent
    reference, candidate, verdict = folder / f"{stem}.py", folder / "kernel.py", folder / "verdict.json"
    reference.write_text(operator)
    candidate.write_text(kernel)
    asked = {"dsl": "plain", "operator": reference, "workspace": space}
    found = akgflow.verify(
        candidate, target="cpu", cases=cases, framework="allow", mode=mode, prepare=prepare, time=False, **asked
    )
    assert found.passed, found
    verdict.write_text(to_json(found))
    made = akgflow.export_candidate(
        candidate,
        verdict=verdict,
        to="folder",
        out=folder / "out",
        fallback=fallback,
        mode=mode,
        name="strange_kernel",
        **asked,
    )
    return Path(made.path)
