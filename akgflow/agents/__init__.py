"""Prompt rendering and reply parsing."""

from akgflow.agents.feedback import describe, summary
from akgflow.agents.malformed import MalformedReply, RepeatedReply
from akgflow.agents.prompts import Rendered, opening, render, with_complaint
from akgflow.agents.replies import Parsed, parse_reply
from akgflow.config.prompts.context import (
    CandidateView,
    DslView,
    Examples,
    HistoryEntry,
    KernelView,
    LessonView,
    OperatorView,
    PromptContext,
    SourceView,
    TargetView,
    TaskView,
)

__all__ = [
    "CandidateView",
    "DslView",
    "Examples",
    "HistoryEntry",
    "KernelView",
    "LessonView",
    "MalformedReply",
    "OperatorView",
    "Parsed",
    "PromptContext",
    "Rendered",
    "RepeatedReply",
    "SourceView",
    "TargetView",
    "TaskView",
    "describe",
    "opening",
    "parse_reply",
    "render",
    "summary",
    "with_complaint",
]
