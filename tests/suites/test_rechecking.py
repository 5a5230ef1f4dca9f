"""Kernels that are judged again: by a changed torch, where their target is not here, and from every place that has some."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from changed_torch import changed_torch
from exporting import exported_operator

NORMALISED = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return nn.functional.layer_norm(x, (x.shape[-1],), eps=1e-5)


def get_inputs(rows: int = 8, columns: int = 32):
    return [torch.randn(rows, columns)]


def get_init_inputs():
    return []
"""
TRUSTING = """\
import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        # The default of this torch is what the operator asks for.
        return torch.nn.LayerNorm(x.shape[-1], elementwise_affine=False)(x)
"""
NEW_DEFAULT = {"nn/modules/normalization.py": ("eps: float = 1e-5", "eps: float = 1e-1")}


def recheck(what: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", "recheck", str(what), "--json", *arguments]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)


def test_a_changed_torch_makes_a_kernel_wrong_that_depends_on_it(tmp_path: Path) -> None:
    package = exported_operator(tmp_path, NORMALISED, TRUSTING, "rows=8,columns=32")
    space = "-w", str(tmp_path)
    done = recheck(package, *space)
    (kernel,) = json.loads(done.stdout)["kernels"]
    assert (done.returncode, kernel["pair"]["call"], kernel["changes"]) == (0, "same", []), done

    other = changed_torch(tmp_path / "other", "9.0.0", NEW_DEFAULT)
    done = recheck(package, *space, PYTHONPATH=str(other))
    (kernel,) = json.loads(done.stdout)["kernels"]
    assert (done.returncode, kernel["pair"]["call"]) == (1, "became wrong"), done
    assert kernel["pair"]["reason"].startswith("INCORRECT_NUMERICAL")
    (change,) = kernel["changes"]
    assert (change["what"], change["now"]) == ("torch", "9.0.0")
