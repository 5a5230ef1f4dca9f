"""A disk that fills on the way: no kernel is blamed, nothing paid for is lost, and the same command ends the run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from documents import document
from openai_server import Answer, OpenAIServer, Seen
from small_disk import SmallDisk, small_disk
from small_task import RIGHT, by_agent, fenced, make_workspace

RUN = (sys.executable, "-m", "akgflow", "run", "scale", "--json")


def verdicts(workspace: Path) -> list[str]:
    """Status of every verdict in the journal of the one run."""
    (journal,) = (workspace / "runs").glob("*/journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    return [line["data"]["status"] for line in lines if line["key"].startswith("verdict ")]


@pytest.mark.thorough
def test_a_compiler_that_finds_the_disk_full_blames_no_kernel(tmp_path: Path, openai_server: OpenAIServer) -> None:
    with small_disk(tmp_path / "disk", "40m") as disk:
        env = {
            "TEST_KEY": "k",
            "AKGFLOW_CACHE": str(tmp_path / "cache"),
            "AKGFLOW_KNOWLEDGE": str(tmp_path / "knowledge.sqlite"),
        }
        answers = by_agent("the sketch", lambda seen: fenced(RIGHT))
        coded = False

        def fills_before_the_kernel_comes(seen: Seen) -> Answer:
            nonlocal coded
            answer = answers(seen)
            if "tvm_ffi" in (answer.text or "") and not coded:
                coded = True
                disk.fill()
            return answer

        openai_server.default = fills_before_the_kernel_comes
        make_workspace(disk.seen, openai_server.url)
        code, out, err = disk.run(RUN, cwd=disk.folder, env=env)
        assert code == 7, err
        assert "full" in document(out)["error"] and "the same command goes on" in err
        assert verdicts(disk.seen) == []
        calls = len(openai_server.requests)
        check_goes_on(disk, env)
        assert len(openai_server.requests) == calls, "a reply that was paid for was asked for again"


def check_goes_on(disk: SmallDisk, env: dict[str, str]) -> None:
    """Once there is room the same command ends the run, with the kernel right at its first attempt."""
    disk.free()
    code, out, err = disk.run(RUN, cwd=disk.folder, env=env)
    assert code == 0, err
    (job,) = document(out)["jobs"]
    assert [attempt["status"] for attempt in job["attempts"]] == ["PASSED"]
    assert verdicts(disk.seen) == ["PASSED"]
    assert not list(disk.seen.glob("runs/*/.*reserve")) and not list(disk.seen.glob("runs/*/scratch/judgement-*"))
