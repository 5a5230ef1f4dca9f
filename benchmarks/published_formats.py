"""Problems of other projects as they are published: does each load, and if not, why?

    python benchmarks/published_formats.py FOLDER... [--judge 20] [--seed 1] [--elements 300000] [--seconds 300]
                                           [--json FILE]

FOLDER holds files of KernelBench, SOL-ExecBench, flashinfer-trace, kernelbot or robust-kbench, at any depth; nothing is
fetched, and without ``--judge`` nothing is run. Printed are, by format: how many become an operator, of how many the
judge varies sizes, which need packages that are not here, and why the others are refused.

``--judge`` takes a sample of those that load and judges the reference as its own candidate, with the framework allowed,
on a CPU: on the smallest workload, or with sizes halved until their product is below ``--elements``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from akgflow.config import check_operator
from akgflow.config.types import Operator
from akgflow.errors import ConfigError
from akgflow.formats import problems_in
from akgflow.operators.packages import lacking
from akgflow.operators.shapes.dimensions import sizes_of

PLACE = re.compile(r"'[^']*'|\S*/\S+|\b[A-Za-z_]+=…,?")
"""What differs between reasons that are the same: names, paths and values to give."""


@dataclass
class Loaded:
    """What became of one problem."""

    format: str
    file: str
    sizes: Mapping[str, int | None]
    """That the judge varies."""
    lacks: tuple[str, ...] = ()
    """Packages that are not here."""
    refused: str = ""


def load(form: str, file: Path) -> tuple[Loaded, Operator | None]:
    """One problem as an operator, or the reason why it is none."""
    try:
        operator = check_operator(file, (), form)
    except ConfigError as wrong:
        return Loaded(form, str(file), {}, refused="; ".join(one.message for one in wrong.problems)), None
    sizes = {} if operator.shapes.fixed else sizes_of(operator.whole)
    return Loaded(form, str(file), sizes, lacking(operator.source, operator.beside)), operator


def show(found: list[Loaded], seconds: float) -> None:
    """The counts, and the reasons with how often each was given."""
    print(f"{len(found)} problems in {seconds:.1f} s\n")
    print(f"{'format':18}{'problems':>9}{'load':>6}{'varied':>8}{'stated only':>13}{'lack packages':>15}{'refused':>9}")
    for form in dict.fromkeys(one.format for one in found):
        own = [one for one in found if one.format == form]
        ok = [one for one in own if not one.refused]
        varied, lack = sum(bool(one.sizes) for one in ok), sum(bool(one.lacks) for one in ok)
        print(f"{form:18}{len(own):>9}{len(ok):>6}{varied:>8}{len(ok) - varied:>13}{lack:>15}{len(own) - len(ok):>9}")
    packages = Counter(name for one in found for name in one.lacks)
    print("\nlacking: " + (", ".join(f"{name} ({times})" for name, times in packages.most_common()) or "nothing"))
    reasons = Counter(PLACE.sub("…", one.refused) for one in found if one.refused)
    for reason, times in reasons.most_common():
        print(f"refused {times:>4}: {reason}")


def case_of(operator: Operator, most: int) -> Mapping[str, Any]:
    """The smallest workload, or the operator's own sizes, halved until their product is below ``most``."""
    if operator.cases:
        return min(operator.cases, key=lambda case: math.prod(v for v in case.values() if type(v) is int and v > 0))
    sizes = {name: size for name, size in sizes_of(operator.whole).items() if size}
    while sizes and math.prod(sizes.values()) > most:
        largest = max(sizes, key=lambda name: sizes[name])
        if sizes[largest] <= 4:
            break
        sizes[largest] //= 2
    return sizes


def candidate_of(operator: Operator) -> str:
    """The reference as its own candidate."""
    return f"{operator.source}\n\nclass ModelNew(Model):\n    pass\n"


def judged(chosen: list[tuple[Loaded, Operator]], most: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Judge each by the command, and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        for one, operator in chosen:
            candidate = Path(folder, "candidate.py")
            candidate.write_text(candidate_of(operator), encoding="utf-8")
            case = ",".join(f"{name}={value}" for name, value in case_of(operator, most).items())
            command = [sys.executable, "-m", "akgflow", "verify", str(candidate), "--operator", one.file]
            command += ["--format", one.format, "--dsl", "cpp", "--target", "cpu", "--framework", "allow"]
            command += ["--no-time", "--json", *(["--case", case] if case else [])]
            begun = time.monotonic()
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
                said = json.loads(done.stdout)
                told = said.get("problems", [{}])[0].get("message", "")
                status, message = said.get("status", "REFUSED"), said.get("message", told)
            except subprocess.TimeoutExpired:
                status, message = "NOT_FINISHED", f"not within {seconds:.0f} s"
            except json.JSONDecodeError:
                status, message = "?", (done.stdout + done.stderr)[-300:]
            took = time.monotonic() - begun
            print(f"{status:14}{took:6.0f} s  {Path(one.file).parent.name}/{Path(one.file).name} [{case}] {message}")
            yield {"file": one.file, "case": case, "status": status, "seconds": took, "message": message}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--judge", type=int, default=0, help="judge a sample of so many")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--elements", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=300.0, help="for each judgement")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    begun = time.monotonic()
    every = [load(form, file) for folder in arguments.folders for form, file in problems_in(folder, None)]
    found = [one for one, _ in every]
    show(found, time.monotonic() - begun)
    ready = [(one, operator) for one, operator in every if operator is not None and not one.lacks]
    chosen = random.Random(arguments.seed).sample(ready, min(arguments.judge, len(ready)))
    print()
    results = list(judged(chosen, arguments.elements, arguments.seconds))
    if results:
        print(", ".join(f"{times} {status}" for status, times in Counter(one["status"] for one in results).items()))
    if arguments.json:
        text = json.dumps({"loaded": [asdict(one) for one in found], "judged": results}, indent=1)
        arguments.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
