"""Heavy packages load late: what only looks at files imports no framework, no compiler and no model client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"litellm", "torch", "triton", "tilelang", "ray", "tvm_ffi", "openai", "numpy"}


def _imported(*arguments: str) -> set[str]:
    """The top-level packages that ``python -m akgflow`` imports with these arguments."""
    command = [sys.executable, "-X", "importtime", "-m", "akgflow", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {row.rpartition("|")[2].strip().partition(".")[0] for row in rows}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["validate", "tasks/gemm_migrate.yaml"],
        ["plan", "tasks/gemm_migrate.yaml"],
        ["plan", "tasks/softmax_generate.yaml", "--json"],
        ["list", "targets"],
        ["schema", "task"],
    ],
    ids=" ".join,
)
def test_looking_loads_nothing_heavy(arguments: list[str]) -> None:
    imported = _imported(*arguments)
    assert "click" in imported
    assert not imported & HEAVY
