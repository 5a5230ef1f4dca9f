"""How often the bounds judge wrongly: sound ways to compute operators that are refused, unsound ones that are accepted.

``python benchmarks/verify_bounds.py [rounds]`` draws fresh operators' inputs for each round and prints counts for each
dtype. What is called unsound is listed in ``tests/support/ways.py``: only what moves an output by more than sound
kernels of that dtype do.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from ways import DTYPES, OPERATORS, SOUND, UNSOUND, downgrades, exactly, prepared, refusals


def unsound(dtype):
    """Every unsound way as its name, its operator's reference, and the answer."""
    for name, way in UNSOUND.items():
        if dtype in way.dtypes:
            yield name, prepared(way.operator, dtype), way.answer
    for operator in OPERATORS:
        made = prepared(operator, dtype)
        for name, answer in downgrades(made, operator, dtype).items():
            yield f"{operator}, {name}", made, answer
        right = exactly(made)
        yield f"{operator}, zeros", made, lambda s, *x, right=right: torch.zeros_like(right(s, *x))
        yield f"{operator}, 1.019 times", made, lambda s, *x, right=right: (right(s, *x) * 1.019).to(x[0].dtype)


def sound(dtype):
    """Every sound way likewise."""
    for name, way in SOUND.items():
        if dtype not in way.dtypes:
            continue
        yield name, prepared(way.operator, dtype), way.answer
    for operator in OPERATORS:
        made = prepared(operator, dtype)
        yield f"{operator}, in float64", made, exactly(made)


def main(rounds: int) -> int:
    """Print the counts and the names of what was misjudged; the number of misjudgements."""
    misjudged = 0
    for dtype in DTYPES:
        asked, refused, tried, accepted = 0, [], 0, []
        for _ in range(rounds):
            prepared.cache_clear()
            for name, made, answer in sound(dtype):
                asked += 1
                refused += [name] if refusals(made, answer) else []
            for name, made, answer in unsound(dtype):
                tried += 1
                accepted += [name] if not refusals(made, answer) else []
        print(f"{dtype}: {len(refused)} of {asked} sound refused, {len(accepted)} of {tried} unsound accepted")
        for kind, names in (("sound, refused", refused), ("unsound, accepted", accepted)):
            for name in sorted(set(names)):
                print(f"  {kind}: {name} ({names.count(name)} of {rounds})")
        misjudged += len(refused) + len(accepted)
    return misjudged


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 3) else 0)
