"""Running plans: bounded steps, effects that happen once, a folder that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.base.lazily import lazily

if TYPE_CHECKING:
    from akgflow.engine.session import record_replies, run_in_folder

__all__ = ["record_replies", "run_in_folder"]

__getattr__ = lazily(__name__, {"session": ("record_replies", "run_in_folder")})
