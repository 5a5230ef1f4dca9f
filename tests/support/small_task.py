"""A small real workspace: one operator, C++ candidates, a model that is a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from openai_server import Answer, Seen

OPERATOR = '''\
import torch
from torch import nn


class Model(nn.Module):
    """y = relu(x * scale), x [rows, columns]."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x * self.scale)


def get_inputs(rows: int = 8, columns: int = 16) -> list[torch.Tensor]:
    return [torch.randn(rows, columns)]


def get_init_inputs(columns: int = 16) -> list[int]:
    return [columns]
'''

_CANDIDATE = '''\
import torch
import tvm_ffi.cpp
from torch import nn

CPP = r"""
void scale_relu(tvm::ffi::TensorView x, tvm::ffi::TensorView scale, tvm::ffi::TensorView out) {{
  const float* from = static_cast<const float*>(x.data_ptr());
  const float* by = static_cast<const float*>(scale.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  const int64_t rows = x.size(0), columns = x.size(1);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {{
      const float y = from[r * columns + c] * by[c];
      to[r * columns + c] = {result};
    }}
}}
"""
_kernel = tvm_ffi.cpp.load_inline(name="scale_relu", cpp_sources=CPP, functions="scale_relu")


class ModelNew(nn.Module):
    def __init__(self, columns: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        _kernel.scale_relu(x, self.scale.detach(), out)
        return out
'''

RIGHT = _CANDIDATE.format(result="y > 0 ? y : 0")
WRONG = _CANDIDATE.format(result="y")
BROKEN = _CANDIDATE.format(result="y >")


def fenced(source: str) -> str:
    """A coder's reply."""
    return f"Here it is.\n\n```python\n{source}```\n"


SKETCH = """\
# {note}
sizes(R, C)
tiles(T=256)
x: input[R, C, f32]
scale: parameter[C, f32]
out: output[R, C, f32]
for r in each(R):
    for c in each(C, T):
        y = load(x[r, c:c+T], own, edge=0) * load(scale[c:c+T], own, edge=0)
        store(out[r, c:c+T], relu(y))
"""


def sketch(note: str) -> str:
    """A designer's reply: a sound sketch that begins with ``note``."""
    return f"```sketch\n{SKETCH.format(note=note)}```\n"


ADVICE = json.dumps({"decision": "recode", "reason": "negative values pass", "advice": "clamp at zero"})
STOP = json.dumps({"decision": "stop", "reason": "hopeless", "advice": ""})


def make_workspace(folder: Path, url: str, *, task: str = "", models: str = "", timed: bool = False) -> Path:
    """Write the workspace and return the task's file. ``task`` and ``models`` are added to their files as they are."""
    (folder / "tasks" / "operators").mkdir(parents=True)
    (folder / "tasks" / "operators" / "scale.py").write_text(OPERATOR)
    (folder / "agents.yaml").write_text(
        "version: 1\n"
        "models:\n"
        "  default:\n"
        "    model: openai/first\n"
        f"    api_base: {url}\n"
        "    api_key_env: TEST_KEY\n"
        "    limits: {retries: 0, timeout: 20s}\n"
        f"{models}"
    )
    path = folder / "tasks" / "scale.yaml"
    path.write_text(
        "version: 1\n"
        "name: scale\n"
        "kind: generate\n"
        "operator: {file: operators/scale.py}\n"
        "cases: [{rows: 8, columns: 16}, {rows: 5, columns: 7}]\n"
        "matrix: {dsl: [cpp], target: [cpu]}\n"
        f"baselines: {'[eager]' if timed else '[]'}\n"
        f"{task}"
    )
    return path


def by_agent(designer: str, coder: Callable[[Seen], str], conductor: str = ADVICE) -> Callable[[Seen], Answer]:
    """A server's behaviour that answers as the agent whose system prompt it sees; ``designer`` marks the sketch."""

    def behave(seen: Seen) -> Answer:
        system = str(seen.body["messages"][0]["content"])
        if system.startswith("You lead"):
            return Answer(conductor)
        if system.startswith("You design"):
            return Answer(sketch(designer))
        return Answer(coder(seen))

    return behave
