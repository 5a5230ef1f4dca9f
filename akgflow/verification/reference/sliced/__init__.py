"""Cases that are too large for float64 at full size, judged by parts of them."""

from akgflow.verification.reference.sliced.draw import digest
from akgflow.verification.reference.sliced.reference import LEAST_BYTES, SlicedReference, Slicing

__all__ = ["LEAST_BYTES", "SlicedReference", "Slicing", "digest"]
