"""The sketch: what a kernel does and in which order, in a small checked form that belongs to no hardware.

`docs/sketch.md` describes the form; `check` says what does not fit it. Pure text in, findings out.
"""

from akgflow.sketch._check import MAX_LINES, check
from akgflow.sketch._findings import Finding

__all__ = ["MAX_LINES", "Finding", "check"]
