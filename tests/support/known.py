"""Entries of the knowledge store for tests: shipped operators with their recorded kernels, features traced for real."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from akgflow.base import resources
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.knowledge import Entry
from akgflow.models.recording import read_recording
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, Timing, Verdict

VERDICT = Verdict(
    status=Status.PASSED,
    message="right on all 8 input sets (executed)",
    target="cpu",
    evidence=(Evidence.EXECUTED,),
    environment=Environment("some CPU"),
    timestamp="2025-01-01T00:00:00+00:00",
)


def timed(speedup: float) -> Verdict:
    """A verdict with a speed, as a judge would have written it."""
    interval = (speedup * 0.9, speedup * 1.1)
    timing = Timing({}, "eager", 1e-3, speedup * 1e-3, speedup, interval, "faster", 24, 0.02, "some CPU")
    return replace(VERDICT, timing=(timing,))


def operator(forward: str, shape: str = "64, 256", init: str = "pass") -> str:
    """An operator in KernelBench form whose ``forward`` of ``x`` is the given statement."""
    return (
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\n"
        f"class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {init}\n\n"
        f"    def forward(self, x):\n        {forward}\n\n\n"
        f"def get_inputs():\n    return [torch.randn({shape})]\n\n\ndef get_init_inputs():\n    return []\n"
    )


@cache
def features(text: str) -> OperatorFeatures:
    """What a judge would say about an operator."""
    from akgflow.verification.reference.tracing.from_shapes.features import features_of

    return features_of(FeatureRequest("operator.py", text))


def entry(task: str, text: str, source: str = "class ModelNew: pass", verdict: Verdict = VERDICT, **more: Any) -> Entry:
    """An entry in C++ for this CPU."""
    found = Entry(
        task=task,
        operator=text,
        dsl="cpp",
        target="cpu",
        platform="cpu",
        arch="native",
        source=source,
        verdict=verdict,
        features=features(text),
        added=verdict.timestamp,
    )
    return replace(found, **more)


def shipped(task: str, file: str) -> tuple[str, str]:
    """The operator of a shipped task and the last C++ kernel of its recording, which passed when it was made."""
    text = (resources.tasks() / "operators" / file).read_text(encoding="utf-8")
    recording = read_recording(Path(resources.tasks() / "recordings" / f"{task}.akgflow.yaml"))
    replies = [r.text for r in recording.replies.values() if r.job == "cpp-cpu" and r.agent == "coder"]
    block = re.search(r"```python\n(.*?)```", replies[-1], re.S)
    assert block is not None
    return text, block[1]
