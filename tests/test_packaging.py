"""What is installed from a wheel works in an empty folder, without the repository beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What people edit, in the repository, and the folder of the wheel that carries it.
EDITED = {"agents.yaml", "hardware.yaml", "schemas", "tasks", "SKILL.md"}


def _run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def _files(*paths: str) -> set[str]:
    """The files under these paths of the repository, relative to it, without what running leaves behind."""
    found = {file for path in paths for file in [ROOT / path, *(ROOT / path).rglob("*")] if file.is_file()}
    return {str(file.relative_to(ROOT)) for file in found if file.parent.name != "__pycache__"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    return out


@pytest.fixture(scope="module")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which nothing but the wheel was installed."""
    target = tmp_path_factory.mktemp("site")
    wheel = str(next(dist.glob("*.whl")))
    _run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), wheel, cwd=target)
    return target


def test_the_wheel_carries_what_the_repository_does(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    wanted = {f"akgflow/defaults/{path}" for path in _files(*EDITED)} | _files("akgflow")
    assert wanted <= names, f"missing in the wheel: {sorted(wanted - names)}"
    assert any(name.startswith("akgflow/dsls/") and name.endswith(".yaml") for name in names)
    assert not [name for name in names if name.startswith("tests/")]


def test_the_sdist_carries_the_sources_and_the_tests(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = _files("akgflow", *EDITED, "tests", "benchmarks", "README.md", "CONTRIBUTING.md", "LICENSE")
    assert wanted <= names, f"missing in the sdist: {sorted(wanted - names)}"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["list", "targets"], "nvidia_h200"),
        (["list", "dsls"], "triton"),
        (["list", "tasks"], "gemm_migrate"),
        (["schema", "task"], "http://json-schema.org/draft-07/schema"),
    ],
)
def test_an_installed_akgflow_works_in_an_empty_folder(
    site: Path, tmp_path: Path, arguments: list[str], shown: str
) -> None:
    where = _run(sys.executable, "-c", "import akgflow; print(akgflow.__file__)", cwd=tmp_path, PYTHONPATH=str(site))
    assert Path(where.strip()).is_relative_to(site)
    assert shown in _run(sys.executable, "-m", "akgflow", *arguments, cwd=tmp_path, PYTHONPATH=str(site))


def test_init_makes_a_workspace_that_validates(site: Path, tmp_path: Path) -> None:
    _run(sys.executable, "-m", "akgflow", "init", "here", cwd=tmp_path, PYTHONPATH=str(site))
    tasks = [str(path) for path in sorted((tmp_path / "here" / "tasks").glob("*.yaml"))]
    assert tasks
    _run(sys.executable, "-m", "akgflow", "validate", *tasks, cwd=tmp_path / "here", PYTHONPATH=str(site))
