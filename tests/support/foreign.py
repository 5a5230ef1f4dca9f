"""Small problems in the formats of other projects, each with a right and a wrong solution: `tests/formats/examples`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

EXAMPLES = Path(__file__).resolve().parents[1] / "formats" / "examples"


class Example(NamedTuple):
    format: str
    problem: str
    """File or folder below the examples."""
    dsl: str
    right: str
    wrong: str


ALL = [
    Example(
        "sol-execbench",
        "sol/scaled_rows",
        "cpp",
        "sol/scaled_rows/solution_right.json",
        "sol/scaled_rows/solution_wrong.json",
    ),
    Example(
        "flashinfer-trace",
        "flashinfer/definitions/rowsum/rowsum_d32.json",
        "triton",
        "flashinfer/solutions/rowsum/right.json",
        "flashinfer/solutions/rowsum/wrong.json",
    ),
    Example(
        "kernelbot",
        "kernelbot/square_sum",
        "triton",
        "kernelbot/square_sum/submission.py",
        "kernelbot/square_sum/wrong.py",
    ),
    Example("robust-kbench", "robust/gated", "cuda_c", "robust/gated/forward.cu", "robust/gated/wrong.cu"),
    Example(
        "kernelbench",
        "kernelbench/level1/7_Shifted_product.py",
        "triton",
        "kernelbench/right.py",
        "kernelbench/wrong.py",
    ),
]
NAMES = [one.format for one in ALL]
