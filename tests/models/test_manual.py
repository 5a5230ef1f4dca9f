"""The provider that asks through files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from model_bench import call

from akgflow.config.types import ModelSpec
from akgflow.models import Message, ModelReply, ModelRequest, ProviderError
from akgflow.models.manual import ManualProvider

POLL = 0.02


def _request(folder: Path, text: str = "Write a kernel.") -> ModelRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    return ModelRequest(call(), ModelSpec("default", f"manual/{folder}"), messages, "print")


async def _ask(folder: Path, text: str = "Write a kernel.") -> ModelReply:
    return await ManualProvider(POLL).complete(_request(folder, text))


PROMPT, REPLY = "t.triton-cpu.code.1.1.coder.prompt.md", "t.triton-cpu.code.1.1.coder.reply.md"


def test_prompt_appears_and_reply_is_picked_up(tmp_path: Path) -> None:
    folder = tmp_path / "desk"

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
        asking = asyncio.create_task(ManualProvider(0.15).complete(_request(tmp_path)))
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
    assert not (tmp_path / REPLY).exists()
    assert (tmp_path / REPLY).with_suffix(".old").read_text() == "first"


@pytest.mark.parametrize("model", ["manual/", "manual//proc/nowhere"])
def test_a_folder_that_cannot_be_used(model: str) -> None:
    request = ModelRequest(call(), ModelSpec("default", model), (Message("user", "x"),), "print")
    with pytest.raises(ProviderError, match="manual/"):
        asyncio.run(ManualProvider(POLL).complete(request))
