"""Running plans: bounded steps, effects that happen once, a folder that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.engine.session import Shared, record_replies, run_beside, run_in_folder, using_own_clock
    from akgflow.engine.standing import Standing, Watch

__all__ = ["Shared", "Standing", "Watch", "record_replies", "run_beside", "run_in_folder", "using_own_clock"]

__getattr__ = lazy_exports(
    __name__,
    {
        "session": ("Shared", "record_replies", "run_beside", "run_in_folder", "using_own_clock"),
        "standing": ("Standing", "Watch"),
    },
)
