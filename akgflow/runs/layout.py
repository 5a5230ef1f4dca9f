"""The names in a run's folder.

```
runs/gemm_migrate-1f0c2b3a/
  plan.json  operator.py  journal.jsonl  calls.jsonl  run.lock  result.json
  jobs/triton-cpu/code-1-1/          prompt.coder.md  reply.coder.md  candidate.py  parents.json  verdict.json
  jobs/triton-cpu/tune-ranking-1.json
  jobs/triton-cpu/work-1-1/work/     where an agent works, while it does
  best/triton-cpu/                   candidate.py  verdict.json
  best/triton-cpu/dispatch/          candidate.py  verdict.json  table.json
```
"""

from __future__ import annotations

from pathlib import Path

PLAN = "plan.json"
JOURNAL = "journal.jsonl"
CALLS = "calls.jsonl"
"""The calls that went out, each before it did."""
RESULT = "result.json"
"""There once the run is done; a run that a budget or a provider stopped has none."""
LOCK = "run.lock"
"""What its verdicts depended on. Runs of older versions have none."""
PARENTS = "parents.json"
"""Of a candidate: the ids of those that it was made from. Runs of older versions have none."""
WORK = "work"
"""In the folder of an attempt: where an agent works. Nothing in it is trusted, and it is removed at the end."""
OPERATOR = "operator.py"
"""The reference as it was when the run began."""
IDENTITY = ".identity"
"""Which plan the folder belongs to."""
SCRATCH = "scratch"
"""What judges work in; nothing in it outlives the process that runs."""


def attempt_in(run: Path, job: str, step: str, attempt: int, sample: int) -> Path:
    """The folder of one attempt of a job."""
    return run / "jobs" / job / f"{step}-{attempt}-{sample}"


def ranking_file(run: Path, job: str, step: str, number: int) -> Path:
    """What a step that tunes has seen of each setting of its ``number``-th candidate; nothing depends on it."""
    return run / "jobs" / job / f"{step}-ranking-{number}.json"


def best_in(run: Path, job: str) -> Path:
    """The folder of a job's best candidate."""
    return run / "best" / job


def dispatch_in(run: Path, job: str) -> Path:
    """The folder of the dispatcher over a job's winners."""
    return best_in(run, job) / "dispatch"


def prompt_file(agent: str, resend: int) -> str:
    """The name of a prompt in an attempt's folder; a malformed reply is asked for again."""
    return f"prompt.{_call(agent, resend)}"


def reply_file(agent: str, resend: int) -> str:
    """The name of the reply to it."""
    return f"reply.{_call(agent, resend)}"


def _call(agent: str, resend: int) -> str:
    return f"{agent}{'.again' * resend}.md"
