"""Many of a kind: every run of the tests tries a few of them, the thorough run all."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], *kept: Any) -> list[Any]:
    """``values`` for `pytest.mark.parametrize`, of which all but ``kept`` are left to the thorough run.

    A tuple stands for the values of several arguments.
    """
    every = list(values)
    assert all(one in every for one in kept), kept
    return [one if one in kept else _thorough(one) for one in every]


def led(by: int, values: Iterable[Any]) -> list[Any]:
    """As `sampled`, where the first ``by`` of ``values`` are kept."""
    every = list(values)
    return [*every[:by], *map(_thorough, every[by:])]


def _thorough(one: Any) -> Any:
    return pytest.param(*(one if isinstance(one, tuple) else (one,)), marks=pytest.mark.thorough)
