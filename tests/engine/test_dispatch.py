"""Several winners of a job as one: what the judge is asked, when the result is kept, what the reader sees."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from known_judge import KnownJudge, Ran, known, run_steps
from small_task import RIGHT, make_workspace

import akgflow
from akgflow.base import resources
from akgflow.reporting.results import by_shape
from akgflow.terms import Status
from akgflow.verdict import JudgeRequest, OtherShapes, Timing, Verdict

CASES = ({"rows": 64, "columns": 2}, {"rows": 2, "columns": 64})
TUNED = f'TUNABLES = {{"WAY": ["wide", "tall"]}}\nWAY = "wide"\n{RIGHT}'
SPEEDS = {"wide": (1.0, 2.0), "tall": (3.0, 0.5)}


def timing(case: dict[str, int], speedup: float, baseline: str = "eager", call: str = "faster") -> Timing:
    interval = speedup * 0.99, speedup * 1.01
    sizes = (case["columns"], case["rows"], case["columns"])
    return Timing(case, baseline, 1e-3, 1e-3 * speedup, speedup, interval, call, 9, 0.0, "cpu", sizes=sizes)


@dataclass
class ByShape(KnownJudge):
    """Knows the speed of each way at each case; of a dispatcher what ``answer`` makes of its request."""

    answer: object = None
    requests: list[JudgeRequest] = field(default_factory=list)
    general: bool = True

    async def judge(self, request: JudgeRequest) -> Verdict:
        if request.rivals:
            self.requests.append(request)
            return self.answer(request)  # type: ignore[operator]
        way = next(
            way for way in SPEEDS if f"WAY = '{way}'" in request.candidate or f'WAY = "{way}"' in request.candidate
        )
        found = tuple(timing(case, speed) for case, speed in zip(CASES, SPEEDS[way], strict=True))
        shapes = OtherShapes(({"rows": 3},)) if self.general else None
        return replace(known(1.0), timing=found, shapes=shapes)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(tmp_path / "knowledge.sqlite"))
    path = make_workspace(tmp_path, "http://127.0.0.1:9/v1")
    (path.parent / "given.py").write_text(TUNED)
    path.write_text(path.read_text() + "workflow: tune_only\nsource: {dsl: cpp, file: given.py}\n")
    return path


def ran(task: Path, judge: ByShape, *overrides: str, folder: str = "run") -> Ran:
    listed = "[{rows: 64, columns: 2}, {rows: 2, columns: 64}]"
    found = run_steps(task, judge, f"cases={listed}", "keep={winners: 2}", *overrides, folder=folder)
    assert found.failed is None
    return found


def beside(request: JudgeRequest, call: str = "faster", *, right: bool = True) -> Verdict:
    """A dispatcher that is twice as fast as the best single kernel, and 10 % slower than the best, at one shape."""
    case = {"rows": 11, "columns": 11}
    single, other = request.rivals
    found = timing(case, 2.0 if call != "slower" else 0.8, single, call), timing(case, 0.9, other, "slower")
    return replace(known(1.0, status=Status.PASSED if right else Status.INCORRECT_NUMERICAL), beside=found)


def test_winners_become_one_kernel_with_its_regret(task: Path) -> None:
    judge = ByShape(lambda _: known(1.0), answer=beside)
    found = ran(task, judge).dispatch
    assert found is not None
    assert found.kept, found.reason
    (request,) = judge.requests
    assert request.unseen == 4
    assert list(request.rivals) == [one.candidate for one in found.winners]
    assert [one.constants for one in found.winners] == [{"WAY": "wide"}, {"WAY": "tall"}]
    assert [row.candidate for row in found.table] == [found.winners[1].candidate, found.winners[0].candidate]
    (regret,) = found.regrets
    assert round(regret.regret, 6) == 0.1
    assert regret.best == found.winners[1].candidate
    shown = "\n".join(by_shape(found))
    assert "2 kernels by shape" in shown
    assert "(WAY=tall): rows=64 columns=2" in shown
    assert "at 1 shapes that nobody had seen: 2.00x as fast as the best single kernel" in shown
    assert "up to 10% less" in shown
    (folder,) = (task.parents[1] / "run").glob("best/*/dispatch")
    table = json.loads((folder / "table.json").read_text())
    assert table["kept"] is True
    assert [row["case"] for row in table["table"]] == list(CASES)
    assert (folder / "candidate.py").read_text() == request.candidate
    # A second session asks the judge for nothing.
    again = ByShape(lambda _: known(1.0))
    assert ran(task, again).dispatch == found
    assert not again.requests


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda request: beside(request, "slower"), "slower than the best single kernel at rows=11, columns=11 (0.80x"),
        (lambda request: beside(request, right=False), "correct: INCORRECT_NUMERICAL"),
        (lambda _: replace(known(1.0), absent={"beside": "the machine was busy"}), "kernel: the machine was busy"),
    ],
)
def test_what_is_wrong_slower_or_not_measured_is_not_kept(task: Path, answer, reason: str) -> None:
    found = ran(task, ByShape(lambda _: known(1.0), answer=answer)).dispatch
    assert found is not None
    assert not found.kept
    assert reason in found.reason
    assert f"one kernel for all shapes: {found.reason}" in by_shape(found)


def test_kernels_that_serve_the_cases_alone_are_tried_on_those(task: Path) -> None:
    judge = ByShape(lambda _: known(1.0), answer=beside, general=False)
    found = ran(task, judge).dispatch
    assert found is not None
    assert not found.unseen
    assert [request.unseen for request in judge.requests] == [0]


def test_without_a_word_one_kernel_is_kept(task: Path) -> None:
    judge = ByShape(lambda _: known(1.0))
    assert ran(task, judge, "keep={winners: 1}").dispatch is None


def test_the_plan_counts_the_judgement(task: Path) -> None:
    plain, several = (
        ran(task, ByShape(lambda _: known(1.0), answer=beside), f"keep={{winners: {n}}}", folder=f"r{n}")
        for n in (1, 2)
    )
    assert several.plan.ceiling.verdicts == plain.plan.ceiling.verdicts + 1
    assert several.plan.jobs[0].steps[-1].name == "by shape"


@pytest.mark.thorough
def test_the_shipped_task_over_five_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine lets be timed, what is said about it holds together."""
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(tmp_path / "knowledge.sqlite"))
    result = akgflow.run(resources.tasks() / "column_norm.yaml", run_dir=tmp_path / "run")
    (job,) = result.jobs
    assert job.outcome == "met", job.reason
    assert job.verdict is not None
    assert job.dispatch is not None
    found, stated = job.dispatch, [dict(row.case) for row in job.dispatch.table]
    if not found.winners:
        timed = len({str(one.case) for one in job.verdict.timing})
        assert timed < 2 or "noise" in found.reason, found.reason
        return
    assert all(dict(one.case) in stated for one in job.verdict.timing)
    assert len(found.winners) == 2
    assert found.verdict is not None
    assert found.verdict.passed, found.verdict
    assert found.unseen
    drawn = [dict(one.case) for one in found.regrets]
    assert not [case for case in drawn if case in stated]
    slower = [one for one in found.regrets if one.call == "slower"]
    assert found.kept == (bool(drawn) and not slower), found.reason
