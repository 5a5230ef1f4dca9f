"""Reads one `FeatureRequest` as a line of JSON and writes what was generated for it to standard output.

When the input ends, so does this process: nobody wants the answer any more.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from akgflow.base.serial import from_data, to_data
from akgflow.features import FeatureRequest
from akgflow.torch_compile import Generated
from akgflow.verification.reference.operator import OperatorError


def main() -> None:
    """Answer, whatever the operator prints meanwhile."""
    request = from_data(json.loads(sys.stdin.readline()), FeatureRequest)
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as sink:
        os.dup2(2, 1)
        json.dump(to_data(_generated(request)), sink)


def _end_with_the_input() -> None:
    sys.stdin.read()
    os._exit(1)


def _generated(request: FeatureRequest) -> Generated:
    from akgflow.torch_compile.capture import Obstacle
    from akgflow.torch_compile.module import module_of

    try:
        return Generated(module_of(request))
    except (Obstacle, OperatorError) as reason:
        return Generated(why=str(reason))
    except Exception as error:  # torch's own compiler may fail in any way
        first = (str(error).strip().splitlines() or [""])[0]
        return Generated(why=f"torch.compile cannot generate C++ for this operator: {type(error).__name__}: {first}")


if __name__ == "__main__":
    main()
