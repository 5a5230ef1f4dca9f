"""The step ``agentic``: agents that work in a folder and ask the judge; good ones, and those that misbehave."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from known_judge import KnownJudge, Ran, known, run_steps
from plain_workspace import PLAIN_RIGHT, PLAIN_WRONG, plain_workspace
from running import run
from small_task import RIGHT, WRONG, make_workspace
from stand_ins import eventually

from akgflow.api import show
from akgflow.errors import BudgetError
from akgflow.models.base import ProviderError
from akgflow.runs import Outcome
from akgflow.runs.reader import Unfinished, read_run
from akgflow.terms import Status
from akgflow.verdict import Verdict
from akgflow.verification.sandbox import landlock

AGENT = Path(__file__).parents[1] / "support" / "stand_in_agent.py"
NOWHERE = "http://127.0.0.1:9/v1"


confined = pytest.mark.skipif(not landlock.is_here(), reason="this kernel has no landlock")


def with_agent(task: Path, *words: object, minutes: float = 5, judgements: int = 3, more: str = "") -> Path:
    """The task with a workflow whose agent is the stand-in in the mode and with the arguments that ``words`` are."""
    space = task.parent.parent
    (space / "notes").mkdir(exist_ok=True)
    command = json.dumps([sys.executable, str(AGENT), *map(str, words)])
    (space / "agents.yaml").write_text(
        "version: 1\nmodels:\n"
        f"  stand_in: {{command: {command}, output: json, writes: [notes], env: [STAND_IN_NOTES],"
        " price: {usd_per_call: 2}}\n"
        "agents:\n  engineer: {extends: coder, model: stand_in}\n"
        "workflows:\n  mine:\n    steps:\n"
        f"{more}      work: {{agentic: engineer, judgements: {judgements}, minutes: {minutes}}}\n"
    )
    task.write_text(task.read_text() + "workflow: mine\n")
    return task


def source(space: Path, name: str, text: str) -> Path:
    path = space / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("mode", ["over_mcp", pytest.param("by_script", marks=pytest.mark.thorough)])
def test_an_agent_writes_asks_mends_and_is_judged_again(tmp_path: Path, mode: str) -> None:
    task = make_workspace(tmp_path, NOWHERE)
    right, wrong = source(tmp_path, "right.py", RIGHT), source(tmp_path, "wrong.py", WRONG)
    said: list[str] = []
    result = run(with_agent(task, mode, wrong, right), said=said)
    (job,) = result.jobs
    assert job.outcome is Outcome.MET, (job.reason, said)
    statuses = [(a.step, a.attempt, a.status) for a in job.attempts]
    assert statuses == [("work", 1, "INCORRECT_NUMERICAL"), ("work", 2, "PASSED"), ("work", 3, "PASSED")]
    assert any("engineer ended: 2 of 3 judgements and " in note for note in job.notes), job.notes
    assert any("work: engineer is at work: 1 of 3 judgements and " in line for line in said)
    (row,) = [one for one in result.accounts if one.step == "work" and one.model]
    assert (row.prompt_tokens, row.completion_tokens, result.spent.usd) == (700, 90, 2.0)
    assert sum(one.judged for one in result.accounts if one.step == "work") == 3
    place = Path(result.folder) / "jobs" / "cpp-cpu"
    assert not (place / "work-1-1" / "work").exists() and (place / "work-3-1" / "verdict.json").exists()
    assert "INCORRECT_NUMERICAL" in (place / "work-1-1" / "reply.engineer.md").read_text()


def verdict_of(text: str) -> Verdict:
    """Right where the text says so."""
    return known(2.0) if "RIGHT" in text else known(status=Status.INCORRECT_NUMERICAL, message="the last row is wrong")


def misbehave(folder: Path, *words: object, notes: bool = True, **more: object) -> tuple[Ran, KnownJudge]:
    """The steps of a workflow with such an agent, before a judge that knows its verdicts."""
    task = with_agent(make_workspace(folder, NOWHERE), *words, **more)  # type: ignore[arg-type]
    judge = KnownJudge(verdict_of)
    with pytest.MonkeyPatch.context() as patch:
        if notes:
            patch.setenv("STAND_IN_NOTES", str(folder / "notes"))
        return run_steps(task, judge), judge


def alive(folder: Path) -> bool:
    pid = int((folder / "notes" / "child").read_text())
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_one_that_never_ends_is_stopped_with_its_children(tmp_path: Path) -> None:
    right = source(tmp_path, "right.py", "RIGHT = 1\n")
    ran, judge = misbehave(tmp_path, "never_ends", right, minutes=0.05)
    assert ran.failed is None and len(judge.judged) == 2
    assert [status for *_, status in ran.course] == ["PASSED", "PASSED"]
    assert "was stopped when its minutes were over: 1 of 3 judgements" in ran.state.notes[-1]
    assert eventually(lambda: not alive(tmp_path))


def test_children_that_are_left_behind_end(tmp_path: Path) -> None:
    ran, _ = misbehave(tmp_path, "leaves_children", source(tmp_path, "right.py", "RIGHT = 1\n"))
    assert [status for *_, status in ran.course] == ["PASSED"]
    assert eventually(lambda: not alive(tmp_path))


def test_megabytes_are_cut_and_unknown_spending_is_what_was_reserved(tmp_path: Path) -> None:
    ran, _ = misbehave(tmp_path, "prints_megabytes", source(tmp_path, "right.py", "RIGHT = 1\n"))
    assert [status for *_, status in ran.course] == ["PASSED"]
    reply = next((tmp_path / "run").glob("jobs/*/work-1-1/reply.engineer.md")).read_text()
    assert len(reply) < 200_000 and "the end of it" in reply
    (call,) = [
        json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines() if '"call ' in line
    ]
    usage = call["data"]["reply"]["usage"]
    assert (usage["prompt_tokens"], usage["cost"], usage["estimated"]) == (300_000, 2.0, True)


def test_no_more_is_judged_than_allowed_and_nothing_twice(tmp_path: Path) -> None:
    ran, judge = misbehave(tmp_path, "greedy", source(tmp_path, "wrong.py", "WRONG = 1\n"), judgements=2)
    assert len(judge.judged) == 3, "two judgements and the one that counts"
    reply = next((tmp_path / "run").glob("jobs/*/work-1-1/reply.engineer.md")).read_text()
    assert "all 2 judgements are used" in reply and "the same as judgement 1 of 2" in reply
    assert ran.state.attempts[-1].candidate == ran.state.made["work"][0].candidate.id
    assert "N = 11" in ran.state.made["work"][0].candidate.source, "the file as it was left"


@confined
def test_it_reads_no_secrets_and_writes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "never-to-be-seen")
    recording = tmp_path / "tasks" / "recordings" / "scale.mine.yaml"
    open_to_read = source(tmp_path, "plain.txt", "may be read")
    closed = (tmp_path / "run", tmp_path / "runs", tmp_path / "tasks" / "scale.yaml", recording.parent, recording)
    paths = (*closed, "../prompt.engineer.md", "../../..", open_to_read, Path.home(), tmp_path)
    task = with_agent(make_workspace(tmp_path, NOWHERE), "reaches_out", *paths)
    for folder in (recording.parent, tmp_path / "runs"):
        folder.mkdir()
    recording.write_text("secret")
    ran = run_steps(task, KnownJudge(verdict_of))
    reply = next((tmp_path / "run").glob("jobs/*/work-1-1/reply.engineer.md")).read_text()
    assert "tried all" in reply
    # Its home and the workspace can be listed where nothing in them is closed.
    seen = [
        line for line in reply.splitlines() if line.startswith(("read ", "wrote ")) and str(Path.home()) not in line
    ]
    assert seen == [f"read {open_to_read}: b'may be read'"]
    assert "left no candidate.py" in ran.state.attempts[-1].message


def test_nothing_that_it_forges_is_believed(tmp_path: Path) -> None:
    ran, judge = misbehave(tmp_path, "forges", source(tmp_path, "wrong.py", "WRONG = 1\n"))
    assert [status for *_, status in ran.course] == ["INCORRECT_NUMERICAL"]
    assert judge.judged == ["WRONG = 1\n"]


def test_garbage_on_the_socket_is_refused_and_the_judge_goes_on(tmp_path: Path) -> None:
    ran, judge = misbehave(tmp_path, "floods", source(tmp_path, "right.py", "RIGHT = 1\n"), minutes=2)
    assert judge.judged == ["RIGHT = 1\n", "RIGHT = 1\n"], "a question, and the one that counts"
    assert ran.failed is None and ran.state.made["work"][0].verdict.passed


def test_a_link_is_no_candidate(tmp_path: Path) -> None:
    ran, judge = misbehave(tmp_path, "links", tmp_path / "tasks" / "scale.yaml")
    assert not judge.judged and "left no candidate.py" in ran.state.attempts[-1].message


@pytest.mark.parametrize(("status", "words"), [("3", "status 1: not logged in"), ("9", "status 137")])
def test_one_that_dies_at_once_is_a_provider_that_fails(tmp_path: Path, status: str, words: str) -> None:
    ran, judge = misbehave(tmp_path, "dies", status)
    assert isinstance(ran.failed, ProviderError) and words in str(ran.failed) and not judge.judged
    assert not [key for key in ran.keys if key.startswith("call ")], "the same command tries it again"


def test_a_spent_budget_ends_the_agent_and_the_next_session_goes_on(tmp_path: Path) -> None:
    right, wrong = source(tmp_path, "right.py", "RIGHT = 1\n"), source(tmp_path, "wrong.py", "WRONG = 1\n")
    task = with_agent(make_workspace(tmp_path, NOWHERE), "by_script", wrong, right, judgements=2)

    def broke(text: str) -> Verdict:
        if "RIGHT" in text:
            raise BudgetError("the budget is spent")
        return verdict_of(text)

    first, judge = run_steps(task, KnownJudge(broke)), KnownJudge(verdict_of)
    assert isinstance(first.failed, BudgetError) and not first.state.made.get("work")
    unfinished = read_run(tmp_path / "run")
    assert isinstance(unfinished, Unfinished)
    assert re.search(r"cpp-cpu: work: engineer works in a folder: 2 of 2 judgements and 0\.\d of 5", show(unfinished))
    again = run_steps(task, judge)
    assert again.failed is None and [status for *_, status in again.course] == [
        "INCORRECT_NUMERICAL",
        "PASSED",
        "PASSED",
    ]
    assert judge.judged == ["RIGHT = 1\n"] * 2, "what had a verdict is not judged again, what had been asked is"
    assert not list((tmp_path / "run").glob("jobs/*/*/work"))


@pytest.mark.thorough
def test_a_recording_replays_what_the_agent_left(tmp_path: Path) -> None:
    task = plain_workspace(tmp_path, NOWHERE)
    right, wrong = source(tmp_path, "right.py", PLAIN_RIGHT), source(tmp_path, "wrong.py", PLAIN_WRONG)
    with_agent(task, "by_script", wrong, right)
    recording = task.parent / "recordings" / "scale.mine.yaml"
    first = run(task, record=recording)
    again = run(task, "models.stand_in.command=null", "models.stand_in={model: recorded/mine}")
    assert [one.jobs[0].outcome for one in (first, again)] == [Outcome.MET, Outcome.MET]
    assert again.jobs[0].best == first.jobs[0].best and again.jobs[0].origins == ("recorded",)


@pytest.mark.thorough
def test_kill_9_loses_nothing_that_was_judged_and_goes_on(tmp_path: Path) -> None:
    task = plain_workspace(tmp_path, NOWHERE)
    sources = [source(tmp_path, "wrong.py", PLAIN_WRONG), source(tmp_path, "right.py", PLAIN_RIGHT)]
    with_agent(task, "works_until_killed", tmp_path / "notes", *sources)
    command = [sys.executable, "-m", "akgflow", "run", "scale", "--json"]
    for number in range(len(sources)):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert eventually((tmp_path / "notes" / f"said-{number}").exists, 200)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (job,) = json.loads(done.stdout)["jobs"]
    assert [one["status"] for one in job["attempts"]] == ["INCORRECT_NUMERICAL", "PASSED", "PASSED"]
    (journal,) = tmp_path.glob("runs/*/journal.jsonl")
    keys = [json.loads(line)["key"] for line in journal.read_text().splitlines()]
    assert len(keys) == len(set(keys)) and sum(key.startswith("trial ") for key in keys) == 2
    assert "judgement 2 of 3" in (tmp_path / "notes" / "said-1").read_text()
