"""How wide the bounds are: bound over the framework's own error, for every operator of the corpus and of ``operators``.

``python benchmarks/bounds_over_error.py [name ...]`` prints a line for each operator and then a summary. The ratio of a
set of inputs is the largest bound on an element over the framework's largest error, or over half a rounding of the
largest value where that is more: a framework that happens to hit the nearest number shows nothing about sound kernels.
Printed are the ratio on the operator's own inputs, the smallest and the largest on any, and the seconds of this process
that preparing the reference took. One operator of 2**26 elements, which is judged in parts, is left out unless named.
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
    """The ratios on the operator's own inputs, the tightest and the loosest ones, which these are, and the seconds."""
    text = file.read_text(encoding="utf-8")
    own, least, most, where, seconds = 0.0, 0.0, 0.0, "", 0.0
    for keys in cases_of(text, str(file), ()):
        started = time.process_time()
        made = Reference(text, str(file), keys, None, "cpu")
        made.prepare()
        seconds += time.process_time() - started
        for output in zip(*(draw.expected + draw.after for draw in made.draws), strict=True):
            ratios = [one.over_error for one in output]
            own, least = max(own, ratios[0]), max(least, min(ratios))
            if max(ratios) > most:
                most, where = max(ratios), made.draws[ratios.index(max(ratios))].distribution
    return own, least, most, where, seconds


def main(names: list[str]) -> None:
    found = []
    torch.set_num_threads(1)
    for folder in FOLDERS:
        for file in sorted(folder.rglob("*.py")):
            if (names and file.stem not in names) or (not names and file.stem == "gelu_wide"):
                continue
            *ratios, where, seconds = measure(file)
            own, least, most = ratios
            name = f"{folder.parent.name}/{file.stem}"
            text = f"{name:32} own {own:9.1f}  tightest {least:9.1f}  loosest {most:10.1f} ({where})"
            print(f"{text:105}{seconds:6.2f} s", flush=True)
            found.append((*ratios, seconds))
    for column, title in enumerate(("own", "tightest", "loosest")):
        ratios = [row[column] for row in found if row[column]]
        above = [sum(one > limit for one in ratios) for limit in (100, 1000)]
        text = (
            f"{title} inputs of {len(ratios)} operators: median {statistics.median(ratios):.1f}, most {max(ratios):.0f}"
        )
        print(f"{text}, above 100: {above[0]}, above 1,000: {above[1]}")
    print(f"seconds: {sum(row[-1] for row in found):.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
