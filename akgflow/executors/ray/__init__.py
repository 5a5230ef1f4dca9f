"""Judging on the nodes of a Ray cluster. Only the modules of this package import ray."""
