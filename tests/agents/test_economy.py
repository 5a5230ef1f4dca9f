"""Prompt economy of what is shipped, as benchmarks/prompts.py measures it: what must not creep away."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from akgflow.agents.feedback import MAX_CHARACTERS
from akgflow.config import list_tasks, load

ROOT = Path(__file__).resolve().parents[2]


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_prompts", ROOT / "benchmarks" / "prompts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    benchmark = _benchmark()
    count = benchmark.tokenizer()
    found = [load(name, root=ROOT) for name in list_tasks(ROOT)]
    return [row for one in found for row in benchmark.measure(one.task, one.workspace, count)]


@pytest.mark.thorough
def test_the_coders_first_prompt_is_small_for_every_shipped_task_and_dsl(rows: list[Any]) -> None:
    first = {(row.task, row.dsl): row.tokens for row in rows if (row.agent, row.stage) == ("coder", "first")}
    assert {dsl for _, dsl in first} >= {"triton", "cpp", "cuda_c"}
    assert {key: tokens for key, tokens in first.items() if tokens >= 5500} == {}


def test_most_of_a_repair_has_been_read_or_written_before(rows: list[Any]) -> None:
    repairs = [row for row in rows if row.agent == "coder" and row.stage.startswith("repair")]
    assert repairs and min(row.seen for row in repairs) >= 0.85


def test_findings_are_bounded() -> None:
    benchmark = _benchmark()
    assert len(benchmark.describe(benchmark.VERDICT)) <= MAX_CHARACTERS
