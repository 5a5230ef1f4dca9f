"""The variables that judging processes get: an allow-list, so that no key or token can be among them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from akgflow.base.secrets import may_hold_secret

_PASSED = re.compile(
    r"PATH|LANG|LC_\w+|TZ|LD_LIBRARY_PATH|PYTHONPATH|VIRTUAL_ENV|CC|CXX|AKGFLOW_CACHE|(CUDA|NVIDIA|HIP|ROCM|ROCR|HSA|ASCEND)_\w+"
)


def scrubbed(environ: Mapping[str, str], *extra: str) -> dict[str, str]:
    """What of ``environ`` compilers and GPUs need, and the ``extra`` names; nothing that looks like a key."""
    kept = {n: v for n, v in environ.items() if (_PASSED.fullmatch(n) or n in extra) and not may_hold_secret(n)}
    # Build tools that were installed beside this Python (ninja) are found even where it was started by its full path.
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return kept
