"""The provider that asks a person, or a script, through files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from akgflow.budget.usage import Usage
from akgflow.errors import ConfigError
from akgflow.models.base import Failure, ModelReply, ModelRequest, ProviderError
from akgflow.models.local.inbox import Inbox, Waiting
from akgflow.models.sizes import estimate_tokens, max_output_tokens

_POLL_SECONDS = 0.3


class ManualProvider:
    """Answers ``manual/DIR``: prompts and replies are files in the `Inbox` DIR.

    ``notify`` receives a sentence for each prompt with the files' names. A reply counts when it is not empty and has
    not changed between two polls; writing it elsewhere and renaming it is safest. A reply that exists already is used:
    its name says that it answers this prompt.
    """

    def __init__(self, notify: Callable[[str], None] = lambda _: None, poll_seconds: float = _POLL_SECONDS) -> None:
        self._notify = notify
        self._poll = poll_seconds

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Write the prompt and wait for the reply, for as long as it takes."""
        folder = request.model.model.partition("/")[2]
        if not folder:
            raise ProviderError(Failure.REQUEST, f"{request.model.model} names no folder: write manual/DIR")
        inbox = Inbox(Path(folder).expanduser().absolute())
        try:
            text = await self._asked(inbox, request)
        except (OSError, UnicodeDecodeError, ConfigError) as failed:
            raise ProviderError(Failure.REQUEST, f"{request.model.model} cannot be used: {failed}") from None
        # Nobody counts a person's tokens; they are estimated, and within what was reserved for them.
        asked = sum(estimate_tokens(m.content) for m in request.messages)
        written = min(estimate_tokens(text), max_output_tokens(request.model))
        usage = Usage(asked, written, cost=None, estimated=True)
        return ModelReply(text, usage, answered_by=request.model.model, origin="manual")

    async def _asked(self, inbox: Inbox, request: ModelRequest) -> str:
        waiting = inbox.ask(request)
        try:
            if inbox.reply_to(waiting.id):
                self._notify(f"{request.key}: its reply is there already: {inbox.folder / waiting.reply}")
            else:
                prompt = inbox.folder / waiting.prompt
                self._notify(f"{request.key}: a prompt waits in {prompt}: write the reply to {waiting.reply} beside it")
            return await self._answer(inbox, waiting)
        finally:
            inbox.done(waiting)

    async def _answer(self, inbox: Inbox, waiting: Waiting) -> str:
        reply = inbox.folder / waiting.reply
        before: tuple[int, int] | None = None
        while True:
            try:
                stat = reply.stat()
                now = (stat.st_size, stat.st_mtime_ns)
            except FileNotFoundError:
                now = None
            if now is not None and now[0] > 0 and now == before:
                return inbox.reply_to(waiting.id)
            before = now
            await asyncio.sleep(self._poll)
