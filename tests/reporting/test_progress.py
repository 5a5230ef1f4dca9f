"""What a terminal shows while a run goes on."""

import io
import re
from contextlib import redirect_stderr

import pytest

from akgflow.budget.ledger import Ledger
from akgflow.budget.usage import Usage
from akgflow.config.types import Budget
from akgflow.engine.standing import Stage, Standing
from akgflow.reporting.progress import Detail, Progress
from akgflow.speed import Speed


class Terminal(io.StringIO):
    def isatty(self):
        return True


def standing():
    ledger = Ledger(Budget())
    ledger.charge(Usage(1200, 345, 0.25))
    found = Standing({"cpp-cpu": Stage.JUDGING, "triton-gpu": Stage.ASKING, "cuda-gpu": Stage.DONE}, ledger)
    found.best, found.right = ("cuda-gpu", Speed(1.42, 1.4, 1.44)), {"cuda-gpu"}
    return found


@pytest.fixture
def screen(monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "10")
    return terminal


def plain(terminal):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_the_head_tells_jobs_best_tokens_and_money(screen):
    with redirect_stderr(screen), Progress() as progress:
        progress.watch(standing())
        progress("cpp-cpu", "fix 1: judging candidate 9bb9be524bda")
        progress("cuda-gpu", "met")
    shown = plain(screen)
    assert "1 of 3 jobs done, 1 right" in shown
    assert "1 waiting for a judge, 1 waiting for a model" in shown
    assert "best 1.42x (cuda-gpu)" in shown
    assert "1,545 tokens, $0.2500" in shown


def test_what_is_done_once_for_all_jobs_is_shown_until_one_of_them_goes_on(screen):
    with redirect_stderr(screen), Progress() as progress:
        progress.watch(standing())
        progress.waits("task", "asking designer")
        first = plain(screen)
        progress.waits("cpp-cpu", "asking coder")
        assert not progress._goes_on("task") and progress._goes_on("cpp-cpu")
    assert "asking designer" not in plain(screen)[len(first) :]


def test_more_jobs_than_lines_are_counted(screen):
    with redirect_stderr(screen), Progress() as progress:
        for number in range(30):
            progress.waits(f"job-{number}", "asking coder")
    assert "and 24 more" in plain(screen)


@pytest.mark.parametrize(("detail", "live"), [(Detail.QUIET, True), (Detail.NORMAL, False)])
def test_without_a_live_display_no_line_is_drawn_over_another(screen, detail, live):
    with redirect_stderr(screen), Progress(detail, live=live) as progress:
        progress.watch(standing())
        progress("cpp-cpu", "asking coder\nwith more")
    assert "\x1b[?25l" not in screen.getvalue()
    assert ("asking coder" in screen.getvalue()) is (detail is not Detail.QUIET)


def test_verbose_begins_each_line_with_its_job(screen):
    with redirect_stderr(screen), Progress(Detail.VERBOSE, live=False) as progress:
        progress("cpp-cpu", "one\ntwo")
    assert [line.split()[2:] for line in plain(screen).splitlines()] == [["cpp-cpu", "one"], ["cpp-cpu", "two"]]


def test_an_agent_at_work_is_told_apart(screen):
    found = standing()
    found.enters("triton-gpu", Stage.AT_WORK)
    with redirect_stderr(screen), Progress() as progress:
        progress.watch(found)
        progress("triton-gpu", "work: engineer is at work: 2 of 8 judgements and 3.1 of 20 minutes used: PASSED")
    shown = plain(screen)
    assert "1 waiting for a judge, 1 with an agent at work" in shown
    assert "2 of 8 judgements and 3.1 of 20 minutes used" in shown
