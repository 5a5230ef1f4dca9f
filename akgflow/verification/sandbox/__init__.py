"""What bounds a candidate: each layer is tried, and what the kernel refuses is named as missing.

No layer needs root. `Launcher.launch` starts a process inside all layers that the machine has.
"""

from akgflow.verification.sandbox.launcher import LAYERS, Bounds, Launched, Launcher
from akgflow.verification.sandbox.libc import (
    POISON,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    poison_allocations,
    prctl,
)

__all__ = [
    "LAYERS",
    "POISON",
    "PR_SET_CHILD_SUBREAPER",
    "PR_SET_DUMPABLE",
    "Bounds",
    "Launched",
    "Launcher",
    "poison_allocations",
    "prctl",
]
