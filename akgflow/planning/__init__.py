"""Task to plan: pure, printable, hashable."""

from akgflow.planning.bounds import DISPATCH
from akgflow.planning.build import build_plan, digest, identity, reach, shapes_of, why_nothing
from akgflow.planning.requests import Conditions, judge_request, with_gaps
from akgflow.planning.types import Ceiling, Job, Plan, PlannedStep, Reach, SourceCheck

__all__ = [
    "DISPATCH",
    "Ceiling",
    "Conditions",
    "Job",
    "Plan",
    "PlannedStep",
    "Reach",
    "SourceCheck",
    "build_plan",
    "digest",
    "identity",
    "judge_request",
    "reach",
    "shapes_of",
    "why_nothing",
    "with_gaps",
]
