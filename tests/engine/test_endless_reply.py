"""A reply of 20 MB: its beginning is kept, it is asked for again in few words, and the job goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from known_judge import KnownJudge, known, run_steps
from openai_server import Answer, OpenAIServer, Seen
from small_task import RIGHT, fenced, make_workspace

from akgflow.config.types import ReplyForm

LONG = "0123456789abcdef" * (20 * (1 << 20) // 16)


def in_one_event(seen: Seen) -> Answer:
    choices = [{"index": 0, "delta": {"content": LONG}, "finish_reason": None}]
    chunk = {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": choices}
    return Answer(body=b"data: " + json.dumps(chunk).encode() + b"\n\n", content_type="text/event-stream")


@pytest.mark.parametrize("endless", [in_one_event, Answer(LONG, streams=False), Answer(LONG, piece=1 << 16)])
def test_the_job_goes_on_after_a_reply_without_end(
    endless: object, tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "k")
    openai_server.script.append(endless)  # type: ignore[arg-type]
    openai_server.default = Answer(fenced(RIGHT))
    # As long as a reply may be before its tokens end it: here its bytes do.
    models = "    params: {max_tokens: 200000}\nworkflows:\n  mine: {steps: {code: {agent: coder}}}\n"
    task = make_workspace(tmp_path, openai_server.url, task="workflow: mine\n", models=models)
    ran = run_steps(task, KnownJudge(lambda source: known(2.0)))
    assert ran.failed is None and [status for *_, status in ran.course] == ["PASSED"]
    first, second = openai_server.requests
    assert len(second.prompt) < len(first.prompt) + 4_000
    assert f"longer than {ReplyForm.max_bytes} bytes" in second.prompt
    for kept in (tmp_path / "run").rglob("*"):
        assert kept.is_dir() or kept.stat().st_size < 2 * ReplyForm.max_bytes, kept
    journal = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    (call, again) = [one["data"]["reply"] for one in journal if one["key"].startswith("call ")]
    assert call["finish_reason"] == "too_long" and "the rest was dropped" in " ".join(call["notes"])
    assert again["finish_reason"] == "stop"
