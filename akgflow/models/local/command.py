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
from typing import Any, NamedTuple

from akgflow.base.secrets import brief, redact
from akgflow.base.text import received
from akgflow.budget.usage import Usage
from akgflow.config.types import CommandSpec, ModelSpec, Price
from akgflow.errors import machine_error
from akgflow.models.base import CUT_SHORT, Failure, Message, ModelReply, ModelRequest, ProviderError
from akgflow.models.local.outputs import NoAnswer, Printed, read_output
from akgflow.models.local.session import Session, with_file
from akgflow.models.prices import price_of
from akgflow.models.sizes import estimate_tokens, max_output_tokens
from akgflow.verification.sandbox import landlock, process_tree
from akgflow.verification.sandbox.confined import NOT_STARTED
from akgflow.verification.sandbox.env_allowlist import scrubbed

MOST_BYTES = 8 << 20
"""Of what a command may print: it is ended beyond that. Of a session the last so many bytes are kept."""
_MOST_OF_ERRORS = 16 << 10
_GRACE = 3.0
"""Seconds that the guard has to end what it guards."""
_ENVIRONMENT = ("HOME", "USER", "LOGNAME", "SHELL", "TERM", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


class _Ended(NamedTuple):
    status: int
    out: bytes
    err: bytes
    too_much: bool = False
    late: bool = False
    """It was ended when its time was over."""


class CommandProvider:
    """Runs the command once for each call, in an empty folder of its own that is removed afterwards.

    It may write there and below ``writes`` only. Its environment has no keys but those that ``env`` names. In a session
    the folder is there already and stays, and whatever becomes of the command, the file that it left is its reply.
    """

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One reply, or `ProviderError`; whatever ends the waiting ends the command and all that it started."""
        spec = request.model
        command = spec.command
        assert command is not None, "the gateway chooses this provider for models with a command"
        if request.session is not None:
            return await _worked(request, command, request.session)
        with tempfile.TemporaryDirectory(prefix="akgflow-command-", ignore_cleanup_errors=True) as folder:
            request.meter.out = True
            ended = await _run(spec, command, _prompt(request.messages), Path(folder))
        out = received(ended.out.decode("utf-8", "replace"))
        if ended.too_much:
            raise _failed(spec, Failure.INVALID_RESPONSE, f"printed more than {MOST_BYTES >> 20} MiB and was ended")
        _check_started(request, ended)
        if ended.status:
            raise _failed(spec, Failure.SERVER, _exit_of(ended))
        try:
            printed = read_output(out, command.output)
        except NoAnswer as wrong:
            raise _failed(spec, Failure.INVALID_RESPONSE, str(wrong)) from None
        if not printed.text.strip():
            raise _failed(spec, Failure.INVALID_RESPONSE, f"printed nothing: {_said(ended.err) or 'no errors either'}")
        return _reply(printed, request)


async def _worked(request: ModelRequest, command: CommandSpec, session: Session) -> ModelReply:
    """The reply of a session: it ends well, badly or at its time, and always with the file that it left.

    Raises `ProviderError` for one that failed before it had done anything.
    """
    spec, most = request.model, request.max_bytes // 2
    seconds = session.begin()
    if seconds <= 0.0:
        reply = with_file("", session.left(most))
        return ModelReply(reply, Usage(0, 0, 0.0), spec.model, "live", "had no time left")
    request.meter.out, before = True, session.left(most)
    ended = await _run(spec, command, _prompt(request.messages), session.folder, session.hidden, seconds)
    _check_started(request, ended)
    printed, how = _printed(ended, command)
    file = session.left(most)
    if how and not ended.late and file == before and not session.asked():
        raise _failed(spec, Failure.SERVER, how)
    told = redact(printed.text[-2 * most :]).encode("utf-8", "replace")[-(most - 100) :].decode("utf-8", "ignore")
    notes = [] if landlock.is_here() else [_unconfined(spec)]
    if not _has_figures(printed):
        notes.append(f"{spec.model} does not say what its session took: what was reserved for it is counted")
    return ModelReply(
        with_file(told, file), _session_usage(printed, spec, session), spec.model, "live", how or "stop", tuple(notes)
    )


def _printed(ended: _Ended, command: CommandSpec) -> tuple[Printed, str]:
    """What a session printed, and how it ended in a few words; empty where it ended well."""
    out = received(ended.out.decode("utf-8", "replace"))
    how = "was stopped when its minutes were over" if ended.late else _exit_of(ended) if ended.status else ""
    try:
        return read_output(out, command.output), how
    except NoAnswer as wrong:
        return Printed(out), how or str(wrong)


def _session_usage(printed: Printed, spec: ModelSpec, session: Session) -> Usage:
    """What the command says that it took, else what was reserved."""
    price, estimated = price_of(spec), not _has_figures(printed)
    tokens = (session.tokens, max_output_tokens(spec)) if estimated else _tokens(printed)
    return Usage(*tokens, _cost(printed, price, *tokens), estimated)


def _has_figures(printed: Printed) -> bool:
    return bool(printed.prompt_tokens and printed.completion_tokens)


def _tokens(printed: Printed) -> tuple[int, int]:
    return printed.prompt_tokens, printed.completion_tokens


def _cost(printed: Printed, price: Price | None, prompt: int, completion: int) -> float | None:
    """A price for a call is the most that it costs: what the command says itself is nearer."""
    if price is None or (price.call and printed.usd is not None):
        return printed.usd
    return price.of(prompt, completion, printed.cached_tokens)


def _check_started(request: ModelRequest, ended: _Ended) -> None:
    if ended.status == NOT_STARTED and not ended.out.strip():
        request.meter.out = False
        raise _failed(request.model, Failure.REQUEST, f"cannot be run: {_said(ended.err)}")


def _exit_of(ended: _Ended) -> str:
    return f"exited with status {ended.status}: {_said(ended.err) or _said(ended.out) or 'it printed nothing'}"


def _prompt(messages: Sequence[Message]) -> bytes:
    """All messages as one text; where there is more than one turn, each under its role."""
    told = [message for message in messages if message.role != "system"]
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    if len(told) == 1:
        parts = [system, told[0].content]
    else:
        parts = [system, *(f"[{message.role}]\n{message.content}" for message in told)]
    return ("\n\n".join(part for part in parts if part) + "\n").encode("utf-8", "replace")


async def _run(
    spec: ModelSpec,
    command: CommandSpec,
    prompt: bytes,
    folder: Path,
    hidden: Sequence[str] = (),
    seconds: float | None = None,
) -> _Ended:
    """``seconds`` are those of a session."""
    bounds = {"writes": [str(folder), *command.writes], "hidden": hidden}
    guard = (sys.executable, "-P", "-m", "akgflow.verification.sandbox.confined", json.dumps(bounds), "--")
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
        return await (_answered(process, prompt) if seconds is None else _waited(process, prompt, seconds))
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
        return _Ended(status, out, await errors)
    finally:
        await _cancelled(sent, errors)


async def _waited(process: asyncio.subprocess.Process, prompt: bytes, seconds: float) -> _Ended:
    """The same for a session, which may print what it likes: its end is kept, also where its time ends it."""
    assert process.stdin and process.stdout and process.stderr
    out, err = bytearray(), bytearray()
    sent = asyncio.create_task(_send(process.stdin, prompt))
    kept = [
        asyncio.create_task(_keep_end(process.stdout, out, MOST_BYTES)),
        asyncio.create_task(_keep_end(process.stderr, err, _MOST_OF_ERRORS)),
    ]
    late = False
    try:
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            late = True
            await _end(process, drain=False)
        # The guard has ended all that could write into them.
        await asyncio.wait(kept, timeout=_GRACE)
        return _Ended(process.returncode or 0, bytes(out), bytes(err), late=late)
    finally:
        await _cancelled(sent, *kept)


async def _keep_end(source: asyncio.StreamReader, kept: bytearray, most: int) -> None:
    """Read to the end, and keep the last ``most`` bytes."""
    while piece := await source.read(64 << 10):
        kept += piece
        if len(kept) > 2 * most:
            del kept[:-most]
    del kept[:-most]


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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


async def _end(process: asyncio.subprocess.Process, *, drain: bool = True) -> None:
    """End the guard, which ends all that the command started; with ``drain`` nobody else reads what it prints."""
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
    if not drain:
        return
    # What it had printed is read to the end: otherwise its pipes stay open until they are collected.
    with suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            for stream in filter(None, (process.stdout, process.stderr)):
                await _read(stream, 0, drain=True)


def _reply(printed: Printed, request: ModelRequest) -> ModelReply:
    spec = request.model
    estimated = not _has_figures(printed)
    prompt = printed.prompt_tokens or sum(estimate_tokens(message.content) for message in request.messages)
    completion = printed.completion_tokens or min(estimate_tokens(printed.text), max_output_tokens(spec))
    notes = []
    if estimated:
        notes.append(f"{spec.model} gives no figures of usage: its tokens are estimated from the text")
    if not landlock.is_here():
        notes.append(_unconfined(spec))
    usage = Usage(prompt, completion, _cost(printed, price_of(spec), prompt, completion), estimated)
    return ModelReply(printed.text, usage, spec.model, "live", CUT_SHORT if printed.cut else "stop", tuple(notes))


def _unconfined(spec: ModelSpec) -> str:
    return f"{spec.model} ran without a sandbox: this kernel has no landlock"


def _said(text: bytes) -> str:
    return brief(redact(received(text.decode("utf-8", "replace")))).strip()


def _failed(spec: ModelSpec, failure: Failure, what: str) -> ProviderError:
    assert spec.command is not None
    return ProviderError(failure, f"model {spec.name}: the command {spec.command.words[0]} {what}")
