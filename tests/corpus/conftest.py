"""The judge that the tests here share."""

from judging import bench

__all__ = ["bench"]
