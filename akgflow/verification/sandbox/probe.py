"""``python -m akgflow.verification.sandbox.probe``: which layers hold on this machine, as one JSON object.

``{"layers": [names], "missing": {name: reason}}``. It tries them in a separate process, which, like the fork
server, has one thread when it forks.
"""

from __future__ import annotations

import json
import sys
import tempfile

from akgflow.verification.sandbox import PR_SET_CHILD_SUBREAPER, Bounds, Launcher, prctl


def main() -> None:
    """Start one process that does nothing inside all layers."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    launcher = Launcher()
    with tempfile.TemporaryDirectory(prefix="akgflow-") as scratch:
        started = launcher.launch(Bounds(scratch, 1 << 30, 1), (), lambda: None)
        started.end()
    sys.stdout.write(json.dumps({"layers": started.layers, "missing": launcher.missing}) + "\n")


if __name__ == "__main__":
    main()
