"""A plan for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from akgflow.base.text import counted
from akgflow.config.types import DEFAULT_BUDGET
from akgflow.planning import Ceiling, Job, Plan, digest
from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.phrases import case_of, evidence, likely, models, worst_price

if TYPE_CHECKING:
    from akgflow.suites import Likely


def show_plan(plan: Plan, out: Console, *, probably: Likely | None = None) -> None:
    """Print the plan: what will run, what is out of reach and why, the worst case, and what is ``probably`` taken."""
    say(
        out,
        Text.assemble(("plan ", "bold"), f"{plan.task} ({plan.kind}, workflow {plan.workflow}) {digest(plan)[:12]}"),
    )
    say(out, f"operator   {plan.operator}")
    cases = "; ".join(case_of(case) for case in plan.cases) or "the operator's own shapes"
    say(out, f"cases      {cases}{f', dtype {plan.dtype}' if plan.dtype else ''}")
    if plan.shapes:
        say(out, f"shapes     {plan.shapes}")
    say(out, f"models     {models(plan.models)}")
    if plan.source:
        say(out, f"source     {plan.source.dsl}, checked first: {evidence(plan.source.reach.evidence)}")
    _show_jobs(plan.jobs, out)
    # Where nothing is executed, some steps have nothing to do: those of a job that does them say more.
    for step in min((job.steps for job in plan.runnable), key=lambda steps: sum(s.idle for s in steps), default=()):
        each = "" if step.shared else " a job"
        most = f"{counted(step.calls, 'call')}, {counted(step.verdicts, 'verdict')}"
        say(out, f"step       {step.name}: {step.does} (at most {most}{each})")
    say(out, f"at most    {_ceiling(plan.ceiling)}")
    if probably is not None:
        say(out, f"likely     {likely(probably)}")
    say(out, f"budget     {_budget(plan)}")


def _show_jobs(jobs: tuple[Job, ...], out: Console) -> None:
    rows = []
    for job in jobs:
        at = f"\n({job.reach.at})" if job.reach.at else ""
        reached = Text("impossible", style="yellow") if job.impossible else Text(evidence(job.reach.evidence) + at)
        why = job.impossible or "; ".join(f"{name}: {reason}" for name, reason in job.reach.gaps.items())
        rows.append(Row((job.dsl, job.target, job.arch, reached, why)))
    show_table(("dsl", "target", "arch", "evidence", "out of reach here"), rows, out, heads=2)


def _ceiling(ceiling: Ceiling) -> str:
    return (
        f"{ceiling.calls} model calls with {ceiling.prompt_tokens:,} tokens in prompts and {ceiling.reply_tokens:,} in "
        f"replies ({worst_price(ceiling)}), {ceiling.verdicts} verdicts; malformed replies asked again included"
    )


def _budget(plan: Plan) -> str:
    budget = plan.budget
    parts = [
        f"${budget.usd:g}" if budget.usd is not None else "",
        f"{budget.tokens:,} tokens" if budget.tokens is not None else "",
        f"{budget.minutes:g} minutes" if budget.minutes is not None else "",
        f"{budget.device_minutes:g} device minutes" if budget.device_minutes is not None else "",
    ]
    stated = ", ".join(part for part in parts if part)
    if budget == DEFAULT_BUDGET:
        stated += ", the default where a task names no budget"
    return f"{stated}: the run stops before it goes over, with the best so far" if stated else "none"
