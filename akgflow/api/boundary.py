"""The edge of the API: what the system reports of a path or of a shortage leaves as an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from akgflow.errors import known_error

P = ParamSpec("P")
T = TypeVar("T")


def public(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, which raises an error of `akgflow.errors` where the system's error stands for one."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            known = known_error(error)
            if known is None or known is error:
                raise
            raise known from error

    return call
