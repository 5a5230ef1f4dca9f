"""Running plans: bounded steps, effects that happen once, a folder that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from akgflow.engine.session import record_replies, run_in_folder
    from akgflow.engine.standing import Standing, Watch

__all__ = ["Standing", "Watch", "record_replies", "run_in_folder"]

__getattr__ = lazy_exports(
    __name__, {"session": ("record_replies", "run_in_folder"), "standing": ("Standing", "Watch")}
)
