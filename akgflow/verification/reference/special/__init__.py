"""Inputs made from the operator's own, that show what random ones do not."""
