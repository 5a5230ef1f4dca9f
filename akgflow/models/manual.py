"""The provider that asks a person, or a script, through files."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from akgflow.models.base import Failure, Message, ModelReply, ModelRequest, ProviderError, Usage
from akgflow.models.ledger import estimate_tokens

_POLL_SECONDS = 0.3


class ManualProvider:
    """Answers ``manual/DIR``: the prompt appears as ``DIR/TASK.KEY.prompt.md``, the reply is read from ``….reply.md``.

    A reply counts when it is not empty and has not changed between two looks; writing it elsewhere and renaming it
    into place is the surest. A reply that is there already is taken, unless it answered another prompt.
    """

    def __init__(self, poll_seconds: float = _POLL_SECONDS) -> None:
        self._poll = poll_seconds

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Write the prompt and wait for the reply, for as long as it takes."""
        folder = request.model.model.partition("/")[2]
        if not folder:
            raise ProviderError(Failure.REQUEST, f"{request.model.model} names no folder: write manual/DIR")
        stem = re.sub(r"[^\w.+-]", "_", f"{request.key.task}.{request.key}")
        prompt = Path(folder).expanduser() / f"{stem}.prompt.md"
        reply = prompt.with_name(f"{stem}.reply.md")
        try:
            _ask(prompt, reply, request)
            text = await self._answer(reply)
        except (OSError, UnicodeDecodeError) as failed:
            raise ProviderError(Failure.REQUEST, f"{request.model.model} cannot be used: {failed}") from None
        asked = sum(estimate_tokens(m.content) for m in request.messages)
        usage = Usage(asked, estimate_tokens(text), cost=None, estimated=True)
        return ModelReply(text, usage, answered_by=request.model.model, origin="manual")

    async def _answer(self, reply: Path) -> str:
        before: tuple[int, int] | None = None
        while True:
            try:
                stat = reply.stat()
                now = (stat.st_size, stat.st_mtime_ns)
            except FileNotFoundError:
                now = None
            if now is not None and now[0] > 0 and now == before:
                return reply.read_bytes().decode("utf-8")
            before = now
            await asyncio.sleep(self._poll)


def _ask(prompt: Path, reply: Path, request: ModelRequest) -> None:
    text = _render(request.messages, reply.name)
    prompt.parent.mkdir(parents=True, exist_ok=True)
    if prompt.exists() and prompt.read_text(encoding="utf-8") != text and reply.exists():
        reply.replace(reply.with_suffix(".old"))
    temporary = prompt.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(prompt)


def _render(messages: tuple[Message, ...], reply: str) -> str:
    parts = [f"<!-- Write the reply to {reply} in this folder. -->"]
    parts += [f"<!-- {message.role} -->\n\n{message.content.rstrip()}" for message in messages]
    return "\n\n".join(parts) + "\n"
