"""The names in a run's folder.

```
runs/gemm_migrate-1f0c2b3a/
  plan.json  operator.py  journal.jsonl  result.json
  jobs/triton-cpu/code-1-1/          prompt.coder.md  reply.coder.md  candidate.py  verdict.json
  best/triton-cpu/                   candidate.py  verdict.json
```
"""

PLAN = "plan.json"
JOURNAL = "journal.jsonl"
RESULT = "result.json"
"""There once the run is done; a run that a budget or a provider stopped has none."""
OPERATOR = "operator.py"
"""The reference as it was when the run began."""
IDENTITY = ".identity"
"""Which plan the folder belongs to."""
SCRATCH = "scratch"
"""What judges work in; nothing in it outlives the process that runs."""
