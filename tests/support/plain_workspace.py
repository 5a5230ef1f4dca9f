"""A workspace whose language is plain PyTorch: a real judge, no compiler, so that a run takes seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from openai_server import Answer, Seen
from small_task import by_agent, fenced, make_workspace

PLAIN_RIGHT = """\
import torch


class ModelNew(torch.nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.empty(columns))

    def forward(self, x):
        return torch.relu(x * self.scale)
"""
PLAIN_WRONG = PLAIN_RIGHT.replace("torch.relu(x * self.scale)", "x * self.scale")


def plain_workspace(folder: Path, url: str, *, task: str = "") -> Path:
    """Write it and return the task's file. ``task`` is added to it as it is."""
    (folder / "dsls").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("plain_toolchain.py"), folder / "dsls")
    (folder / "dsls" / "plain.yaml").write_text(
        "version: 1\ndsl: plain\ntitle: PyTorch\ntoolchain: plain_toolchain.py\nplatforms: {cpu: [executed]}\n"
    )
    path = make_workspace(folder, url, task=f"framework: allow\n{task}")
    path.write_text(path.read_text().replace("dsl: [cpp]", "dsl: [plain]"))
    return path


def wrong_then_right() -> Callable[[Seen], Answer]:
    """A designer, a coder whose first draft is wrong, a conductor who says why, and a coder who mends it."""
    return by_agent("a sketch", lambda seen: fenced(PLAIN_RIGHT if "judge found" in seen.prompt else PLAIN_WRONG))
