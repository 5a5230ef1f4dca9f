"""``python -m akgflow.verification.candidate.sanitize_worker REQUEST``: recorded calls of kernels, looked at by a tool.

None of the candidate's Python is read here. This process bounds itself before it builds or runs anything of the
candidate's, and prints what was found on a line of its own: what kernels print goes to the toolchain.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from akgflow import toolchains
from akgflow.base.serial import from_data, to_data
from akgflow.verification.sandbox.alone import confine
from akgflow.verification.shared.protocol import SanitizeRequest


def main() -> None:
    """Look for one kind of fault."""
    about = from_data(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), SanitizeRequest)
    sanitize = toolchains.sanitizer(about.toolchain)
    assert sanitize is not None, "the judge asks only where there is one"
    confine(Path(about.scratch), on_gpu=False)
    sys.stdout.write(f"{json.dumps(to_data(sanitize(about.kind, Path(about.recorded))))}\n")


if __name__ == "__main__":
    main()
