"""How wide the bounds are: bound over the framework's own error, for every operator of the corpus and of ``operators``.

``python benchmarks/bounds_over_error.py [name ...]`` prints a line for each operator and then a summary. The ratio of a set
of inputs is the largest bound on an element over the framework's largest error, or over half a rounding of the
largest value where that is more: a framework that happens to hit the nearest number shows nothing about sound kernels.
Printed are the ratio on the operator's own inputs, the largest on any, and the seconds that preparing the reference took.
"""

import statistics
import sys
import time
from pathlib import Path

import torch

from akgflow.verification.reference.operator import cases_of
from akgflow.verification.reference.reference import Reference

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (ROOT / "tests" / "corpus" / "operators", ROOT / "benchmarks" / "operators")


def measure(file: Path):
    """The ratio on the operator's own inputs, the largest ratio with its distribution, and the seconds."""
    text = file.read_text(encoding="utf-8")
    own, worst, where, seconds = 0.0, 0.0, "", 0.0
    for keys in cases_of(text, str(file), ()):
        started = time.process_time()
        made = Reference(text, str(file), keys, None, "cpu")
        made.prepare()
        seconds += time.process_time() - started
        for number, draw in enumerate(made.draws):
            found = max((one.over_error for one in draw.expected + draw.after), default=0.0)
            own = max(own, found) if number == 0 else own
            worst, where = max((worst, where), (found, draw.distribution))
    return own, worst, where, seconds


def main(names: list[str]) -> None:
    found = []
    torch.set_num_threads(1)
    for folder in FOLDERS:
        for file in sorted(folder.glob("*.py")):
            if (names and file.stem not in names) or (not names and file.stem == "gelu_wide"):
                continue
            own, worst, where, seconds = measure(file)
            print(f"{folder.parent.name + '/' + file.stem:32} own {own:10.1f}  worst {worst:12.1f} {where:16} {seconds:6.2f} s", flush=True)
            found.append((own, worst, seconds))
    for title, column in (("own inputs", 0), ("worst inputs", 1)):
        ratios = [row[column] for row in found if row[column]]
        above = [sum(one > limit for one in ratios) for limit in (100, 1000)]
        print(f"{title}: {len(ratios)} operators, median {statistics.median(ratios):.1f}, largest {max(ratios):.0f}, "
              f"above 100: {above[0]}, above 1,000: {above[1]}")
    print(f"seconds: {sum(row[2] for row in found):.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
