"""The provider that asks a command on this machine: the prompt on standard input, the answer on standard output."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from akgflow.base.secrets import brief, redact
from akgflow.base.text import received
from akgflow.budget.usage import Usage
from akgflow.config.types import CommandSpec, ModelSpec
from akgflow.errors import machine_error
from akgflow.models.base import CUT_SHORT, Failure, Message, ModelReply, ModelRequest, ProviderError
from akgflow.models.local.outputs import NoAnswer, Printed, read_output
from akgflow.models.prices import price_of
from akgflow.models.sizes import estimate_tokens, max_output_tokens
from akgflow.verification.sandbox import landlock, process_tree
from akgflow.verification.sandbox.confined import NOT_STARTED
from akgflow.verification.sandbox.env_allowlist import scrubbed
from akgflow.verification.sandbox.libc import Refused

MOST_BYTES = 8 << 20
"""Of what a command may print: it is ended beyond that."""
_MOST_OF_ERRORS = 16 << 10
_GRACE = 3.0
"""Seconds that the guard has to end what it guards."""
_ENVIRONMENT = ("HOME", "USER", "LOGNAME", "SHELL", "TERM", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


class _Ended(NamedTuple):
    status: int
    out: bytes
    err: bytes
    too_much: bool


class CommandProvider:
    """Runs the command once for each call, in an empty folder of its own that is removed afterwards.

    It may write there and below ``writes`` only. Its environment has no keys but those that ``env`` names.
    """

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One reply, or `ProviderError`; whatever ends the waiting ends the command and all that it started."""
        spec = request.model
        command = spec.command
        assert command is not None, "the gateway chooses this provider for models with a command"
        with tempfile.TemporaryDirectory(prefix="akgflow-command-", ignore_cleanup_errors=True) as folder:
            request.meter.out = True
            ended = await _run(spec, command, _prompt(request.messages), Path(folder))
        out = received(ended.out.decode("utf-8", "replace"))
        if ended.too_much:
            raise _failed(spec, Failure.INVALID_RESPONSE, f"printed more than {MOST_BYTES >> 20} MiB and was ended")
        if ended.status == NOT_STARTED and not out.strip():
            request.meter.out = False
            raise _failed(spec, Failure.REQUEST, f"cannot be run: {_said(ended.err)}")
        if ended.status:
            what = f"exited with status {ended.status}: {_said(ended.err) or _said(ended.out) or 'it printed nothing'}"
            raise _failed(spec, Failure.SERVER, what)
        try:
            printed = read_output(out, command.output)
        except NoAnswer as wrong:
            raise _failed(spec, Failure.INVALID_RESPONSE, str(wrong)) from None
        if not printed.text.strip():
            raise _failed(spec, Failure.INVALID_RESPONSE, f"printed nothing: {_said(ended.err) or 'no errors either'}")
        return _reply(printed, request)


def _prompt(messages: Sequence[Message]) -> bytes:
    """All messages as one text; where there is more than one turn, each under its role."""
    told = [message for message in messages if message.role != "system"]
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    if len(told) == 1:
        parts = [system, told[0].content]
    else:
        parts = [system, *(f"[{message.role}]\n{message.content}" for message in told)]
    return ("\n\n".join(part for part in parts if part) + "\n").encode("utf-8", "replace")


async def _run(spec: ModelSpec, command: CommandSpec, prompt: bytes, folder: Path) -> _Ended:
    writes = [str(folder), *command.writes]
    guard = (sys.executable, "-P", "-m", "akgflow.verification.sandbox.confined", json.dumps(writes), "--")
    try:
        process = await asyncio.create_subprocess_exec(
            *guard,
            *command.words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env=_environment(command, folder),
            start_new_session=True,
        )
    except OSError as error:
        raise (machine_error(error) or _failed(spec, Failure.REQUEST, f"cannot be run: {error}")) from None
    try:
        return await _answered(process, prompt)
    finally:
        await _end(process)


def _environment(command: CommandSpec, folder: Path) -> dict[str, str]:
    named = {name: os.environ[name] for name in command.env if name in os.environ}
    plain = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    return {**scrubbed(os.environ, *_ENVIRONMENT), **plain, **named, "TMPDIR": str(folder), "PWD": str(folder)}


async def _answered(process: asyncio.subprocess.Process, prompt: bytes) -> _Ended:
    assert process.stdin and process.stdout and process.stderr
    sent = asyncio.create_task(_send(process.stdin, prompt))
    errors = asyncio.create_task(_read(process.stderr, _MOST_OF_ERRORS, drain=True))
    try:
        out = await _read(process.stdout, MOST_BYTES)
        if len(out) > MOST_BYTES:
            return _Ended(0, out, b"", too_much=True)
        status = await process.wait()
        return _Ended(status, out, await errors, too_much=False)
    finally:
        for task in (sent, errors):
            task.cancel()
        await asyncio.gather(sent, errors, return_exceptions=True)


async def _send(sink: asyncio.StreamWriter, prompt: bytes) -> None:
    """A command that does not read its prompt is no failure of ours: what it prints says what it did."""
    with suppress(ConnectionError):
        sink.write(prompt)
        await sink.drain()
    sink.close()


async def _read(source: asyncio.StreamReader, most: int, *, drain: bool = False) -> bytes:
    """What comes, up to one byte beyond ``most``; with ``drain`` the rest is read and dropped."""
    found = bytearray()
    while piece := await source.read(64 << 10):
        found += piece[: most + 1 - len(found)]
        if len(found) > most and not drain:
            break
    return bytes(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the guard, which ends all that the command started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
                await process.wait()
        except TimeoutError:
            process_tree.end_below(process.pid)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    # What it had printed is read to the end: otherwise its pipes stay open until they are collected.
    with suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            for stream in filter(None, (process.stdout, process.stderr)):
                await _read(stream, 0, drain=True)


def _reply(printed: Printed, request: ModelRequest) -> ModelReply:
    spec = request.model
    estimated = not (printed.prompt_tokens and printed.completion_tokens)
    prompt = printed.prompt_tokens or sum(estimate_tokens(message.content) for message in request.messages)
    completion = printed.completion_tokens or min(estimate_tokens(printed.text), max_output_tokens(spec))
    price, cost = price_of(spec), printed.usd
    if price is not None:
        cost = price.of(prompt, completion, printed.cached_tokens)
    notes = []
    if estimated:
        notes.append(f"{spec.model} gives no figures of usage: its tokens are estimated from the text")
    if not _is_confined():
        notes.append(f"{spec.model} ran without a sandbox: this kernel has no landlock")
    usage = Usage(prompt, completion, cost, estimated)
    return ModelReply(printed.text, usage, spec.model, "live", CUT_SHORT if printed.cut else "stop", tuple(notes))


def _is_confined() -> bool:
    try:
        return landlock.version() > 0
    except Refused:
        return False


def _said(text: bytes) -> str:
    return brief(redact(received(text.decode("utf-8", "replace")))).strip()


def _failed(spec: ModelSpec, failure: Failure, what: str) -> ProviderError:
    assert spec.command is not None
    return ProviderError(failure, f"model {spec.name}: the command {spec.command.words[0]} {what}")
