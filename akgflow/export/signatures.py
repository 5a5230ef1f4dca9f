"""Signatures of an operator's cases, from a process of their own: the operator is Python, and loads torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from akgflow.base.serial import from_data, to_data
from akgflow.base.text import lines
from akgflow.config.types import Scalar
from akgflow.errors import ConfigError
from akgflow.export.subject import Subject, verified_cases
from akgflow.operators.signature import SignatureRequest, Signatures
from akgflow.verification.sandbox.env_allowlist import scrubbed

_SECONDS = 300.0


def signatures(subject: Subject) -> Signatures:
    """What the verified cases are called with. Raises `ConfigError` for operators whose form no package can have."""
    request = SignatureRequest("operator.py", subject.operator, verified_cases(subject.verdict), subject.dtype)
    with tempfile.TemporaryDirectory(prefix="akgflow-export-") as scratch:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "akgflow.verification.reference.tracing.from_shapes.signature"],
                input=json.dumps(to_data(request)).encode(),
                capture_output=True,
                env=scrubbed(os.environ, "HOME", "TMPDIR"),
                cwd=scratch,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(f"the operator of {subject.task} was not traced within {_SECONDS:.0f} s") from None
    if done.returncode:
        words = lines(done.stderr.decode(errors="replace").strip())[-1:] or ["no words"]
        raise ConfigError(f"the operator of {subject.task} ends the process that traces it: {words[0]}")
    found = from_data(json.loads(done.stdout), Signatures)
    if found.why:
        raise ConfigError(f"{subject.task} cannot be exported: {found.why}")
    return found


def cast_of(case: Mapping[str, Scalar], dtype: str | None) -> str | None:
    """To which dtype the judge cast a case's floating tensors."""
    chosen = case.get("dtype", dtype)
    return None if chosen is None else str(chosen)
