"""What a task says of judging is what the judge is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from known_judge import KnownJudge, known, run_steps
from small_task import OPERATOR, RIGHT, make_workspace

from akgflow.verdict import JudgeRequest, Verdict


class Listening(KnownJudge):
    """Keeps the requests themselves."""

    requests: list[JudgeRequest]

    async def judge(self, request: JudgeRequest) -> Verdict:
        self.requests.append(request)
        return await super().judge(request)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(tmp_path / "knowledge.sqlite"))
    path = make_workspace(tmp_path, "http://127.0.0.1:9/v1")
    (path.parent / "given.py").write_text(RIGHT)
    (path.parent / "operators" / "other.py").write_text(OPERATOR + "# other\n")
    path.write_text(path.read_text() + "workflow: verify_only\nsource: {dsl: cpp, file: given.py}\n")
    return path


def asked(task: Path, *overrides: str) -> JudgeRequest:
    """The one request of a workflow that judges the source kernel."""
    judge = Listening(lambda source: known(1.0))
    judge.requests = []
    ran = run_steps(task, judge, *overrides, folder="changed" if overrides else "plain")
    assert ran.failed is None
    (request,) = judge.requests
    return request


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("cases=[{rows: 3}]", "cases", ({"rows": 3},)),
        (
            "cases=[{rows: 3, dtype: float16, tolerance: 2}]",
            "cases",
            ({"rows": 3, "dtype": "float16", "tolerance": 2},),
        ),
        ("dtype=float16", "dtype", "float16"),
        ("tolerance=2", "tolerance", 2.0),
        ("framework=allow", "framework", "allow"),
        ("baselines=[torch.compile]", "baselines", ("torch.compile",)),
        ("gates.fast={over: torch.compile, at_least: 1}", "baselines", ("torch.compile",)),
        ("profile=true", "profile", True),
        ("operator.file=operators/other.py", "operator", OPERATOR + "# other\n"),
    ],
)
def test_the_judge_is_asked_for_it(task: Path, override: str, field: str, value: Any) -> None:
    request = asked(task, override)
    assert getattr(request, field) == value
    assert getattr(asked(task), field) != value


def test_a_target_is_asked_about_by_its_own_values(task: Path) -> None:
    device = asked(task, "targets.cpu={platform: cpu, arch: native, device: EPYC}").target.device
    assert (device, asked(task).target.device) == ("EPYC", "")
