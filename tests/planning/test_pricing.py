"""A ceiling in dollars holds, or is refused before anything is spent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import document
from openai_server import OpenAIServer
from small_task import make_workspace

from akgflow.config import Loaded, load
from akgflow.errors import ConfigError
from akgflow.models.prices import price_of
from akgflow.planning.pricing import agents_in, check_prices

PRICED = "    price: {usd_per_million_tokens: {in: 3, out: 15}}\n"
CAPPED = "budget: {usd: 0}\n"


def check(loaded: Loaded) -> None:
    """`check_prices` for the agents of the task's workflow."""
    agents = agents_in(loaded.workspace.workflows[loaded.task.workflow], loaded.workspace)
    check_prices(loaded.task, loaded.workspace, agents, price_of)


def akgflow(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TEST_KEY": "k"}
    command = [sys.executable, "-m", "akgflow", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_a_ceiling_that_cannot_hold_is_refused_before_the_first_call(
    command: str, tmp_path: Path, openai_server: OpenAIServer
) -> None:
    make_workspace(tmp_path, openai_server.url, task=CAPPED)
    done = akgflow(tmp_path, command, "scale")
    assert done.returncode == 2
    assert "tasks/scale.yaml:8:15: budget.usd cannot hold: no price is known for openai/first" in done.stderr
    assert "--set models.default.price=free" in done.stderr and "nothing was spent" in done.stderr
    assert not openai_server.requests and not (tmp_path / "runs").exists()


def test_validate_of_a_whole_workspace_says_it_too(tmp_path: Path) -> None:
    make_workspace(tmp_path, "http://127.0.0.1:9/v1", task=CAPPED)
    done = akgflow(tmp_path, "validate", "--json")
    assert done.returncode == 2
    (problem,) = document(done.stdout)["problems"]
    assert problem["mark"] == {"file": "tasks/scale.yaml", "line": 8, "column": 15}


@pytest.mark.parametrize(
    ("models", "overrides", "unpriced"),
    [
        ("", (), ["openai/first"]),
        (PRICED, (), []),
        ("    price: {input: 3, output: 15}\n", (), []),
        ("    price: free\n", (), []),
        ("    price: unknown\n", (), []),
        ("    price: null\n", (), ["openai/first"]),
        ("", ("models.default.price=free",), []),
        ("", ("models.default.model=recorded/x",), []),
        ("", ("models.default.model=manual/x",), []),
        ("", ("models.default.model=openai/gpt-4o",), []),
        ("", ("models.default.model=hosted_vllm/gpt-4o",), ["hosted_vllm/gpt-4o"]),
        (PRICED + "    fallbacks: [spare]\n  spare: {model: openai/spare}\n", (), ["openai/spare"]),
        (PRICED + "    fallbacks: [spare]\n  spare: {model: openai/spare, price: free}\n", (), []),
        (PRICED + "  idle: {model: openai/idle}\n", (), []),
    ],
)
def test_every_model_that_may_be_asked_needs_a_price(
    models: str, overrides: tuple[str, ...], unpriced: list[str], tmp_path: Path
) -> None:
    task = make_workspace(tmp_path, "http://127.0.0.1:9/v1", models=models, task=CAPPED)
    loaded = load(str(task), overrides=overrides)
    refused: list[str] = []
    try:
        check(loaded)
    except ConfigError as wrong:
        refused = [name for name in unpriced if any(f"known for {name} " in p.message for p in wrong.problems)]
        assert len(wrong.problems) == len(unpriced)
    assert refused == unpriced


def test_without_a_ceiling_in_dollars_no_price_is_needed(tmp_path: Path) -> None:
    loaded = load(str(make_workspace(tmp_path, "http://127.0.0.1:9/v1")))
    check(loaded)
