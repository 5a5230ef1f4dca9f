"""The names in a run's folder.

```
runs/gemm_migrate-1f0c2b3a/
  plan.json  operator.py  journal.jsonl  calls.jsonl  run.lock  result.json
  jobs/triton-cpu/code-1-1/          prompt.coder.md  reply.coder.md  candidate.py  parents.json  verdict.json
  best/triton-cpu/                   candidate.py  verdict.json
```
"""

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
OPERATOR = "operator.py"
"""The reference as it was when the run began."""
IDENTITY = ".identity"
"""Which plan the folder belongs to."""
SCRATCH = "scratch"
"""What judges work in; nothing in it outlives the process that runs."""
