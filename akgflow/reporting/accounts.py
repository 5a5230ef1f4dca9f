"""Where a run's means went, for people: a row for each step and model, the sum, and the ceilings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from rich.console import Console

from akgflow.base.text import counted
from akgflow.config.types import Budget
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.phrases import seconds
from akgflow.runs.result import Account

COLUMNS = ("step", "model", "calls", "tokens in", "tokens out", "reserved", "cost", "judged", "device")


def show_accounts(accounts: Sequence[Account], budget: Budget, out: Console) -> None:
    """Print the table; nothing where nothing was spent."""
    if not accounts:
        return
    rows = [Row(_row(account)) for account in _folded(accounts)]
    rows.append(Row(_row(_total(accounts)), "bold", apart=True))
    if budget != Budget():
        rows.append(Row(_ceilings(budget), "dim"))
    show_table(COLUMNS, rows, out, right=COLUMNS[2:])
    for line in remarks(accounts):
        out.print(line, soft_wrap=True)


def account_rows(accounts: Sequence[Account], budget: Budget) -> list[tuple[str, ...]]:
    """The same under `COLUMNS`, for other forms of a table; the last rows are the sum and the ceilings, if any."""
    ceilings = [_ceilings(budget)] if budget != Budget() else []
    return [*map(_row, (*_folded(accounts), _total(accounts))), *ceilings]


def _total(accounts: Sequence[Account]) -> Account:
    return reduce(Account.__add__, accounts, Account("all"))


def _folded(accounts: Sequence[Account]) -> list[Account]:
    """A step's judgements on the row of its model, where it has one model only."""
    models = {step: [a.model for a in accounts if a.step == step and a.model] for step in {a.step for a in accounts}}
    rows: dict[tuple[str, str], Account] = {}
    for account in accounts:
        only = models[account.step]
        key = (account.step, only[0] if len(only) == 1 else account.model)
        rows[key] = replace(rows[key] + account if key in rows else account, model=key[1])
    return list(rows.values())


def _row(account: Account) -> tuple[str, ...]:
    called = account.calls > 0
    return (
        account.step,
        account.model,
        str(account.calls) if called else "",
        f"{account.prompt_tokens:,}" if called else "",
        f"{account.completion_tokens:,}" if called else "",
        f"{account.reserved:,}" if called else "",
        _cost(account) if called else "",
        str(account.judged or ""),
        seconds(account.device_seconds) if account.device_seconds else "",
    )


def _cost(account: Account) -> str:
    if account.unpriced == account.calls:
        return "?"
    return f"${account.usd:.4f}" + (" + ?" if account.unpriced else "")


def _ceilings(budget: Budget) -> tuple[str, ...]:
    """The last row; the ceiling on tokens is one for prompts and replies, of which reservations are given back."""
    return (
        "ceiling",
        f"{budget.minutes:g} min in all" if budget.minutes is not None else "",
        "",
        "",
        f"{budget.tokens:,} both" if budget.tokens is not None else "",
        "",
        f"${budget.usd:g}" if budget.usd is not None else "",
        "",
        f"{budget.device_minutes:g} min" if budget.device_minutes is not None else "",
    )


def remarks(accounts: Sequence[Account]) -> list[str]:
    """What a reader of the sums should know."""
    total, lines = _total(accounts), []
    if total.unpriced:
        lines.append(f"?: {counted(total.unpriced, 'call')} of unknown price; give the model a price in agents.yaml")
    if total.excess:
        lines.append(f"{total.excess:,} tokens were claimed beyond what was asked for; they are not booked")
    if total.lost:
        broke = "1 call or judgement" if total.lost == 1 else f"{total.lost} calls or judgements"
        lines.append(f"{broke} brought no result; what they took, or what was reserved for them, is in the sums")
    return lines
