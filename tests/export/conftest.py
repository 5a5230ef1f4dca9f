"""One run and one package for each DSL, for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from exporting import finished_run

import akgflow


@pytest.fixture(scope="session")
def cpp_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("cpp"), "cpp")


@pytest.fixture(scope="session")
def triton_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("triton"), "triton")


@pytest.fixture(scope="session")
def cpp_package(cpp_run: Path) -> Path:
    return _folder(cpp_run)


@pytest.fixture(scope="session")
def triton_package(triton_run: Path) -> Path:
    return _folder(triton_run)


def _folder(run: Path) -> Path:
    space = run.parent.parent
    return Path(akgflow.export_kernel(run, to="folder", out=space / "out", workspace=space).path)
