"""Several kernels as one: which are kept, and what the module made of them does with a call."""

from __future__ import annotations

import copy
import linecache
from dataclasses import replace
from types import ModuleType

import pytest

from akgflow.search import Candidate, Choice, Judged, NoChoice, choose, dispatcher
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, OtherShapes, Timing, Verdict

torch = pytest.importorskip("torch")

CASES = ({"rows": 4096, "cols": 2}, {"rows": 512, "cols": 64}, {"rows": 8, "cols": 4096})
GENERAL = OtherShapes(({"rows": 3},))


def sizes_at(rows: int, cols: int) -> tuple[int, ...]:
    """Of a call: the constructor's argument, the state by name, the input."""
    return (cols, 1, cols, 1, cols, rows, cols)


def verdict(*speedups: float, noise: float = 0.01, shapes: OtherShapes | None = GENERAL) -> Verdict:
    """Timed at the cases in turn."""
    timing = [
        Timing(
            case,
            "eager",
            1e-3 / one,
            1e-3,
            one,
            (one * (1 - noise), one * (1 + noise)),
            "faster",
            9,
            0.0,
            "cpu",
            sizes=sizes_at(**case),
        )
        for case, one in zip(CASES, speedups, strict=False)
    ]
    environment = Environment("cpu")
    return Verdict(
        Status.PASSED, "right", "cpu", (Evidence.EXECUTED,), environment, "now", timing=tuple(timing), shapes=shapes
    )


KERNEL = '''\
import torch

TUNABLES = {{"ADDS": [1, 2, 3]}}
ADDS = {adds}


class ModelNew(torch.nn.Module):
    """Says by its result which kernel it was."""

    def __init__(self, cols):
        super().__init__()
        self.inner = torch.nn.Linear(cols, 1, bias=False)
        self.weight = torch.nn.Parameter(torch.zeros(cols))
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("own", torch.ones(1), persistent=False)

    def forward(self, x):
        self.seen += 1
        assert self.training and self.own.dtype == x.dtype
        return x * 0 + self.weight + ADDS
'''


def judged(adds: int, *speedups: float, **more) -> Judged:
    return Judged(Candidate(KERNEL.format(adds=adds), "code", adds, 1), verdict(*speedups, **more))


def names(choice: Choice) -> list[int]:
    """The kernel of each case, by the constant that it adds."""
    constants = {one.candidate: one.constants["ADDS"] for one in choice.winners}
    return [constants[row.candidate] for row in choice.rows]


@pytest.mark.parametrize(
    ("kernels", "most", "for_each"),
    [
        # The best for all together first, then who is faster somewhere beyond the noise.
        ([(2.0, 2.0, 2.0), (4.0, 1.0, 1.0)], 3, [2, 1, 1]),
        ([(2.0, 2.0, 2.0), (4.0, 1.0, 1.0), (1.0, 1.0, 3.0)], 3, [2, 1, 3]),
        # No more than are wanted: the one that gains most.
        ([(2.0, 2.0, 2.0), (4.0, 1.0, 1.0), (1.0, 1.0, 3.0)], 2, [2, 1, 1]),
        # Within the noise, nothing is split.
        ([(2.0, 2.0, 2.0), (2.02, 1.0, 1.0)], 2, "by more than the noise"),
        # Where a kernel was not timed, it is not called, however fast it is at the others.
        ([(2.0, 2.0, 2.0), (4.0, 1.0, 1.0), (9.0, 9.0)], 3, [3, 3, 1]),
        ([(2.0, 2.0, 2.0), (4.0, 1.0)], 2, [2, 1, 1]),
        ([(2.0, 2.0, 2.0), (1.0, 1.0)], 2, "noise; .* was not timed at rows=8, cols=4096: nobody says why"),
        ([(2.0,), (3.0,)], 2, "one case alone"),
        ([(), ()], 2, "no right kernel was timed"),
        ([], 2, "no right kernel was timed"),
    ],
)
def test_each_case_has_the_kernel_that_is_faster_there(kernels, most, for_each):
    right = [judged(adds, *speedups) for adds, speedups in enumerate(kernels, 1)]
    if isinstance(for_each, str):
        with pytest.raises(NoChoice, match=for_each):
            choose(right, most)
        return
    choice = choose(right, most)
    assert names(choice) == for_each
    assert choice.kernels[0] is right[0], "the best for all cases together comes first"
    assert len(choice.kernels) == len(set(for_each)) <= most


def test_cases_of_equal_sizes_have_one_kernel():
    first, second = judged(1, 2.0, 2.0, 2.0), judged(2, 4.0, 1.0, 1.0)
    same = [
        replace(one, verdict=replace(one.verdict, timing=tuple(replace(t, sizes=(1,)) for t in one.verdict.timing)))
        for one in (first, second)
    ]
    with pytest.raises(NoChoice, match="noise"):
        choose(same, 2)


def module_of(choice: Choice) -> ModuleType:
    made = ModuleType("dispatched")
    made.__file__ = "dispatched.py"
    exec(compile(dispatcher.text(choice), made.__file__, "exec"), vars(made))
    return made


def picked(model, rows: int, cols: int) -> int:
    return int(model(torch.ones(rows, cols, dtype=next(model.parameters()).dtype))[0, 0])


def model_of(choice: Choice, cols: int):
    return module_of(choice).ModelNew(cols)


TWO = [judged(1, 2.0, 2.0, 2.0), judged(2, 4.0, 1.0, 1.0)]


@pytest.mark.parametrize(
    ("rows", "cols", "kernel"),
    [
        (4096, 2, 2),
        (512, 64, 1),
        (8, 4096, 1),
        # Between the cases it is who should gain most.
        (3000, 3, 2),
        (1000, 30, 1),
        (1448, 11, 1),
        # Outside, the best for all together.
        (4096, 1, 1),
        (100_000, 2, 1),
    ],
)
def test_a_call_goes_to_the_kernel_that_should_gain_most(rows, cols, kernel):
    model = model_of(choose(TWO, 2), cols)
    assert [picked(model, rows, cols) for _ in range(2)] == [kernel] * 2


def test_what_a_kernel_loses_elsewhere_counts_between_the_cases():
    # As fast as in the table above at the first case, and forty times slower at the next one.
    model = model_of(choose([TWO[0], judged(2, 4.0, 0.05, 0.05)], 2), 6)
    assert (picked(model_of(choose(TWO, 2), 6), 1900, 6), picked(model, 1900, 6)) == (2, 1)


def test_kernels_that_serve_the_cases_alone_refuse_all_else():
    narrow = [replace(one, verdict=replace(one.verdict, shapes=None)) for one in TWO]
    model = model_of(choose(narrow, 2), 2)
    assert picked(model, 4096, 2) == 2
    with pytest.raises(ValueError, match="none of those that were verified"):
        picked(model, 4000, 2)
    # One that serves the cases alone is passed over elsewhere, where the best one serves all.
    model = model_of(choose([TWO[0], narrow[1]], 2), 2)
    assert (picked(model, 4096, 2), picked(model, 4000, 2)) == (2, 1)


def test_the_kernels_share_one_state():
    model = model_of(choose(TWO, 2), 2)
    assert list(model.state_dict()) == ["weight", "seen", "inner.weight"]
    model.load_state_dict({"weight": torch.full((2,), 10.0), "seen": torch.zeros(1), "inner.weight": torch.ones(1, 2)})
    assert (picked(model, 4096, 2), picked(model, 100_000, 2)) == (12, 11)
    assert model.seen == 2, "what one kernel changes, the others see"
    # Moved, cast and copied, they still do.
    other = copy.deepcopy(model.double())
    other.weight.data = torch.full((2,), 20.0, dtype=torch.float64)
    assert (picked(other, 4096, 2), picked(model, 4096, 2)) == (22, 12)
    with pytest.raises(AssertionError):
        picked(model.eval(), 4096, 2)


def test_who_looks_for_a_kernels_source_finds_it():
    made = module_of(choose(TWO, 2))
    name = next(iter(made.MEMBERS))
    assert "".join(linecache.getlines(f"dispatched.py:{name}")) == TWO[0].candidate.source == made.MEMBERS[name]
