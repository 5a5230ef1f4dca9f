"""Tests marked ``gpu`` run where a GPU is, and are skipped with the reason elsewhere."""

from __future__ import annotations

import pytest

from akgflow import machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing and not machine.detect().devices:
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))
