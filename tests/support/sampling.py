"""Many of a kind: every run of the tests tries a few of them, the thorough run all."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], *kept: Any) -> list[Any]:
    """``values`` for `pytest.mark.parametrize`, of which all but ``kept`` are left to the thorough run."""
    every = list(values)
    assert set(kept) <= set(every), kept
    return [one if one in kept else pytest.param(one, marks=pytest.mark.thorough) for one in every]
