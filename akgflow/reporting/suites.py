"""Suites for people: the plan, the score, and what changed between two of them."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from akgflow.base.text import counted
from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.phrases import clock, likely, models, seconds, spent, worst_price
from akgflow.suites import Comparison, Figure, Group, Recheck, Score, SuitePlan, SuiteStanding
from akgflow.suites.cells import State
from akgflow.suites.comparison import Call, Pair
from akgflow.suites.rechecking import Change
from akgflow.suites.scoring import ATTEMPTS, FASTER_THAN, Loser, Price

_STATES = {State.RIGHT: "green", State.WRONG: "red", State.NOT_RUN: "yellow"}
_CALLS = {Call.WRONG: "red", Call.WORSE: "red", Call.BETTER: "green", Call.RIGHT: "green", Call.UNKNOWN: "yellow"}


def show_suite_plan(plan: SuitePlan, out: Console) -> None:
    """Print what would run and what cannot, the worst case, what is likely, and a problem's fair share."""
    say(out, Text.assemble(("plan ", "bold"), f"suite {plan.suite} {plan.identity[:12]}"))
    rows = []
    for listed, one in zip(plan.listed, plan.plans, strict=True):
        why = "; ".join(dict.fromkeys(f"{job.id}: {job.impossible}" for job in one.jobs if job.impossible))
        calls = counted(one.ceiling.calls, "call")
        jobs = f"{len(one.runnable)} of {len(one.jobs)}"
        rows.append(Row((listed.name, listed.level, listed.kind, jobs, calls, one.shapes, why)))
    show_table(("problem", "level", "kind", "jobs", "at most", "shapes", "out of reach here"), rows, out)
    if plan.unfit:
        show_table(("cannot be judged", "level", "why"), [Row((o.name, o.level, o.reason)) for o in plan.unfit], out)
    say(out, f"problems   {_problems(plan)}")
    say(out, f"models     {models(dict(item for one in plan.plans for item in one.models.items()))}")
    say(out, f"at most    {_worst(plan)}")
    say(out, f"likely     {likely(plan.likely)}")
    say(out, f"budget     {_budget(plan)}")


def _problems(plan: SuitePlan) -> str:
    here = sum(bool(one.runnable) for one in plan.plans)
    away, unfit = len(plan.plans) - here, len(plan.unfit)
    parts = [f"{here} to run", *([f"{away} out of reach here"] if away else [])]
    parts += [f"{unfit} that cannot be judged"] if unfit else []
    return f"{len(plan.plans) + unfit}: {', '.join(parts)}"


def _worst(plan: SuitePlan) -> str:
    most = plan.ceiling
    tokens = most.prompt_tokens + most.reply_tokens
    calls, verdicts = counted(most.calls, "model call"), counted(most.verdicts, "verdict")
    return f"{calls} with {tokens:,} tokens ({worst_price(most)}), {verdicts}"


def _budget(plan: SuitePlan) -> str:
    budget, count = plan.budget, len(plan.plans)
    parts = [
        f"{text}, a fair share of which is {share}"
        for ceiling, text, share in (
            (budget.usd, f"${budget.usd or 0:g}", f"${(budget.usd or 0) / count:.4g}"),
            (budget.tokens, f"{budget.tokens or 0:,} tokens", f"{(budget.tokens or 0) // count:,} tokens"),
            (
                budget.device_minutes,
                f"{budget.device_minutes or 0:g} device minutes",
                f"{(budget.device_minutes or 0) / count:.3g}",
            ),
        )
        if ceiling is not None
    ]
    parts += [f"{budget.minutes:g} minutes for all"] if budget.minutes is not None else []
    return "; ".join(parts) or "none"


def suite_progress(standing: SuiteStanding) -> str:
    """``5 of 13 done, 4 right · 12,000 tokens, $0.04 · 3:10 to go``."""
    parts = [f"{standing.done} of {standing.problems} done, {standing.right} right"]
    if (took := standing.spent).calls:
        parts.append(spent(took))
    left = standing.seconds_left
    if left:
        parts.append(f"{clock(left)} to go")
    return " · ".join(parts)


def show_score(score: Score, out: Console) -> None:
    """Print the cells, losers first, then the figures, then what it took."""
    cells = ("problem", "dsl", "target", "level", "kind", "state", "tries", "speedup", "why")
    show_table(cells, [Row(_cell(one)) for one in score.cells], out, heads=3, right=("tries",))
    columns, rows = right_rows(score)
    show_table(columns, [Row(row) for row in rows], out, right=("problems", "cells", "not run", *PER_RIGHT))
    if speeds := speed_rows(score):
        show_table(SPEEDS, [Row(row) for row in speeds], out, heads=2)
        say(
            out,
            "speedup: geometric mean in which a cell without a right kernel counts as 1.0x; beside it, without them",
        )
    elif score.groups[0].untimed:
        say(out, f"{counted(score.groups[0].untimed, 'right kernel')} could not be timed, so there is no speed")
    say(out, "[ ]: 95 % interval by bootstrap over the problems")
    if score.unfinished:
        left = len(score.unfinished)
        say(out, f"{left} of {counted(score.groups[0].problems, 'problem')} unfinished: the score may still change")
    say(out, price(score))
    say(out, score.folder)


def _cell(one: Loser) -> tuple[str | Text, ...]:
    speed = ", ".join(f"{ratio:.2f}x {name}" for name, ratio in one.speedups.items())
    state = Text(one.state.value.replace("_", " "), style=_STATES[one.state])
    return one.problem, one.dsl, one.target, one.level, one.kind, state, str(one.attempts or ""), speed, one.reason


def right_rows(score: Score) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """How many cells of each group are right and what each of them took, under the columns that come first."""
    most = [at for at in ATTEMPTS if score.groups[0].figure("right_at", at)]
    priced = PER_RIGHT if score.price.calls else ()
    columns = ("group", "problems", "cells", "right", *(f"right at {at}" for at in most), "not run", *priced)
    return columns, [_rights(group, most) + (_per_right(group.price) if priced else ()) for group in score.groups]


PER_RIGHT = ("tokens/right", "cost/right")


def _per_right(took: Price) -> tuple[str, ...]:
    if took.tokens_per_right is None or took.usd_per_right is None:
        return "", ""
    return f"{took.tokens_per_right:,.0f}", f"${took.usd_per_right:.4f}"


def _rights(group: Group, most: list[int]) -> tuple[str, ...]:
    at = [shown_figure(group.figure("right_at", k)) for k in most]
    counted_cells = str(group.right + group.wrong)
    not_run = str(group.not_run or "")
    return group.name, str(group.problems), counted_cells, shown_figure(group.figure("right")), *at, not_run


SPEEDS = ("group", "over", *(f"> {p:g}x" for p in FASTER_THAN), "speedup", "of right alone", "untimed")
"""The columns of `speed_rows`."""


def speed_rows(score: Score) -> list[tuple[str, ...]]:
    """How fast the cells of each group are over each baseline; empty where nothing was timed."""
    return [row for group in score.groups for row in _speeds(group)]


def _speeds(group: Group) -> list[tuple[str, ...]]:
    untimed = str(group.untimed or "")
    return [
        (
            group.name,
            name,
            *(shown_figure(group.figure("fast", p, name)) for p in FASTER_THAN),
            shown_figure(group.figure("speedup", None, name), "x"),
            shown_figure(group.figure("speedup_of_right", None, name), "x"),
            untimed,
        )
        for name in group.baselines
    ]


def shown_figure(figure: Figure | None, unit: str = "") -> str:
    """``0.83 [0.65, 0.97]``; empty where no cell counts."""
    if figure is None or figure.value is None:
        return ""
    ends = "" if figure.low is None else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.2f}{unit}{ends}"


def price(score: Score) -> str:
    """What a score took, and what each right kernel did."""
    sums = score.price
    took = f"{seconds(sums.seconds)} of runs one after the other, {seconds(sums.device_seconds)} of judging"
    if not sums.calls:
        return f"took {took}; no model was asked"
    unknown = f" + {counted(sums.unpriced, 'call')} without a known price" if sums.unpriced else ""
    each = "no kernel is right"
    if sums.tokens_per_right is not None:
        each = f"{sums.tokens_per_right:,.0f} tokens and ${sums.usd_per_right:.4f} for each right kernel"
    return f"took {counted(sums.calls, 'call')}, {sums.tokens:,} tokens, ${sums.usd:.4f}{unknown}; {each}; {took}"


def show_comparison(found: Comparison, out: Console, *, diffs: bool = True) -> None:
    """Print each pair, what got worse first, the sums, and how the sources of what changed differ."""
    names = ("problem", "dsl", "target", "now", "before → now", "why")
    show_table(names, [Row(_pair(pair)) for pair in found.pairs], out, heads=3)
    for folder, cells in found.only.items():
        say(out, f"only in {folder}: {', '.join(cells)}")
    before, after = found.before, found.after
    say(out, f"right      {before.right} → {after.right}")
    say(out, f"tokens     {before.tokens:,} → {after.tokens:,}, ${before.usd:.4f} → ${after.usd:.4f}")
    say(out, f"time       {seconds(before.seconds)} → {seconds(after.seconds)}")
    calls = ", ".join(f"{found.count(call)} {call}" for call in Call if found.count(call))
    say(out, f"{calls}: {before.folder} → {after.folder}")
    for pair in found.pairs if diffs else ():
        if pair.diff and pair.call not in (Call.SAME, Call.UNKNOWN):
            say(out, f"\n{pair.diff}")


def show_recheck(found: Recheck, out: Console) -> None:
    """Print each kernel, what got worse first, and what changed underneath."""
    names = ("problem", "dsl", "target", "now", "before → now", "why")
    show_table(names, [Row(_pair(one.pair)) for one in found.kernels], out, heads=3)
    changed: dict[tuple[Change, ...], list[str]] = {}
    for one in found.kernels:
        if one.verdict is not None:
            changed.setdefault(one.changes, []).append(f"{one.pair.problem}/{one.pair.dsl}-{one.pair.target}")
    for changes, kernels in changed.items():
        under = f" under {', '.join(kernels)}" if len(changed) > 1 else ""
        say(out, f"changed{under}:" if changes else f"nothing known changed underneath{under}")
        for one_change in changes:
            before, now = one_change.before or "not known", one_change.now or "not known"
            say(out, f"  {one_change.what}: {before} → {now}")
    calls = ", ".join(f"{found.count(call)} {call}" for call in Call if found.count(call))
    say(out, f"{calls}: {found.of}")


def _pair(pair: Pair) -> tuple[str | Text, ...]:
    speeds = "" if pair.before is None or pair.after is None else f"{pair.before} → {pair.after}"
    over = f" over {pair.baseline}" if speeds else ""
    call = Text(str(pair.call), style=_CALLS.get(pair.call, ""))
    return pair.problem, pair.dsl, pair.target, call, speeds + over, pair.reason
