"""akgflow: a declarative YAML task runner for compute kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow import api

if TYPE_CHECKING:
    from akgflow.api import *  # noqa: F403
else:  # a type checker that saw it would take every name for one that is there
    __getattr__ = api.__getattr__

__version__ = "0.1.0"
__all__ = ["__version__"]
__all__ += api.__all__


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
