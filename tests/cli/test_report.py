"""``akgflow report`` after a real run: the file, what is in it, and what is said where there is none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from documents import document
from openai_server import OpenAIServer
from plain_workspace import plain_workspace, wrong_then_right
from written_run import written_run

from akgflow.reporting.html import read_story
from akgflow.reporting.html.search import gains, lineage


def akgflow(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", *args]
    environ = {**os.environ, "TEST_KEY": "k"}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.thorough
def test_a_run_of_a_wrong_draft_and_its_repair(tmp_path: Path, openai_server: OpenAIServer) -> None:
    plain_workspace(tmp_path, openai_server.url)
    openai_server.default = wrong_then_right()
    ran = akgflow(tmp_path, "run", "scale")
    assert ran.returncode == 0, ran.stderr
    done = akgflow(tmp_path, "report")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    page = (run / "report.html").read_text()
    assert done.stdout == f"wrote {run / 'report.html'}\n"
    assert "<title>scale · akgflow</title>" in page and "INCORRECT_NUMERICAL" in page
    (job,) = read_story(run).jobs
    draft, mended = lineage(job)
    assert (draft.turn.name, mended.turn.name) == ("code 1", "fix 1")
    changed = [line.text.strip("+- ") for line in mended.diff if line.kind in ("add", "del")]
    assert changed == ["return x * self.scale", "return torch.relu(x * self.scale)"]
    # What each call was asked and said is told, in order, and what it took is what the run took.
    assert [call.key.agent for turn in job.turns for call in turn.calls] == ["coder", "conductor", "coder"]
    assert all(call.prompt and call.reply.text for turn in job.turns for call in turn.calls)
    tokens = sum(account.prompt_tokens + account.completion_tokens for account in read_story(run).accounts)
    assert mended.turn.spent.tokens == tokens > draft.turn.spent.tokens > 0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = written_run(tmp_path / "runs" / "gemm")
    for attempt, speed in enumerate((None, 0.5, 0.4, 2.0), 1):
        made.turn(made.plan.jobs[0], "fix", attempt, speed=speed)
    made.close()
    return made.path


def test_only_what_was_better_than_all_before_is_a_gain(run: Path) -> None:
    story = read_story(run)
    assert [turn.name for turn in gains(story.jobs[0].turns)] == ["fix 1", "fix 2", "fix 4"]
    assert [one.turn.name for one in lineage(story.jobs[0])] == ["fix 1", "fix 2", "fix 4"]


def test_a_run_of_an_older_version_has_no_lineage_and_a_page(run: Path) -> None:
    for parents in run.glob("jobs/*/*/parents.json"):
        parents.unlink()
    assert [one.turn.name for one in lineage(read_story(run).jobs[0])] == ["fix 4"]
    assert akgflow(run.parent, "report", str(run)).returncode == 0


@pytest.mark.parametrize("name", ["parents.json", "verdict.json"])
def test_a_damaged_file_of_an_attempt_hides_nothing_else(run: Path, name: str) -> None:
    for file in run.glob(f"jobs/*/*/{name}"):
        file.write_bytes(b'{"torn')
    done = akgflow(run.parent, "report", str(run))
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").read_text().count('class="turn"') == 4


def test_the_file_can_be_named_and_told_as_json(run: Path) -> None:
    done = akgflow(run.parent, "report", str(run), "-o", "page.html", "--json")
    assert document(done.stdout) == {"file": str(run.parent / "page.html")}
    assert (run.parent / "page.html").read_text().startswith("<!doctype html>")
    assert not (run / "report.html").exists()


def test_two_reports_of_one_run_are_the_same(run: Path) -> None:
    pages = []
    for name in ("a.html", "b.html"):
        assert akgflow(run.parent, "report", str(run), "-o", name).returncode == 0
        pages.append((run.parent / name).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.thorough
def test_what_cannot_be_reported_is_said(run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = {
            ("nothing",): "there is no suite or run 'nothing'",
            (str(run.parent),): "is not a run's folder",
            (str(run), "--serve", "-o", "x.html"): "--serve writes no file",
            (str(run), "--serve", "--port", str(port)): f"port {port} cannot be served",
            (str(run), "-o", str(run / "plan.json" / "x.html")): "plan.json cannot be used",
        }
        for args, words in wrong.items():
            done = akgflow(run.parent, "report", *args)
            assert (done.returncode, words in done.stderr) == (2, True), (args, done.stderr)


def test_a_damaged_journal_is_named(run: Path) -> None:
    journal = run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"PASSED", b"FAILED", 1))
    done = akgflow(run.parent, "report", str(run))
    assert done.returncode == 2
    assert "journal.jsonl:" in done.stderr and "--repair" in done.stderr
