"""Failures of members of the corpus shown again: by a real judge, and by the file in a Python without akgflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from judging import target_of, with_path

from akgflow.export import Judged, failure_file, shipping_of
from akgflow.precision import Precision
from akgflow.reproduction import Reproduced, ReproduceRequest
from akgflow.terms import Evidence, Status
from akgflow.verdict import Limits, Verdict

BLOCKER = """
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "akgflow":
            raise ModuleNotFoundError("this Python has no akgflow")


sys.meta_path.insert(0, Blocker())
"""


class Again(NamedTuple):
    """A verdict, what the search found, and how the file ended."""

    verdict: Verdict
    found: Reproduced
    file: Path
    done: subprocess.CompletedProcess[str]

    @property
    def shapes(self) -> list[list[int]]:
        """Of the inputs."""
        assert self.found.failing is not None
        return [json.loads(one.partition(" ")[2]) for one in self.found.failing.shapes]

    @property
    def calls(self) -> int:
        """How many the file makes."""
        assert self.found.failing is not None
        return len(self.found.failing.calls)


def on_gpu(member) -> bool:
    """Whether a device judges it."""
    return bool(getattr(member, "on_gpu", False))


def changes_for(member):
    """What a request about a member of the corpus says beside candidate and operator."""
    header = member.header
    toolchain = header.get("toolchain") or header["dsl"]
    return {
        "toolchain": toolchain,
        "target": target_of("gpu" if on_gpu(member) else "cpu"),
        "evidence": (Evidence.EXECUTED if toolchain == "cpp" or on_gpu(member) else Evidence.INTERPRETED,),
        "dtype": header.get("dtype"),
        "precision": Precision(header.get("precision", "framework")),
        "layouts": header.get("layouts"),
        "limits": Limits(build_seconds=120, run_seconds=60, memory_bytes=2 << 30),
    }


def run_without_akgflow(file: Path, devices: bool = False) -> subprocess.CompletedProcess[str]:
    """``python FILE`` where akgflow cannot be imported.

    The file runs a candidate without the judge's sandbox, and members of the corpus attack what they reach: it may
    write below its own folder only, unless it needs ``devices``.
    """
    folder = file.parent
    (folder / "blocked").mkdir(exist_ok=True)
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    places = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "TVM_FFI_CACHE_DIR", "TORCH_EXTENSIONS_DIR", "TRITON_CACHE_DIR")
    for name in places:
        (folder / name).mkdir(exist_ok=True)
    environment = os.environ | {name: str(folder / name) for name in places}
    bounds = json.dumps({"writes": [str(folder)], "hidden": []})
    confined = [sys.executable, "-P", "-m", "akgflow.verification.sandbox.confined", bounds, "--"]
    blocked = ["env", f"PYTHONPATH={with_path(folder / 'blocked')}", sys.executable, str(file)]
    return subprocess.run(
        [*(() if devices else confined), *blocked],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
        timeout=300,
    )


def searched(bench, member, seconds: float = 60.0) -> tuple[Verdict, Reproduced]:
    """The verdict on a member, and what is found of its failure."""
    changes = changes_for(member)
    verdict = bench.judge(member.text, member.operator, **changes)
    cases = verdict.correctness.cases if verdict.correctness is not None else ()
    wrong = next((one for one in cases if one.status is Status.INCORRECT_NUMERICAL), None)
    about = (wrong.case, wrong.distribution, wrong.seed) if wrong is not None else ({}, "", "")
    asked = ReproduceRequest(bench.request(member.text, member.operator, **changes), *about, seconds)
    return verdict, bench.runner.run(bench.executor.reproduce(asked))


def shown_again(bench, member, folder: Path, seconds: float = 60.0) -> Again:
    """A member judged, its failure looked for, and the file that shows it run."""
    verdict, found = searched(bench, member, seconds)
    assert found.failing is not None, found.reason
    toolchain, target = (changes_for(member)[name] for name in ("toolchain", "target"))
    judged = Judged(member.name, member.text, member.operator.read_text(), toolchain, toolchain, target, verdict)
    file = folder / f"{member.name}.py"
    ships = shipping_of(judged)
    file.write_text(failure_file(judged, found, found.failing, ships, file.name), encoding="utf-8")
    return Again(verdict, found, file, run_without_akgflow(file, on_gpu(member)))
