"""``run.lock``: what a run depended on, also over sessions on other libraries, and nothing secret."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from known import VERDICT
from small_task import make_workspace

from akgflow import api
from akgflow.base.atomic import write_json
from akgflow.errors import ConfigError
from akgflow.planning import Conditions, identity
from akgflow.runs.damage import DamagedRun
from akgflow.runs.journal import Journal
from akgflow.runs.layout import JOURNAL, LOCK
from akgflow.runs.lock import Lock, lock_in, lock_of
from akgflow.verdict import Environment

KEY = "sk-0123456789abcdef0123"
OLD, NEW = (Environment("a CPU", {"torch": version}) for version in ("2.13", "2.14"))


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lock:
    monkeypatch.setenv("TEST_KEY", KEY)
    params = "    params: {temperature: 0.5, seed: 7, extra_headers: {X-Team: mine}}\n"
    task = make_workspace(tmp_path, "http://127.0.0.1:9", task="tolerance: 2\nworkflow: evolve\n", models=params)
    loaded = api.load(task)
    plan = api.plan(loaded)
    with closing(Journal(tmp_path / JOURNAL)) as journal:
        for number, where in enumerate((OLD, OLD, NEW)):
            journal.write(f"verdict cpp-cpu.{number}", replace(VERDICT, environment=where))
        made = lock_of(loaded.task, loaded.workspace, plan, journal)
    assert (made.plan, made.conditions) == (identity(plan), Conditions.of(loaded.task))
    return made


def test_it_says_what_a_run_depended_on(lock: Lock, tmp_path: Path) -> None:
    assert lock.environments == (OLD, NEW)
    assert lock.models["default"].params == {"temperature": 0.5, "seed": 7}
    assert lock.conditions.tolerance == 2.0 and "agent coder" in lock.inputs
    assert lock.seeds and set(lock.seeds.values()) == {0}
    write_json(tmp_path / LOCK, lock)
    assert lock_in(tmp_path) == lock and lock_in(tmp_path / "nowhere") is None


def test_a_damaged_one_and_one_of_a_later_version_are_said(lock: Lock, tmp_path: Path) -> None:
    write_json(tmp_path / LOCK, replace(lock, version=2))
    with pytest.raises(ConfigError, match="has version 2"):
        lock_in(tmp_path)
    (tmp_path / LOCK).write_text("{")
    with pytest.raises(DamagedRun, match=r"run\.lock is damaged"):
        lock_in(tmp_path)
