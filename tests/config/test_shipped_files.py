"""The files that ship load cleanly, and loading them stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from akgflow.base import resources
from akgflow.config import list_tasks, load, load_all, schema_text
from akgflow.config._problems import Problems
from akgflow.config._yaml import parse

TASKS = sorted(path.stem for path in resources.tasks().glob("*.yaml"))


@pytest.mark.parametrize("name", TASKS)
def test_a_shipped_task_loads_in_an_empty_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(name, env={})
    assert loaded.task.name == name
    assert loaded.workspace.root == tmp_path
    assert set(loaded.task.targets) <= set(loaded.workspace.targets)


def test_the_repository_is_a_workspace() -> None:
    root = resources.defaults()
    space, tasks = load_all(root, env={})
    assert [task.file.stem for task in tasks] == TASKS == sorted(list_tasks(root))
    assert space.workflows["design_code_repair"].steps


def test_looking_at_the_package_loads_no_validator() -> None:
    code = "import sys, akgflow.config; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jsonschema", "jinja2", "litellm", "torch", "triton"} & set(done.stdout.split())


def test_loading_takes_in_nothing_heavy() -> None:
    code = (
        "import sys\nfrom akgflow.config import load\n"
        f"load({TASKS[0]!r}, env={{}})\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not {"litellm", "torch", "triton", "numpy", "ray"} & set(done.stdout.split())


def _shipped() -> list[tuple[str, Path]]:
    top = resources.defaults()
    packs = [("dsl", path) for path in sorted(resources.dsl_packs().glob("*.yaml"))]
    tasks = [("task", path) for path in sorted(resources.tasks().glob("*.yaml"))]
    return [("agents", top / "agents.yaml"), ("hardware", top / "hardware.yaml"), *packs, *tasks]


@pytest.mark.parametrize(("kind", "path"), _shipped(), ids=lambda value: Path(value).name)
def test_an_editor_finds_nothing_wrong_and_knows_the_schema(kind: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    node = parse(text, path.name, Problems())
    assert node is not None
    assert list(Draft7Validator(json.loads(schema_text(kind))).iter_errors(node.data())) == []
    assert f"{kind}.schema.json" in text.splitlines()[0]
