"""Kernels that are judged again: with a changed torch, as fast or not, and where their target is not here."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from changed_torch import changed_torch
from documents import document
from exporting import exported_operator
from known import VERDICT, entry, operator, timed

from akgflow.knowledge import Store
from akgflow.suites import FailOn
from akgflow.suites.rechecking import in_order, of_entry, rechecked, unreached
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, Verdict

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


@pytest.mark.thorough
def test_a_changed_torch_makes_a_kernel_wrong_that_depends_on_it(tmp_path: Path) -> None:
    package = exported_operator(tmp_path, NORMALISED, TRUSTING, "rows=8,columns=32")
    space = "-w", str(tmp_path)
    done = recheck(package, *space)
    (kernel,) = document(done.stdout)["kernels"]
    assert (done.returncode, kernel["pair"]["call"], kernel["changes"]) == (0, "same", []), done

    other = changed_torch(tmp_path / "other", "9.0.0", NEW_DEFAULT)
    done = recheck(package, *space, PYTHONPATH=str(other))
    (kernel,) = document(done.stdout)["kernels"]
    assert (done.returncode, kernel["pair"]["call"]) == (1, "became wrong"), done
    assert kernel["pair"]["reason"].startswith("INCORRECT_NUMERICAL")
    (change,) = kernel["changes"]
    assert (change["what"], change["now"]) == ("torch", "9.0.0")


FAST = timed(2.0)
ONE = of_entry(entry("relu", operator("return torch.relu(x)"), verdict=FAST))


def on(device: str) -> Verdict:
    return replace(timed(1.0), timing=(replace(timed(1.0).timing[0], device=device),))


@pytest.mark.parametrize(
    ("now", "call", "words", "codes"),
    [
        (FAST, "same", "", (0, 0, 0)),
        (timed(1.0), "worse", "kernel 1000 → 1000 us, eager 2000 → 1000 us", (1, 0, 0)),
        (timed(4.0), "better", "", (0, 0, 0)),
        (
            replace(VERDICT, status=Status.RUNTIME_ERROR, message="boom"),
            "became wrong",
            "RUNTIME_ERROR: boom",
            (1, 1, 0),
        ),
        (VERDICT, "same", "nothing was timed on both sides", (0, 0, 0)),
        (replace(VERDICT, absent={"timing": "busy"}), "same", "still right; not timed: busy", (0, 0, 0)),
        (on("another CPU"), "not compared", "still right; timed on other hardware", (0, 0, 0)),
        # Whose fault is it? Neither is the kernel's.
        (replace(VERDICT, status=Status.NOT_RUN, message="no room"), "not compared", "not run now: no room", (4, 4, 4)),
        (replace(VERDICT, status=Status.INVALID, unfit=True, message="odd"), "not compared", "odd", (4, 4, 4)),
    ],
)
def test_what_became_of_a_kernel(now: Verdict, call: str, words: str, codes: tuple[int, ...]) -> None:
    found = in_order("a store", [rechecked(ONE, now)])
    (kernel,) = found.kernels
    assert (str(kernel.pair.call), words in kernel.pair.reason) == (call, True)
    assert tuple(found.exit_code(one) for one in FailOn) == codes


def test_what_changed_underneath_is_named_and_what_could_not_be_judged_is_no_success() -> None:
    environment = Environment("some CPU", {"torch": "3", "triton": "4"}, settings={"driver": "7"})
    kernel = replace(ONE, verdict=replace(FAST, environment=replace(environment, libs={"torch": "2", "tilelang": "1"})))
    found = rechecked(kernel, replace(FAST, environment=environment))
    assert [(one.what, one.before, one.now) for one in found.changes] == [
        *(("torch", "2", "3"), ("tilelang", "1", ""), ("triton", "", "4")),
    ]
    absent = unreached(kernel, "no such device")
    assert [in_order("", some).exit_code() for some in ([absent], [absent, found])] == [4, 0]


def test_a_kernel_of_another_machine_is_named_with_the_reason(tmp_path: Path) -> None:
    far = replace(VERDICT, target="nvidia_h200", evidence=(Evidence.EXECUTED, Evidence.COMPILED))
    text = operator("return torch.relu(x)")
    Store(tmp_path / "kernels.sqlite").add(entry("relu", text, verdict=far, dsl="triton", target="nvidia_h200"))
    done = recheck(tmp_path / "kernels.sqlite", "-w", str(tmp_path), CUDA_VISIBLE_DEVICES="")
    (kernel,) = document(done.stdout)["kernels"]
    assert (done.returncode, kernel["pair"]["call"], kernel["verdict"]) == (4, "not compared", None)
    assert "executed is out of reach here" in kernel["pair"]["reason"]
    assert "no kernel that passed" in recheck(tmp_path, "-w", str(tmp_path)).stdout
