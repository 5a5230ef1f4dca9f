"""The ``akgflow`` command: thin commands over the library."""

from akgflow.cli._main import main

__all__ = ["main"]
