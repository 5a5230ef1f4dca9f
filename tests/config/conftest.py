"""A real workspace in a temporary folder, over shipped files of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from akgflow.base import resources
from akgflow.config import Loaded, load
from akgflow.errors import ConfigError, Problem

SHIPPED_AGENTS = """\
version: 1
models:
  default:
    model: {env: AKGFLOW_MODEL, default: recorded/akgflow}
    params: {temperature: 0.2, max_tokens: 16000}
    limits: {max_parallel: 4, timeout: 180s, retries: 4}
agents:
  designer:
    model: default
    prompt: Sketch {{ operator.source }}.
  coder:
    model: default
    description: Writes kernels.
    system: |
      You write {{ dsl.title }}.
    prompt: |
      {% if source %}Start from
      {{ source.source }}
      {% endif %}
      {{ sketch }}
    reply: {format: code, must_define: [ModelNew]}
workflows:
  design_code_repair:
    steps:
      sketch: {agent: designer}
      code: {agent: coder, samples: 2}
      fix: {repair: code, agent: coder, until: correct, max_attempts: 5}
  design_code_improve:
    extends: design_code_repair
    steps:
      more: {repair: fix, agent: coder, until: correct, max_attempts: 1}
"""
SHIPPED_HARDWARE = """\
version: 1
targets:
  cpu: {platform: cpu, arch: native}
  nvidia_h200:
    platform: cuda
    arch: sm_90a
    facts: {sms: 132, tflops: {fp32: 67}}
    sources: [a datasheet]
"""
SHIPPED_DSL = """\
version: 1
dsl: triton
title: Triton
toolchain: triton
platforms: {cpu: [interpreted], cuda: [executed, interpreted, compiled]}
knowledge: {always: [triton/basics.md], by_operator: {gemm: [triton/dot.md]}}
"""
OPERATOR = """\
class Model: ...

def get_inputs(m=4, k=4):
    return []

def get_init_inputs(n=4):
    return []
"""
TASK = """\
version: 1
name: small
kind: generate
operator: {file: operators/small.py, kind: gemm}
cases:
  - {m: 256, n: 256}
matrix:
  dsl: [triton]
  target: [cpu]
budget: {usd: 2.0, tokens: 400k, minutes: 30}
"""


@dataclass
class Place:
    """The workspace ``root``, over the ``shipped`` files."""

    root: Path
    shipped: Path
    task: str = TASK
    """The text of ``tasks/small.yaml``, to be changed and written again."""

    def write(self, path: str, text: str) -> Path:
        """Write a file of the workspace."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def load(self, task: str = "small", overrides: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Loaded:
        """What `akgflow.config.load` makes of it."""
        return load(task, overrides=overrides, env=env or {})

    def problems(
        self, task: str = "small", overrides: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> list[Problem]:
        """What is wrong; fails where nothing is."""
        with pytest.raises(ConfigError) as caught:
            self.load(task, overrides, env)
        return list(caught.value.problems)

    def said(
        self, task: str = "small", overrides: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> list[str]:
        """What is wrong, as the lines that a user reads."""
        return [str(problem) for problem in self.problems(task, overrides, env)]


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A workspace with one good task; the current folder is its root."""
    shipped, root = tmp_path / "shipped", tmp_path / "work"
    shutil.copytree(resources.defaults() / "schemas", shipped / "schemas")
    packs = {"dsls/triton.yaml": SHIPPED_DSL, "dsls/triton/basics.md": "basics", "dsls/triton/dot.md": "dot"}
    _fill(shipped, {"agents.yaml": SHIPPED_AGENTS, "hardware.yaml": SHIPPED_HARDWARE, **packs})
    _fill(root, {"tasks/small.yaml": TASK, "tasks/operators/small.py": OPERATOR})
    monkeypatch.setattr(resources, "defaults", lambda: shipped)
    monkeypatch.setattr(resources, "dsl_packs", lambda: shipped / "dsls")
    monkeypatch.chdir(root)
    return Place(root, shipped)
