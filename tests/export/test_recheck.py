"""``python -m PACKAGE.recheck``: the judge again, and what it says where files were changed or akgflow is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from documents import document
from exporting import python

import akgflow
from akgflow.errors import ConfigError


@pytest.mark.thorough
def test_the_judge_says_again_that_it_passed(cpp_package: Path) -> None:
    done = python(cpp_package, "-m", f"{cpp_package.name}.recheck", "--json")
    assert done.returncode == 0, done.stderr
    (kernel,) = document(done.stdout)["kernels"]
    verdict = kernel["verdict"]
    assert (kernel["pair"]["call"], kernel["changes"]) == ("same", [])
    assert (verdict["status"], verdict["evidence"]) == ("PASSED", ["executed"])
    cases = {json.dumps(one["case"], sort_keys=True) for one in verdict["correctness"]["cases"]}
    facts = json.loads((cpp_package / "src" / cpp_package.name / "evidence" / "facts.json").read_text())
    assert cases == {json.dumps(one["case"], sort_keys=True) for one in facts["signatures"]}


def _changed(path: Path) -> None:
    path.write_text(path.read_text().replace("y > 0 ? y : 0", "y"))


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "kernel": (lambda root: _changed(root / "kernel.py"), "kernel.py was changed"),
    "guard": (lambda root: (root / "_guard.py").write_text("find = checked = print\n"), "_guard.py was changed"),
    "verdict": (lambda root: (root / "evidence" / "verdict.json").unlink(), "evidence/verdict.json is missing"),
    "added": (lambda root: (root / "torch.py").write_text(""), "torch.py was added"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_file_is_refused(name: str, cpp_package: Path, tmp_path: Path) -> None:
    package = Path(shutil.copytree(cpp_package, tmp_path / cpp_package.name))
    change, words = TAMPERED[name]
    change(package / "src" / package.name)
    done = python(package, "-m", f"{package.name}.recheck")
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(ConfigError, match="not what was exported"):
        akgflow.recheck(package / "src" / package.name)


@pytest.mark.thorough
def test_a_kernel_that_was_changed_with_its_checksum_is_judged_for_what_it_is(
    cpp_package: Path, tmp_path: Path
) -> None:
    from akgflow.export.files import checksums

    package = Path(shutil.copytree(cpp_package, tmp_path / cpp_package.name))
    root = package / "src" / package.name
    _changed(root / "kernel.py")
    names = json.loads((root / "checksums.json").read_text())
    (root / "checksums.json").write_text(checksums({name: (root / name).read_text() for name in names}))
    done = python(package, "-m", f"{package.name}.recheck")
    assert done.returncode == 1 and "INCORRECT_NUMERICAL" in done.stdout


def test_without_akgflow_it_says_what_to_install(cpp_package: Path) -> None:
    script = f"import sys; sys.modules['akgflow'] = None; import runpy; runpy.run_module('{cpp_package.name}.recheck', "
    done = python(cpp_package, "-c", f"{script}run_name='__main__')")
    assert done.returncode == 4 and "pip install 'akgflow==" in done.stderr and "Traceback" not in done.stderr
