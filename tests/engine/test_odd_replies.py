"""Replies as servers and models send them, in a run: reasoning apart, cut off, the same malformed one again."""

from __future__ import annotations

from pathlib import Path

import pytest
from known_judge import KnownJudge, Ran, known, run_steps
from openai_server import Answer, OpenAIServer, error
from small_task import RIGHT, WRONG, by_agent, fenced, make_workspace

from akgflow.terms import Status
from akgflow.verdict import Verdict

CODE = "workflows:\n  mine: {steps: {code: {agent: coder}}}\n"
REPAIR = """\
workflows:
  mine:
    steps:
      code: {agent: coder}
      fix: {repair: code, agent: coder, advisor: conductor, until: correct, max_attempts: 5}
"""
NONE = "I would rather not."


def verdict_of(source: str) -> Verdict:
    return known(2.0) if source.strip() == RIGHT.strip() else known(status=Status.INCORRECT_NUMERICAL)


@pytest.fixture
def run(tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_KEY", "k")

    def ran(workflow: str = CODE, params: str = "{max_tokens: 1000}") -> Ran:
        models = f"    params: {params}\n{workflow}"
        task = make_workspace(tmp_path, openai_server.url, task="workflow: mine\n", models=models)
        return run_steps(task, KnownJudge(verdict_of))

    return ran


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_that_comes_apart_is_no_part_of_the_answer(
    run, openai_server: OpenAIServer, name: str, streams: bool
) -> None:
    openai_server.default = Answer(fenced(RIGHT), fenced(WRONG), name, streams=streams)
    ran = run()
    assert [status for *_, status in ran.course] == ["PASSED"]
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("text", [None, "", "\n"], ids=["null", "empty", "blank"])
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_an_answer_that_came_as_reasoning_alone_is_taken(
    run, openai_server: OpenAIServer, name: str, text: str | None, streams: bool
) -> None:
    openai_server.default = Answer(text, f"Let me see.\n{fenced(RIGHT)}", name, streams=streams)
    ran = run()
    assert [status for *_, status in ran.course] == ["PASSED"]
    assert len(openai_server.requests) == 1


def test_reasoning_without_an_answer_is_called_that(run, openai_server: OpenAIServer) -> None:
    openai_server.script.append(Answer("", "Let me see."))
    openai_server.default = Answer(fenced(RIGHT))
    assert [status for *_, status in run().course] == ["PASSED"]
    assert "reasoning only and no answer after it" in openai_server.requests[1].prompt


@pytest.mark.parametrize("cut", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_a_reply_that_was_cut_off_is_asked_for_with_more_room(run, openai_server: OpenAIServer, cut: str) -> None:
    openai_server.script.append(Answer(fenced(RIGHT)[:300], finish_reason=cut))
    openai_server.default = Answer(fenced(RIGHT))
    ran = run()
    assert [status for *_, status in ran.course] == ["PASSED"]
    first, second = openai_server.requests
    assert (first.body["max_tokens"], second.body["max_tokens"]) == (1000, 2000)
    assert second.prompt == first.prompt
    assert any("cut off at max_tokens; asked again with more room" in line for line in ran.said)


def test_a_server_without_the_room_is_asked_for_a_shorter_reply(run, openai_server: OpenAIServer) -> None:
    openai_server.script.extend([Answer(fenced(RIGHT)[:300], finish_reason="length"), error(400, "context is full")])
    openai_server.default = Answer(fenced(RIGHT))
    assert [status for *_, status in run().course] == ["PASSED"]
    first, second, third = (seen.body["max_tokens"] for seen in openai_server.requests)
    assert (first, second, third) == (1000, 2000, 1000)
    assert "cut off at max_tokens before it ended" in openai_server.requests[2].prompt


def test_a_reply_that_is_cut_off_twice_is_not_asked_for_a_third_time(run, openai_server: OpenAIServer) -> None:
    openai_server.default = Answer(fenced(RIGHT)[:300], finish_reason="length")
    ((*_, status),) = run().course
    assert status == "MALFORMED_REPLY" and len(openai_server.requests) == 2


def test_the_same_malformed_reply_twice_ends_the_asking(run, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("d", lambda seen: NONE)
    ran = run(REPAIR)
    assert len(openai_server.requests) == 2
    assert [status for *_, status in ran.course] == ["MALFORMED_REPLY"]
    assert "the same reply came twice" in ran.state.attempts[0].message
    assert any("coder gave the same malformed reply twice" in note for note in ran.state.notes)


def test_different_malformed_replies_do_not_end_it(run, openai_server: OpenAIServer) -> None:
    texts = iter([NONE, "No.", "Never.", "Not I.", fenced(RIGHT)])
    openai_server.default = by_agent("d", lambda seen: next(texts))
    assert [status for *_, status in run(REPAIR).course] == ["MALFORMED_REPLY", "MALFORMED_REPLY", "PASSED"]


def test_an_advisor_that_repeats_itself_is_not_asked_again(run, openai_server: OpenAIServer) -> None:
    wrong = iter(range(100))
    openai_server.default = by_agent("d", lambda seen: fenced(f"{WRONG}\nX = {next(wrong)}\n"), "no JSON")
    ran = run(REPAIR.replace("until", "same_failure: 9, until"))
    asked = [seen for seen in openai_server.requests if "You lead" in seen.prompt]
    assert len(ran.course) == 6 and len(asked) == 2


def test_a_search_asks_no_more_for_a_first_candidate(run, openai_server: OpenAIServer) -> None:
    openai_server.default = by_agent("d", lambda seen: NONE)
    search = "{evolve: code, agent: coder, islands: 1, population: 2, children: 2, generations: 3, patience: null}"
    ran = run(
        f"{CODE.replace('{steps: {code: {agent: coder}}}', '')}    steps: {{code: {{agent: coder}}, go: {search}}}\n"
    )
    assert len(openai_server.requests) == 2
    assert any("not asked: coder gave" in attempt.message for attempt in ran.state.attempts)
