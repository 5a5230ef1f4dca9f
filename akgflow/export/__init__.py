"""A verified kernel as a Python package that runs without akgflow, and a wrong one as a file that shows its fault."""

from akgflow.export.failure import Judged, failed_of_run, failure_file, how_small, shipping_of, shown
from akgflow.export.package import FORMS, Exported, Wish, write_package
from akgflow.export.subject import Subject, of_files, of_run

__all__ = [
    "FORMS",
    "Exported",
    "Judged",
    "Subject",
    "Wish",
    "failed_of_run",
    "failure_file",
    "how_small",
    "of_files",
    "of_run",
    "shipping_of",
    "shown",
    "write_package",
]
