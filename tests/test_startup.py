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


def _modules(script: str) -> set[str]:
    """What is loaded after ``script``, beyond what an interpreter starts with."""
    said = "import sys\nbefore = {*sys.modules}\n" + script + "\nprint(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_to_import_the_package_is_lighter_than_to_import_click() -> None:
    """Counted in modules: seconds depend on who else is at work."""
    ours, click = _modules("import akgflow"), _modules("import click")
    assert {name for name in ours if name.startswith("akgflow")} == {
        *("akgflow", "akgflow.api", "akgflow.base", "akgflow.base.lazy_exports"),
    }
    assert len(ours) < len(click), sorted(ours - click)


def test_help_loads_little_more_than_click() -> None:
    script = "import io, runpy, contextlib\nsys.argv = ['akgflow', '--help']\n"
    shown = "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
    ours = _modules(f"{script}{shown}    runpy.run_module('akgflow', run_name='__main__')")
    assert len(ours) < 2 * len(_modules("import click, io, runpy, contextlib")), sorted(ours)


@pytest.mark.parametrize("name", ["load", "plan", "validate"])
def test_what_only_looks_brings_no_event_loop(name: str) -> None:
    loaded = {module.partition(".")[0] for module in _modules(f"import akgflow\nakgflow.{name}")}
    assert not loaded & (HEAVY | {"asyncio", "click", "ssl"})


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_commands_that_only_look_bring_none_either(command: str) -> None:
    assert not _imported(command, "tasks/gemm_migrate.yaml") & {"asyncio", "ssl", "sqlite3", "filelock"}


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
