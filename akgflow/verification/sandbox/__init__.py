"""What bounds a candidate: each layer is tried, and what the kernel refuses is named as missing.

No layer needs root. `Launcher.launch` starts a process inside all layers that the machine has.
"""

from akgflow.verification.sandbox._libc import (
    POISON,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    poison_allocations,
    prctl,
)
from akgflow.verification.sandbox.guard import LAYERS, Bounds, Launched, Launcher

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
