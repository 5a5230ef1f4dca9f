"""What judge and candidate process agree on: the names of the files that pass between them."""

from __future__ import annotations

MODULE = "candidate.py"
"""The candidate's text, in its scratch folder."""
PROFILE_INPUTS, PROFILE_REQUEST = "question.pt", "request.json"
"""What the profiled process is given: tensors, and what to do with them."""
