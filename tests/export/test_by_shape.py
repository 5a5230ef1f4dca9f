"""A package of several kernels: the dispatcher is exported like one kernel, with its table."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from exporting import uses
from small_task import RIGHT

import akgflow
from akgflow.base.atomic import write_json, write_text
from akgflow.base.serial import from_data
from akgflow.runs.layout import RESULT, attempt_in, dispatch_in
from akgflow.runs.result import Dispatch, RunResult
from akgflow.search import Candidate, Judged, choose, dispatcher
from akgflow.verdict import OtherShapes, Timing

WAYS = {way: f'WAY = "{way}"\n{RIGHT}\nimport tvm_ffi\n' for way in ("tall", "wide")}
USE = """\
import json
print(json.dumps([package.EVIDENCE != "", [case["case"] for case in package.VERIFIED]]))
from several_kernels import _loader, _cases
made = _loader.load()
with torch.no_grad():
    for number in _cases.CASES:
        reference = _cases.model(number)
        torch.nn.init.normal_(reference.scale)
        args, keywords = _cases.inputs(number)
        found = _cases.like(package.ModelNew, number, reference)(*args, **keywords)
        torch.testing.assert_close(found, reference(*args, **keywords))
print(json.dumps([len(made.MEMBERS), len(made.CASES)]))
"""


@pytest.fixture
def several(cpp_run: Path) -> Path:
    """The run of a right kernel, whose job has kept two texts of it, each for one of its cases."""
    folder = cpp_run.with_name("several")
    shutil.copytree(cpp_run, folder, dirs_exist_ok=True)
    result = from_data(json.loads((folder / RESULT).read_text()), RunResult)
    (job,) = result.jobs
    assert job.verdict is not None
    assert job.verdict.correctness is not None
    cases = list({str(one.case): one.case for one in job.verdict.correctness.cases}.values())
    assert len(cases) > 1
    judged = []
    for at, (way, text) in enumerate(WAYS.items()):
        speeds = [4.0 if (at == 0) == (number == 0) else 1.0 for number in range(len(cases))]
        timing = tuple(
            Timing(case, "eager", 1e-3, 1e-3, one, (one, one), "faster", 9, 0.0, "cpu", sizes=(*case.values(),))
            for case, one in zip(cases, speeds, strict=True)
        )
        verdict = replace(job.verdict, timing=timing, untimed=(), shapes=OtherShapes(({"rows": 3},)))
        judged.append(Judged(Candidate(text, way, 1, 1), verdict))
        write_text(attempt_in(folder, job.job, way, 1, 1) / "candidate.py", text)
    choice = choose(judged, 2)
    candidate = Candidate(dispatcher.text(choice), "by shape", 1, 1)
    write_text(dispatch_in(folder, job.job) / "candidate.py", candidate.source)
    kept = Dispatch(True, "", candidate.id, choice.winners, choice.rows, verdict=job.verdict)
    write_json(folder / RESULT, replace(result, jobs=(replace(job, dispatch=kept),)))
    return folder


@pytest.mark.thorough
def test_a_package_carries_the_dispatcher_like_one_kernel(several: Path, tmp_path: Path) -> None:
    space = several.parent.parent
    made = akgflow.export_kernel(several, to="folder", out=tmp_path, name="several_kernels", workspace=space)
    assert any(one.startswith("apache-tvm-ffi") for one in made.requires), "what the kernels import is found"
    table = json.loads(next(Path(made.path).rglob("dispatch.json")).read_text())
    assert {row["candidate"] for row in table["table"]} == {one["candidate"] for one in table["winners"]}
    *_, last = uses(Path(made.path), USE).splitlines()
    assert json.loads(last) == [2, len(table["table"])]
    single = akgflow.export_kernel(several, to="folder", out=tmp_path, name="one", single=True, workspace=space)
    assert not list(Path(single.path).rglob("dispatch.json"))


def test_a_dispatcher_that_was_changed_is_not_exported(several: Path, tmp_path: Path) -> None:
    (place,) = several.glob("best/*/dispatch/candidate.py")
    place.write_text(place.read_text() + "# changed\n")
    with pytest.raises(akgflow.ConfigError, match="it was changed"):
        akgflow.export_kernel(several, to="folder", out=tmp_path, workspace=several.parent.parent)
