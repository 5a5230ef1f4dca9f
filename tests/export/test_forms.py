"""The command, what it refuses, and the forms that it writes: folder, wheel, kernel hub."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from documents import document


def akgflow(run: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", "export", run.name, "-w", str(run.parent.parent), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.thorough
def test_a_wheel_holds_kernel_evidence_tests_and_licence(cpp_run: Path, tmp_path: Path) -> None:
    done = akgflow(cpp_run, "-o", str(tmp_path), "--license", "MIT", "--json")
    assert done.returncode == 0, done.stderr
    made = document(done.stdout)
    assert made["package"] == "scale_cpp_cpu" and "executed for cpu" in made["summary"]
    (wheel,) = tmp_path.glob("*.whl")
    assert made["path"] == str(wheel)
    with zipfile.ZipFile(wheel) as opened:
        texts = {name: opened.read(name).decode() for name in opened.namelist()}
    inside = {name.partition("/")[2]: text for name, text in texts.items() if name.startswith("scale_cpp_cpu/")}
    checksums = json.loads(inside.pop("checksums.json"))
    assert checksums == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in inside.items()}
    assert {"kernel.py", "reference.py", "recheck.py", "benchmark.py", "tests/test_package.py"} <= set(inside)
    verdict = json.loads((cpp_run / "best" / "cpp-cpu" / "verdict.json").read_text())
    assert json.loads(inside["evidence/verdict.json"]) == verdict
    assert inside["kernel.py"] == (cpp_run / "best" / "cpp-cpu" / "candidate.py").read_text()
    provenance = json.loads(inside["evidence/provenance.json"])
    assert provenance["origins"] == ["live"] and provenance["libraries"] and provenance["models"]
    metadata = next(text for name, text in texts.items() if name.endswith("/METADATA"))
    assert "License-Expression: MIT AND Apache-2.0" in metadata and "Requires-Dist: apache-tvm-ffi" in metadata
    assert "under MIT" in next(text for name, text in texts.items() if name.endswith("/LICENSE"))


@pytest.mark.thorough
def test_the_same_kernel_gives_the_same_wheel(cpp_run: Path, tmp_path: Path) -> None:
    digests = []
    for place in ("one", "two"):
        assert akgflow(cpp_run, "-o", str(tmp_path / place)).returncode == 0
        digests += [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in (tmp_path / place).glob("*.whl")]
    assert len(digests) == 2 and len(set(digests)) == 1


@pytest.mark.thorough
def test_what_cannot_be_exported_is_said_and_nothing_written(cpp_run: Path, tmp_path: Path) -> None:
    out = ("-o", str(tmp_path / "out"))
    assert (done := akgflow(cpp_run, "--job", "cpp-cpo", *out)).returncode == 2 and "cpp-cpu" in done.stderr
    assert (done := akgflow(cpp_run, "--name", "Not-One", *out)).returncode == 2 and "not_one" in done.stderr
    assert (done := akgflow(cpp_run, "--license", 'MIT"', *out)).returncode == 2 and "SPDX" in done.stderr
    assert (done := akgflow(cpp_run.with_name("scal"), *out)).returncode == 2 and "scale" in done.stderr
    assert not (tmp_path / "out").exists()
    assert akgflow(cpp_run, "--to", "folder", *out).returncode == 0
    assert (done := akgflow(cpp_run, "--to", "folder", *out)).returncode == 2 and "exists already" in done.stderr


def test_a_kernel_or_an_operator_that_was_changed_after_the_run_is_not_exported(cpp_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(cpp_run, tmp_path / "runs" / cpp_run.name))
    for file in run.glob("jobs/cpp-cpu/*/candidate.py"):
        file.write_text(file.read_text() + "\n# faster\n")
    shutil.copytree(cpp_run.parent.parent / "tasks", tmp_path / "tasks")
    assert (done := akgflow(run, "-o", str(tmp_path))).returncode == 2 and "it was changed" in done.stderr
    (run / "operator.py").write_text("x = 1\n")
    assert (done := akgflow(run, "-o", str(tmp_path))).returncode == 2 and "operator.py" in done.stderr


def test_a_run_without_a_result_is_not_exported(cpp_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(cpp_run, tmp_path / "runs" / cpp_run.name))
    (run / "result.json").unlink()
    (tmp_path / "tasks").mkdir()
    assert (done := akgflow(run, "-o", str(tmp_path))).returncode == 2 and "no finished run" in done.stderr


@pytest.fixture(scope="session")
def hub(triton_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hub")
    done = akgflow(triton_run, "--to", "hf-kernel", "-o", str(out))
    assert done.returncode == 0, done.stderr
    return out / "scale_triton_cpu"


@pytest.mark.thorough
def test_a_project_of_the_hub_has_its_form(hub: Path) -> None:
    build = tomllib.loads((hub / "build.toml").read_text())
    general = build["general"]
    assert (general["name"], general["backends"], general["edition"]) == ("scale-triton-cpu", ["cpu"], 5)
    assert "json" in build["torch-noarch"]["pyext"]
    source, variant = hub / "torch-ext" / "scale_triton_cpu", hub / "build" / "torch-cpu"
    metadata = json.loads((variant / "metadata.json").read_text())
    for name, digest in metadata["digest"]["files"].items():
        assert base64.b64decode(digest) == hashlib.sha256((variant / name).read_bytes()).digest()
        assert name == "_ops.py" or (source / name).read_bytes() == (variant / name).read_bytes()
    absolute = [file for file in source.rglob("*.py") if "import scale_triton_cpu" in file.read_text()]
    assert not absolute, "what the hub loads goes by another name"


def _run(command: list[str | Path], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=cwd, env=clean | env, capture_output=True, text=True, check=False)


def _environment(folder: Path, *packages: str) -> Path:
    """A fresh virtual environment with these packages; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.thorough
@pytest.mark.parametrize("dsl", ["cpp", "triton"])
def test_a_wheel_works_in_an_empty_environment(dsl: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run: Path = request.getfixturevalue(f"{dsl}_run")
    assert akgflow(run, "-o", str(tmp_path)).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    python = _environment(tmp_path / "venv", "torch==2.13.0", str(wheel))
    package = f"scale_{dsl}_cpu"
    for arguments, code, words in (
        (["-c", "import akgflow"], 1, "No module named 'akgflow'"),
        (["-m", "unittest", f"{package}.tests.test_package"], 0, "OK"),
        (["-m", f"{package}.benchmark"], 0, "rows=8"),
        (["-m", f"{package}.recheck"], 4, "pip install 'akgflow=="),
    ):
        done = _run([python, *arguments], tmp_path)
        assert done.returncode == code and words in done.stdout + done.stderr, done.stderr


@pytest.mark.thorough
def test_the_hubs_own_tool_loads_the_project(hub: Path, tmp_path: Path) -> None:
    python = _environment(tmp_path / "venv", "kernels")
    site = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages" / "torch_of_this_environment.pth"
    site.write_text(str(Path(pytest.__file__).parents[1]))
    script = f"""
import kernels, pathlib, torch
from kernels._rust import Digest, DigestAlgorithm, Metadata
metadata = Metadata.read_from_file({str(hub / "build" / "torch-cpu" / "metadata.json")!r})
metadata.digest.validate(Digest.hash_variant(DigestAlgorithm.SHA256, {str(hub / "build" / "torch-cpu")!r}))
kernel = kernels.get_local_kernel(pathlib.Path({str(hub)!r}))
x, model = torch.randn(8, 16), kernel.ModelNew(16)
with torch.no_grad():
    print(torch.equal(torch.compile(model, fullgraph=True, backend="aot_eager")(x), torch.relu(x * model.scale)))
"""
    done = _run([python, "-c", script], tmp_path, HF_HUB_OFFLINE="1", PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0 and done.stdout == "True\n", done.stderr
