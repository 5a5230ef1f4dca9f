"""Where a run's means went, as people read it."""

from __future__ import annotations

import io

from akgflow.config.types import Budget
from akgflow.reporting import console, show_accounts
from akgflow.runs import Account

ROWS = (
    Account("source", judged=1, device_seconds=38.5),
    Account("sketch", "openai/a", calls=1, prompt_tokens=2_826, completion_tokens=416, reserved=18_000, usd=0.0125),
    Account("code", "openai/a", calls=2, prompt_tokens=9_000, completion_tokens=2_000, reserved=40_000, usd=0.05),
    Account("code", judged=2, device_seconds=90.0),
    Account("fix", "openai/a", calls=2, prompt_tokens=9_000, completion_tokens=2_000, reserved=40_000, usd=0.05),
    Account("fix", "b", calls=1, prompt_tokens=900, completion_tokens=200, reserved=20_000, unpriced=1, excess=70),
    Account("fix", judged=3, device_seconds=30.0, lost=1),
)
NONE = Budget()


def shown(*rows: Account, budget: Budget = NONE) -> list[list[str]]:
    """The lines' words."""
    text = io.StringIO()
    show_accounts(rows, budget, console(text))
    return [line.split() for line in text.getvalue().splitlines() if line.strip()]


def test_a_row_for_each_step_and_model_and_the_sum_under_the_ceiling() -> None:
    lines = shown(*ROWS, budget=Budget(usd=2, tokens=400_000, minutes=30, device_minutes=10))
    assert ["sketch", "openai/a", "1", "2,826", "416", "18,000", "$0.0125"] in lines
    # Judgements stand beside the one model of their step, or on a row of their own.
    assert ["code", "openai/a", "2", "9,000", "2,000", "40,000", "$0.0500", "2", "90", "s"] in lines
    assert ["fix", "b", "1", "900", "200", "20,000", "?"] in lines
    assert ["fix", "3", "30", "s"] in lines
    assert ["all", "6", "21,726", "4,616", "118,000", "$0.1125", "+", "?", "6", "2.6", "min"] in lines
    assert ["ceiling", "30", "min", "in", "all", "400,000", "both", "$2", "10", "min"] in lines
    words = [" ".join(line) for line in lines[-3:]]
    assert words[0].startswith("?: 1 call of unknown price")
    assert words[1].startswith("70 tokens were claimed beyond what was asked for")
    assert words[2].startswith("1 call or judgement brought no result")


def test_nothing_spent_is_nothing_said() -> None:
    assert shown() == []
