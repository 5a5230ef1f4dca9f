"""Why a program stops while it is interpreted, beside faults of the kernel."""

from __future__ import annotations


class Waiting(Exception):
    """A program waits for another one, which only comes later in this order."""
