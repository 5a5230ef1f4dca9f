"""The provider that asks through files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from model_bench import call

from akgflow.config.types import ModelSpec
from akgflow.errors import ConfigError
from akgflow.models.base import Message, ModelReply, ModelRequest, ProviderError
from akgflow.models.local.inbox import INDEX, Inbox
from akgflow.models.local.manual import ManualProvider

POLL = 0.02


def _request(folder: Path, text: str = "Write a kernel.") -> ModelRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    return ModelRequest(call(), ModelSpec("default", f"manual/{folder}"), messages, "print")


async def _ask(folder: Path, text: str = "Write a kernel.") -> ModelReply:
    return await ManualProvider(poll_seconds=POLL).complete(_request(folder, text))


STEM = "t.triton-cpu.code.1.1.coder.3aa50932"
PROMPT, REPLY = f"{STEM}.prompt.md", f"{STEM}.reply.md"


def test_prompt_appears_and_reply_is_picked_up(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"

    async def main() -> ModelReply:
        asking = asyncio.create_task(_ask(folder))
        while not (folder / PROMPT).exists():
            await asyncio.sleep(POLL)
        assert not asking.done()
        (folder / "draft").write_text("é = 1\n", encoding="utf-8")
        (folder / "draft").rename(folder / REPLY)
        return await asyncio.wait_for(asking, 5)

    reply = asyncio.run(main())
    assert (reply.text, reply.origin, reply.usage.estimated, reply.usage.cost) == ("é = 1\n", "manual", True, None)
    prompt = (folder / PROMPT).read_text()
    assert "Be brief." in prompt and "Write a kernel." in prompt and REPLY in prompt


def test_a_reply_that_still_grows_is_not_read(tmp_path: Path) -> None:
    async def main() -> ModelReply:
        asking = asyncio.create_task(ManualProvider(poll_seconds=0.15).complete(_request(tmp_path)))
        with (tmp_path / REPLY).open("w") as file:
            for _ in range(20):
                file.write("word ")
                file.flush()
                await asyncio.sleep(0.03)
                assert not asking.done()
        return await asyncio.wait_for(asking, 5)

    assert asyncio.run(main()).text == "word " * 20


def test_an_empty_file_is_no_reply_yet(tmp_path: Path) -> None:
    (tmp_path / REPLY).touch()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_ask(tmp_path), 10 * POLL)

    asyncio.run(main())


def test_a_reply_that_is_there_is_taken_again_for_the_same_prompt_only(tmp_path: Path) -> None:
    (tmp_path / REPLY).write_text("first")
    assert asyncio.run(_ask(tmp_path)).text == "first"
    assert asyncio.run(_ask(tmp_path)).text == "first"

    async def other() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_ask(tmp_path, "Something else."), 10 * POLL)

    asyncio.run(other())
    assert (tmp_path / REPLY).read_text() == "first"


def test_several_prompts_wait_and_are_listed_until_they_are_answered(tmp_path: Path) -> None:
    said: list[str] = []
    provider = ManualProvider(said.append, POLL)
    inbox = Inbox(tmp_path)

    async def ask(attempt: int) -> str:
        return (await provider.complete(replace(_request(tmp_path), key=call(attempt)))).text

    async def main() -> list[str]:
        asking = [asyncio.create_task(ask(attempt)) for attempt in (1, 2, 3)]
        while len(inbox.waiting()) < 3:
            await asyncio.sleep(POLL)
        listed = json.loads((tmp_path / INDEX).read_text())["waiting"]
        assert [(one["attempt"], one["step"], one["agent"]) for one in listed] == [
            (attempt, "code", "coder") for attempt in (1, 2, 3)
        ]
        assert all((tmp_path / one["prompt"]).exists() for one in listed)
        # Each was said once, with the file to write.
        assert [listed[n]["prompt"] in said[n] and listed[n]["reply"] in said[n] for n in range(3)] == [True] * 3
        for waiting in reversed(inbox.waiting()):
            inbox.answer(waiting.id, f"to {waiting.attempt}")
            with pytest.raises(ConfigError, match="answered already"):
                inbox.answer(waiting.id, "twice")
        assert inbox.waiting() == ()
        return await asyncio.wait_for(asyncio.gather(*asking), 5)

    assert asyncio.run(main()) == ["to 1", "to 2", "to 3"]
    assert json.loads((tmp_path / INDEX).read_text()) == {"waiting": []}
    assert len(said) == 3


def test_prompts_of_a_process_that_ended_do_not_wait(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    left = inbox.ask(_request(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    index = tmp_path / INDEX
    index.write_text(index.read_text().replace(str(os.getpid()), str(gone.pid)))
    assert inbox.waiting() == ()
    now = inbox.ask(replace(_request(tmp_path), key=call(2)))
    assert [one["id"] for one in json.loads(index.read_text())["waiting"]] == [now.id] != [left.id]


@pytest.mark.parametrize(
    ("name", "text", "words"), [("nothing", "x", "no prompt 'nothing'"), (STEM, " ", "the reply is empty")]
)
def test_an_answer_to_nothing_and_an_empty_one(name: str, text: str, words: str, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    assert inbox.ask(_request(tmp_path)).id == STEM
    with pytest.raises(ConfigError, match=words):
        inbox.answer(name, text)


@pytest.mark.parametrize("model", ["manual/", "manual//proc/nowhere"])
def test_a_folder_that_cannot_be_used(model: str) -> None:
    request = ModelRequest(call(), ModelSpec("default", model), (Message("user", "x"),), "print")
    with pytest.raises(ProviderError, match="manual/"):
        asyncio.run(ManualProvider(poll_seconds=POLL).complete(request))
