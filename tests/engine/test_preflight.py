"""Before a run asks a model, the judge is tried with kernels whose verdict is known."""

import asyncio
from dataclasses import replace

import pytest
from small_task import make_workspace

from akgflow import machine
from akgflow.cli import main
from akgflow.config import load
from akgflow.engine.preflight import CPU, preflight
from akgflow.errors import ConfigError, UntrustedJudge
from akgflow.executors.local import LocalExecutor
from akgflow.operators.text import whole
from akgflow.terms import Status
from akgflow.verdict import LOOSE_BOUND
from akgflow.verification.selftest import STAND_IN, canaries_for, self_contained


class Counting:
    """A real executor that counts, and whose verdicts a test may spoil."""

    def __init__(self, folder, spoil=None):
        self.real = LocalExecutor(machine.detect(), folder)
        self.spoil = spoil
        self.verdicts = []

    async def judge(self, request):
        verdict = await self.real.judge(request)
        self.verdicts.append(verdict)
        return self.spoil(request, verdict) if self.spoil else verdict

    async def close(self):
        await self.real.close()


def self_tested(executor, task=None):
    async def once():
        try:
            return await preflight(executor, machine.detect(), CPU, task)
        finally:
            await executor.close()

    return asyncio.run(once())


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The small task, and a cache of its own."""
    monkeypatch.setenv("AKGFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEST_KEY", "sk-of-the-test")
    return make_workspace(tmp_path, "http://127.0.0.1:9/v1")


@pytest.mark.thorough
def test_all_canaries_are_accepted_and_the_result_is_cached(small, tmp_path, monkeypatch):
    monkeypatch.setattr("akgflow.engine.preflight.SLOW_SECONDS", 600.0)  # a busy machine takes long for any operator
    task = load(str(small)).task
    first, second, other = (Counting(tmp_path / name) for name in ("first", "second", "other"))
    found = self_tested(first, task)
    statuses = [verdict.status for verdict in first.verdicts]
    assert statuses[:2] == [Status.PASSED, Status.FALLBACK]
    assert len(statuses) == found.canaries == 12 + 5
    assert Status.NOT_RUN not in statuses
    assert [at for at, status in enumerate(statuses) if status is Status.PASSED] == [0, 12]
    assert found.notes == () and not found.cached
    assert self_tested(second, task) == replace(found, seconds=0.0, cached=True)
    assert second.verdicts == []
    # Of another task only what hangs on the operator is new.
    assert self_tested(other, replace(task, tolerance=3.0)).cached is False
    assert len(other.verdicts) == 5


@pytest.mark.thorough
def test_an_operator_that_fails_is_not_the_judge_s_fault(small, tmp_path):
    task = load(str(small)).task
    broken = replace(task.operator, source=task.operator.source.replace("return ", "raise OSError('boom') or ", 1))
    with pytest.raises(ConfigError, match=r"the operator cannot be judged: .*boom"):
        self_tested(Counting(tmp_path / "judge"), replace(task, operator=broken))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda _, verdict: replace(verdict, status=Status.PASSED), "'the operator itself, forbidden'"),
        (lambda _, verdict: replace(verdict, status=Status.REFUSED), "'the operator itself, allowed'"),
        (
            lambda request, verdict: (
                replace(verdict, status=Status.PASSED) if "os')._exit" in request.candidate else verdict
            ),
            "'os._exit(0) in forward'",
        ),
    ],
    ids=["all pass", "none passes", "one passes"],
)
def test_a_judge_that_errs_is_not_believed(small, tmp_path, spoil, named):
    with pytest.raises(UntrustedJudge, match=r"cannot be believed on this machine \(cpu\)") as error:
        self_tested(Counting(tmp_path / "scratch", spoil), load(str(small)).task)
    assert named in str(error.value)
    assert not list((tmp_path / "cache").rglob("*.json"))


@pytest.mark.thorough
def test_an_operator_that_needs_the_files_beside_it_is_not_made_into_canaries(small, tmp_path, monkeypatch):
    monkeypatch.setattr("akgflow.engine.preflight.self_contained", lambda *_: False)
    blind = Counting(tmp_path / "judge", lambda request, verdict: replace(verdict, status=Status.PASSED))
    with pytest.raises(UntrustedJudge, match="made from a small matrix product"):
        self_tested(blind, load(str(small)).task)


def test_a_run_with_a_judge_that_errs_asks_no_model(openai_server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AKGFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEST_KEY", "sk-of-the-test")
    task = make_workspace(tmp_path, openai_server.url)
    blind = LocalExecutor.judge

    async def judge(self, request):
        return replace(await blind(self, request), status=Status.PASSED)

    monkeypatch.setattr(LocalExecutor, "judge", judge)
    monkeypatch.setattr("sys.argv", ["akgflow", "run", str(task), "--run-dir", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 6
    assert "the operator itself, forbidden" in capsys.readouterr().err
    assert openai_server.requests == []


def scaled_passes(warnings):
    def spoil(request, verdict):
        if "inputs, keywords, _scaled)" not in request.candidate or "agree" in request.candidate:
            return verdict
        return replace(verdict, status=Status.PASSED, warnings=(*verdict.warnings, *warnings))

    return spoil


@pytest.mark.thorough
def test_weak_inputs_are_noted_where_the_verdict_warns_of_them(small, tmp_path, monkeypatch):
    # On a busy machine, too, the canaries are made from the operator itself.
    monkeypatch.setattr("akgflow.engine.preflight.SLOW_SECONDS", 60.0)
    found = self_tested(Counting(tmp_path / "warned", scaled_passes(["zeros would pass"])), load(str(small)).task)
    assert "the task is weak: every value 1.019 times too large passes" in found.notes
    loose = [f"output 0: on ties inputs errors up to 500 {LOOSE_BOUND} may come from rounding, and were let pass"]
    with pytest.raises(UntrustedJudge, match="times too large"):
        self_tested(Counting(tmp_path / "silent", scaled_passes(loose)), replace(load(str(small)).task, tolerance=0.9))


def test_an_operator_that_needs_other_files_is_stood_in_for(tmp_path):
    file = tmp_path / "operator.py"
    (tmp_path / "helper.py").write_text("")
    for text in ("import helper", "from helper import x", "from . import x", "print(__file__)"):
        assert not self_contained(text, file)
        carried = whole(text, {"helper.py": "", "x.py": ""}, None)
        assert self_contained(carried, file) is ("__file__" not in text)
    assert self_contained("import torch\nfrom math import sqrt", file)


def test_deviations_grow_with_the_tolerance():
    texts = [canaries_for(STAND_IN, {}, tolerance)[2].candidate for tolerance in (0.5, 1.0, 100.0)]
    assert texts[0] == texts[1]
    assert "1.019" in texts[0] and "2.9" in texts[2]
