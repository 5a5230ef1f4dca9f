"""Whole runs: a real server for the model, a real compiler and a real judge for the kernels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from openai_server import Answer, OpenAIServer, Seen, error
from running import run
from small_task import BROKEN, RIGHT, STOP, WRONG, by_agent, fenced, make_workspace, sketch

from akgflow.base.serial import to_data
from akgflow.errors import BudgetError, ExitCode
from akgflow.runs import Outcome

SECRET = "sk-this-must-stay-where-it-is"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TEST_KEY", SECRET)
    monkeypatch.delenv("AKGFLOW_MODEL", raising=False)
    return iter(())


def drafts(*sources: str) -> Callable[[Seen], str]:
    """A coder who sends these, one after the other, and the last one from then on."""
    left = list(sources)
    return lambda _: fenced(left.pop(0) if len(left) > 1 else left[0])


def test_a_wrong_draft_is_repaired_with_advice_and_everything_is_kept(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.default = by_agent("the sketch", drafts(WRONG, RIGHT))
    short = "workflow: design_code_repair\n"
    result = run(make_workspace(tmp_path, openai_server.url, task=short, timed=True))
    (job,) = result.jobs
    assert (job.outcome, result.exit_code) == (Outcome.MET, ExitCode.DONE)
    assert [attempt.status for attempt in job.attempts] == ["INCORRECT_NUMERICAL", "PASSED"]
    assert job.origins == ("live",)
    assert job.verdict is not None
    assert job.verdict.evidence == ("executed",)
    # A machine whose cores others hold gives no figure, and then says why.
    assert job.verdict.timing or "timing" in job.verdict.absent

    folder = Path(result.folder)
    assert (folder / "best" / "cpp-cpu" / "candidate.py").read_text().strip() == RIGHT.strip()
    repair = (folder / "jobs" / "cpp-cpu" / "fix-1-1" / "prompt.coder.md").read_text()
    assert "negative values pass" not in repair  # the conductor's reason is for people, its advice for the coder
    assert "clamp at zero" in repair
    assert "INCORRECT_NUMERICAL" in repair
    lock = json.loads((folder / "run.lock").read_text())
    assert lock["answered"] == {"openai/first (live)": len(openai_server.requests)}
    assert lock["environments"] == [to_data(job.verdict.environment)] and "torch" in lock["environments"][0]["libs"]
    assert not [path for path in folder.rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")]


@pytest.mark.thorough
def test_a_recording_replays_without_the_provider(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("the sketch", drafts(BROKEN, RIGHT))
    task = make_workspace(tmp_path, openai_server.url)
    live = run(task, record=tmp_path / "tasks" / "recordings" / "scale.mine.yaml")
    asked = len(openai_server.requests)
    assert [attempt.status for attempt in live.jobs[0].attempts] == ["COMPILE_ERROR", "PASSED"]

    replayed = run(task, "models.default.model=recorded/mine")
    assert len(openai_server.requests) == asked
    assert replayed.jobs[0].origins == ("recorded",)
    assert replayed.notes == ()
    assert [a.candidate for a in replayed.jobs[0].attempts] == [a.candidate for a in live.jobs[0].attempts]

    other = run(task, "models.default.model=recorded/mine", "cases=[{rows: 3, columns: 5}]")
    assert any("the prompt has changed since the recording" in note for note in other.notes)


@pytest.mark.thorough
def test_a_malformed_reply_goes_back_once_with_the_reason(tmp_path: Path, openai_server: OpenAIServer) -> None:
    replies = iter(["I would rather not.", fenced(RIGHT)])
    openai_server.default = by_agent("the sketch", lambda _: next(replies))
    result = run(make_workspace(tmp_path, openai_server.url))
    assert result.jobs[0].outcome is Outcome.MET
    assert "cannot be used" in openai_server.requests[-1].prompt
    assert [attempt.status for attempt in result.jobs[0].attempts] == ["PASSED"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "requests"),
    [
        # The sketch, the code and five repairs, each asked again once; nobody to ask for advice about nothing.
        ("no code at all, {}", 2 * 7),
        # The same again ends the asking: designer and coder are asked twice each, and no repair is begun.
        ("no code at all", 2 * 2),
    ],
    ids=["different", "the same"],
)
def test_nothing_but_malformed_replies_is_a_failed_gate_within_the_cap(
    tmp_path: Path, openai_server: OpenAIServer, text: str, requests: int
) -> None:
    numbers = count()
    openai_server.default = lambda _: Answer(text.format(next(numbers)))
    result = run(make_workspace(tmp_path, openai_server.url))
    assert result.exit_code is ExitCode.GATE_FAILED
    assert "no candidate was made" in result.jobs[0].reason
    assert len(openai_server.requests) == requests


@pytest.mark.thorough
def test_one_sketch_serves_all_jobs(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("the sketch", drafts(RIGHT))
    task = make_workspace(tmp_path, openai_server.url)
    (tmp_path / "hardware.yaml").write_text("version: 1\ntargets: {other: {platform: cpu, arch: native}}\n")
    result = run(task, "matrix.target=[cpu, other]", record=tmp_path / "tasks" / "recordings" / "scale.mine.yaml")
    assert [job.outcome for job in result.jobs] == [Outcome.MET, Outcome.MET]
    asked = [seen.prompt.startswith("You design") for seen in openai_server.requests]
    assert sorted(asked) == [False, False, True]
    assert result.spent.calls == 3
    (designed,) = [s.prompt for s in openai_server.requests if s.prompt.startswith("You design")]
    assert designed.count("(cpu, native)") == 2
    coded = [seen.prompt for seen in openai_server.requests if not seen.prompt.startswith("You design")]
    assert all("# the sketch" in prompt for prompt in coded)
    replayed = run(task, "matrix.target=[cpu, other]", "models.default.model=recorded/mine")
    assert replayed.exit_code is ExitCode.DONE and replayed.notes == ()


def edit(old: str, new: str) -> str:
    """A reply that changes the line of the result."""
    line = "      to[r * columns + c] = "
    return f"<<<<<<< SEARCH\n{line}{old};\n=======\n{line}{new};\n>>>>>>> REPLACE"


@pytest.mark.thorough
def test_a_repair_can_be_an_edit_of_the_module(tmp_path: Path, openai_server: OpenAIServer) -> None:
    replies = iter([fenced(WRONG), edit("z", "y"), edit("y", "y >"), edit("y >", "y > 0 ? y : 0")])
    openai_server.default = by_agent("the sketch", lambda _: next(replies))
    result = run(make_workspace(tmp_path, openai_server.url))
    statuses = [attempt.status for attempt in result.jobs[0].attempts]
    assert statuses == ["INCORRECT_NUMERICAL", "COMPILE_ERROR", "PASSED"]
    assert (Path(result.folder) / "best" / "cpp-cpu" / "candidate.py").read_text() == RIGHT
    complaint = next(seen.prompt for seen in openai_server.requests if "cannot be used" in seen.prompt)
    assert "does not stand in the module; send the whole module" in complaint
    # Each repair goes on from the conversation before it, without the reply that could not be used.
    first, last = (openai_server.requests[at].body["messages"] for at in (1, -1))
    assert last[: len(first)] == first
    assert [message["role"] for message in last] == ["system", *["user", "assistant"] * 2, "user"]


@pytest.mark.thorough
def test_the_conductor_can_stop(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("the sketch", drafts(WRONG), STOP)
    result = run(make_workspace(tmp_path, openai_server.url))
    assert result.exit_code is ExitCode.GATE_FAILED
    assert [attempt.status for attempt in result.jobs[0].attempts] == ["INCORRECT_NUMERICAL"]
    assert "INCORRECT_NUMERICAL" in result.jobs[0].reason


@pytest.mark.thorough
def test_a_redesign_asks_the_designer_again(tmp_path: Path, openai_server: OpenAIServer) -> None:
    redesign = json.dumps({"decision": "redesign", "reason": "r", "advice": "cut by rows"})
    openai_server.default = by_agent("sketch one", drafts(WRONG, RIGHT), redesign)
    result = run(make_workspace(tmp_path, openai_server.url))
    designers = [seen for seen in openai_server.requests if seen.prompt.startswith("You design")]
    assert len(designers) == 2
    assert "cut by rows" in designers[1].prompt
    assert result.exit_code is ExitCode.DONE


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("failure", "words"),
    [(error(401, "bad key"), "bad key"), (Answer(body="<html>busy</html>", content_type="text/html"), "default")],
)
def test_a_provider_that_fails_leaves_a_run_that_goes_on(
    tmp_path: Path, openai_server: OpenAIServer, failure: Answer, words: str
) -> None:
    """The designer answers; the coder's provider fails; the next session asks for what is missing only."""
    task = make_workspace(tmp_path, openai_server.url)
    openai_server.script.extend([Answer(sketch("the sketch"))])
    openai_server.default = failure
    stopped = run(task)
    assert (stopped.exit_code, stopped.finished) == (ExitCode.PREREQUISITE, False)
    assert words in stopped.jobs[0].reason
    assert SECRET not in stopped.jobs[0].reason

    openai_server.requests.clear()
    openai_server.default = by_agent("never asked", drafts(RIGHT))
    result = run(task)
    assert result.exit_code is ExitCode.DONE
    assert result.folder == stopped.folder
    assert [seen.prompt.startswith("You design") for seen in openai_server.requests] == [False]


@pytest.mark.thorough
def test_a_fallback_takes_over(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.models = {
        "first": error(429, "slow down"),
        "second": by_agent("the sketch", drafts(RIGHT)),
    }
    models = (
        "    fallbacks: [spare]\n"
        f"  spare: {{model: openai/second, api_base: '{openai_server.url}', api_key_env: TEST_KEY}}\n"
    )
    result = run(make_workspace(tmp_path, openai_server.url, models=models))
    assert result.exit_code is ExitCode.DONE
    assert any("spare (openai/second) answered instead of default" in note for note in result.notes)


@pytest.mark.thorough
def test_a_spent_budget_hands_over_the_best_and_a_higher_one_pays_for_nothing_twice(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    """A call may take 17,000 tokens and takes 3,500: a session ends where the next might not fit."""
    pace = by_agent("the sketch", drafts(WRONG, BROKEN, RIGHT))
    openai_server.default = lambda seen: replace(pace(seen), usage=(500, 3_000))
    task = make_workspace(tmp_path, openai_server.url)
    reply = "models.default.params.max_tokens=12000"
    stopped = run(task, reply, "budget.tokens=28k")
    assert (stopped.exit_code, stopped.finished) == (ExitCode.BUDGET, False)
    (job,) = stopped.jobs
    assert "of 28,000 are spent: raise budget.tokens" in job.reason
    assert [attempt.status for attempt in job.attempts][:1] == ["INCORRECT_NUMERICAL"]
    assert (Path(stopped.folder) / "best" / "cpp-cpu" / "candidate.py").read_text().strip() == WRONG.strip()
    assert 0 < stopped.spent.tokens == 3_500 * len(openai_server.requests) <= 28_000

    result = run(task, reply, "budget.tokens=200k")
    assert (result.exit_code, result.folder) == (ExitCode.DONE, stopped.folder)
    prompts = [seen.prompt for seen in openai_server.requests]
    assert len(prompts) == len(set(prompts)) == result.spent.calls
    assert result.spent.tokens == 3_500 * len(prompts)
    # Where it went: every row, summed, is what was spent.
    assert sum(row.calls for row in result.accounts) == result.spent.calls
    assert sum(row.prompt_tokens + row.completion_tokens for row in result.accounts) == result.spent.tokens
    assert {(row.step, row.model) for row in result.accounts if row.calls} == {
        (step, "openai/first") for step in ("sketch", "code", "fix")
    }
    judged = sum(row.judged for row in result.accounts if row.step in ("code", "fix"))
    assert judged == len({attempt.candidate for attempt in result.jobs[0].attempts})
    assert sum(row.device_seconds for row in result.accounts) == pytest.approx(result.spent.device_seconds, abs=0.1)


@pytest.mark.thorough
def test_device_minutes_cut_the_judging_off_and_more_of_them_go_on(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("the sketch", drafts(RIGHT))
    task = make_workspace(tmp_path, openai_server.url)
    try:
        stopped = run(task, "budget.device_minutes=0.001")
        assert (stopped.exit_code, stopped.finished) == (ExitCode.BUDGET, False)
        words = stopped.jobs[0].reason
        assert stopped.spent.device_seconds == pytest.approx(0.06, abs=1e-3)
    except BudgetError as spent:
        # Where the judge was not tried on this machine before, even that does not fit.
        words = str(spent)
    assert "0.001 device minutes is spent: raise budget.device_minutes" in words
    asked = len(openai_server.requests)
    result = run(task)
    assert result.exit_code is ExitCode.DONE
    assert len(openai_server.requests) == 2 and asked in (0, 2)
    assert result.spent.lost == 1 and result.spent.device_seconds > 0.06


@pytest.mark.thorough
def test_minutes_cut_the_judging_off_and_more_of_them_go_on(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("the sketch", drafts(RIGHT))
    task = make_workspace(tmp_path, openai_server.url)
    try:
        stopped = run(task, "budget.minutes=0.02")
        assert (stopped.exit_code, stopped.finished) == (ExitCode.BUDGET, False)
        words = stopped.jobs[0].reason
    except BudgetError as spent:
        words = str(spent)
    assert "0.02 minutes is spent: raise budget.minutes" in words
    result = run(task)
    assert result.exit_code is ExitCode.DONE
    assert len(openai_server.requests) == 2


@pytest.mark.thorough
def test_a_gate_that_no_kernel_reaches_fails_and_hands_over_the_best(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.default = by_agent("the sketch", drafts(RIGHT))
    task = make_workspace(tmp_path, openai_server.url, task="gates: {fast: {over: eager, at_least: 1000}}\n")
    result = run(task)
    assert result.exit_code is ExitCode.GATE_FAILED
    assert "1000x over eager is asked for" in result.jobs[0].reason
    assert (Path(result.folder) / "best" / "cpp-cpu" / "candidate.py").exists()
