"""Where a run's means went: tokens, money and device seconds by step and model, read off the journal alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from akgflow.budget.ledger import Ledger
from akgflow.budget.outstanding import CallLog
from akgflow.budget.usage import Lost, Usage
from akgflow.runs.journal import Journal
from akgflow.runs.records import Finished, Preflight
from akgflow.runs.result import Account
from akgflow.verdict import Verdict

KILLED = "the process ended while it was out"
JUDGE_TRIED = "judge tried"
"""The row of the kernels with which the judge itself is tried."""


def accounts(journal: Journal) -> tuple[Account, ...]:
    """One row for each step and model, in the order in which they first spent something."""
    rows: dict[tuple[str, str], Account] = {}
    for row in _entries(journal):
        key = (row.step, row.model)
        rows[key] = rows[key] + row if key in rows else row
    return tuple(rows.values())


def book_earlier_sessions(journal: Journal, ledger: Ledger) -> None:
    """Charge everything that the journal holds: nothing is spent twice, and nothing is forgotten."""
    for key, _ in journal.items(""):
        kind = key.partition(" ")[0]
        if kind == "call":
            reply = journal.read(key, Finished).reply
            ledger.charge(reply.usage, charge_usd=reply.origin == "live")
        elif kind == "lost":
            ledger.lose(journal.read(key, Lost))
        else:
            ledger.device.charge(_device_seconds(journal, key))


def note_lost(journal: Journal, lost: Lost) -> None:
    """Keep what was spent without a result, so that a later session counts it too."""
    journal.write(f"lost {sum(1 for _ in journal.items('lost ')) + 1}", lost)


def note_left(journal: Journal, calls: CallLog) -> None:
    """Keep the calls that were out when an earlier session was killed: the provider may bill them."""
    answered = {key.removeprefix("call ") for key, _ in journal.items("call ")}
    settled = {lost.call for lost in _lost(journal)}
    for call in calls.left(answered, settled):
        note_lost(journal, call.lost(KILLED))


def unknown_ends(journal: Journal) -> tuple[str, ...]:
    """One sentence about the calls that went out and brought no reply; nothing where there are none."""
    lost = [one for one in _lost(journal) if one.usage is not None]
    if not lost:
        return ()
    tokens = sum(one.usage.tokens for one in lost if one.usage)
    killed = sum(one.reason == KILLED for one in lost)
    how = f", {killed} of them because the process ended" if killed else ""
    went = "1 call went out and brought" if len(lost) == 1 else f"{len(lost)} calls went out and brought"
    return (f"{went} no reply{how}: what was reserved for them is counted as spent ({tokens:,} tokens)",)


def _lost(journal: Journal) -> list[Lost]:
    return [journal.read(key, Lost) for key, _ in journal.items("lost ")]


def _entries(journal: Journal) -> Iterator[Account]:
    for key, _ in journal.items(""):
        kind, _, name = key.partition(" ")
        if kind == "call":
            finished = journal.read(key, Finished)
            reply = finished.reply
            yield _called(finished.key.step, reply.answered_by, reply.usage, live=reply.origin == "live")
        elif kind == "lost":
            lost = journal.read(key, Lost)
            step = lost.step.rpartition(".")[2]
            row = _called(step, lost.model, lost.usage, live=True) if lost.usage else Account(step)
            yield replace(row, device_seconds=lost.device_seconds, lost=1)
        elif kind == "verdict":
            yield Account(journal.step(key) or name, judged=1, device_seconds=_device_seconds(journal, key))
        elif kind == "canaries" and (seconds := _device_seconds(journal, key)):
            tried = journal.read(key, Preflight)
            yield Account(JUDGE_TRIED, judged=tried.canaries, device_seconds=seconds)


def _called(step: str, model: str, usage: Usage, *, live: bool) -> Account:
    return Account(
        step,
        model,
        calls=1,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        reserved=usage.reserved,
        usd=usage.cost or 0.0 if live else 0.0,
        unpriced=int(live and usage.cost is None),
        excess=usage.excess,
    )


def _device_seconds(journal: Journal, key: str) -> float:
    if key.startswith("verdict "):
        return journal.read(key, Verdict).seconds
    if key.startswith("canaries "):
        tried = journal.read(key, Preflight)
        return 0.0 if tried.cached else tried.seconds
    return 0.0
