"""A verified kernel as a Python package that runs without akgflow, with its evidence inside."""

from akgflow.export.package import FORMS, Exported, Wish, write_package
from akgflow.export.subject import Subject, of_files, of_run

__all__ = ["FORMS", "Exported", "Subject", "Wish", "of_files", "of_run", "write_package"]
