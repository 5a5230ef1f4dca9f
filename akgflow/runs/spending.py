"""What a run spent: tokens, US dollars and device seconds by step and model, read from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from akgflow.budget.ledger import Ledger
from akgflow.budget.outstanding import CallLog
from akgflow.budget.usage import AbortedSpend, Usage
from akgflow.ranking import Ranking
from akgflow.runs.journal import Journal
from akgflow.runs.records import Finished, Preflight
from akgflow.runs.result import Account
from akgflow.verdict import Verdict

KILLED = "the process ended while it was out"
JUDGE_TRIED = "judge tried"
"""The row of the self-test: kernels of known verdict that try the judge."""


def accounts(journal: Journal) -> tuple[Account, ...]:
    """One row for each step and model, in the order of their first spending."""
    return summed(row for _, row in spending(journal))


def summed(taken: Iterable[Account]) -> tuple[Account, ...]:
    """The same for what was read already."""
    rows: dict[tuple[str, str], Account] = {}
    for row in taken:
        key = (row.step, row.model)
        rows[key] = rows[key] + row if key in rows else row
    return tuple(rows.values())


def book_earlier_sessions(journal: Journal, ledger: Ledger) -> None:
    """Charge everything that the journal holds, once each."""
    for key, _ in journal.items(""):
        kind = key.partition(" ")[0]
        if kind == "call":
            reply = journal.read(key, Finished).reply
            ledger.charge(reply.usage, charge_usd=reply.origin == "live")
        elif kind == "lost":
            ledger.charge_aborted(journal.read(key, AbortedSpend))
        else:
            ledger.device.charge(_device_seconds(journal, key))


def session_seconds(journal: Journal, place: str, *ends: str) -> float:
    """Seconds from the beginning of an agent's session to its last sign of life, without those in which nothing ran.

    ``place`` is its job and step as the journal names them; signs of life are its questions, their verdicts, and
    entries with the keys ``ends``.
    """
    began = f"session {place}"
    if began not in journal:
        return 0.0
    signs = [key for kind in ("asked", "trial") for key, _ in journal.items(f"{kind} {place}.")]
    signs += [key for key in ends if key in journal]
    return max(map(journal.seconds, (began, *signs))) - journal.seconds(began)


def note_aborted(journal: Journal, spend: AbortedSpend) -> None:
    """Journal what was spent without a result, so that later sessions count it too."""
    journal.write(f"lost {sum(1 for _ in journal.items('lost ')) + 1}", spend)


def note_left(journal: Journal, calls: CallLog) -> None:
    """Journal the calls that were out when an earlier session was killed: the provider may bill them."""
    answered = {key.removeprefix("call ") for key, _ in journal.items("call ")}
    settled = {spend.call for spend in _aborted(journal)}
    for call in calls.left(answered, settled):
        note_aborted(journal, call.aborted(KILLED))


def unknown_ends(journal: Journal) -> tuple[str, ...]:
    """One sentence about the calls that went out and brought no reply; nothing where there are none."""
    aborted = [one for one in _aborted(journal) if one.usage is not None]
    if not aborted:
        return ()
    tokens = sum(one.usage.tokens for one in aborted if one.usage)
    killed = sum(one.reason == KILLED for one in aborted)
    how = f", {killed} of them because the process ended" if killed else ""
    went = "1 call went out and brought" if len(aborted) == 1 else f"{len(aborted)} calls went out and brought"
    return (f"{went} no reply{how}: what was reserved for them is counted as spent ({tokens:,} tokens)",)


def _aborted(journal: Journal) -> list[AbortedSpend]:
    return [journal.read(key, AbortedSpend) for key, _ in journal.items("lost ")]


def spending(journal: Journal) -> Iterator[tuple[str, Account]]:
    """What each finished effect took, with its key, in the order in which they finished."""
    return ((key, row) for key, _ in journal.items("") for row in _taken(journal, key))


def _taken(journal: Journal, key: str) -> Iterator[Account]:
    kind, _, name = key.partition(" ")
    if kind == "call":
        finished = journal.read(key, Finished)
        reply = finished.reply
        yield _called(finished.key.step, reply.answered_by, reply.usage, live=reply.origin == "live")
    elif kind == "lost":
        spend = journal.read(key, AbortedSpend)
        step = spend.step.rpartition(".")[2]
        row = _called(step, spend.model, spend.usage, live=True) if spend.usage else Account(step)
        yield replace(row, device_seconds=spend.device_seconds, lost=1)
    elif kind in ("verdict", "trial"):
        yield Account(journal.step(key) or name, judged=1, device_seconds=_device_seconds(journal, key))
    elif kind == "rank":
        yield Account(journal.step(key) or name, device_seconds=_device_seconds(journal, key))
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
    if key.startswith(("verdict ", "trial ")):
        return journal.read(key, Verdict).seconds
    if key.startswith("rank "):
        return journal.read(key, Ranking).seconds
    if key.startswith("canaries "):
        tried = journal.read(key, Preflight)
        return 0.0 if tried.cached else tried.seconds
    return 0.0
