"""What a kernel does wrong while it is interpreted: exceptions whose text is for the author who repairs it."""

from __future__ import annotations


class KernelFault(RuntimeError):
    """The kernel's own fault, in its own lines; the text names kernel, line and what it did."""


class Waiting(Exception):
    """A program waits for another one, which only comes later in this order."""
