"""The parts of a search: what is better, what is the same, who is drawn, when to stop, which constants there are."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from akgflow.search import (
    Candidate,
    Islands,
    Judged,
    Stopping,
    TunablesError,
    declared,
    draw,
    gained,
    inspirations,
    normal_form,
    pick,
    ranks,
    tiers,
    with_values,
)
from akgflow.search.quality import worth
from akgflow.search.tuner import Tuner
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, Correctness, Environment, Roofline, Timing, Verdict


def verdict(
    speed: float | None = None, *, noise: float = 0.02, status: Status = Status.PASSED, share: float | None = None
) -> Verdict:
    roofline = Roofline(1e-5, 1.0, 1.0, "memory", share) if share is not None else None
    interval = (speed * (1 - noise), speed * (1 + noise)) if speed else (0.0, 0.0)
    timing = (
        (Timing({}, "eager", 1e-5, 1e-5 * speed, speed, interval, "same", 9, 0.0, "cpu", None, roofline),)
        if speed
        else ()
    )
    evidence = (Evidence.EXECUTED,) if speed or status is not Status.PASSED else (Evidence.INTERPRETED,)
    return Verdict(status, "message", "cpu", evidence, Environment("cpu"), "", timing=timing)


WRONG = verdict(status=Status.INCORRECT_NUMERICAL)
BUSY = replace(verdict(1.0), timing=(), absent={"timing": "the machine was too busy: processes differ"})
BROKEN = verdict(status=Status.COMPILE_ERROR)


def judged(name: str, of: Verdict) -> Judged:
    return Judged(Candidate(name, "s", 1, 1), of)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], []),
        ([WRONG], [0]),
        ([verdict(1.0), verdict(2.0), BROKEN, WRONG], [1, 0, 3, 2]),
        ([verdict(1.00), verdict(1.01), verdict(1.5)], [1, 1, 0]),  # inside the noise: a tie
        ([verdict(1.0), verdict(2.0, noise=0.6)], [0, 0]),  # a wild measurement beats nobody
        ([verdict(), verdict(1.0), verdict()], [1, 0, 1]),  # without a time: right, and no more
    ],
)
def test_ranks(verdicts: list[Verdict], expected: list[int]) -> None:
    assert ranks(verdicts) == expected


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [
        (None, BROKEN, True),
        (BROKEN, None, False),
        (BROKEN, WRONG, True),
        (WRONG, verdict(), True),
        (verdict(), verdict(), False),
        (verdict(1.0), verdict(1.03), False),
        (verdict(1.0), verdict(1.1), True),
    ],
)
def test_a_gain_is_more_than_the_noise(before: Verdict | None, after: Verdict | None, better: bool) -> None:
    assert gained(before, after) is better


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x = 1  # here\n\n\ny=2", '"""Says."""\nx = 1\ny = 2', True),
        ("def f():\n    'one'", "def f():\n    'two'", True),
        ("x = 1  # here\n\n\ny=2", "x = 1\ny = 2\n", True),
        ("def f():\n    'one'\n    return 1", 'def f():\n  "two"\n  return 1', True),
        ('C = r"""\nint a;  // one\n  int b;\n"""', 'C = r"""\nint a;\n\nint  b; /* two */\n"""', True),
        ('C = """\n#define A 1\nint a;\n"""', 'C = """\n#define A 1 int a;\n"""', False),
        ('C = """\nf("//x");\n"""', 'C = """\nf("//y");\n"""', False),
        ("x = 1", "x = 2", False),
        ("def (:  ", "def (:", True),  # no Python: by its lines
    ],
)
def test_equal_programs(one: str, other: str, same: bool) -> None:
    assert (normal_form(one) == normal_form(other)) is same


def test_parents_are_drawn_by_tier_and_inspirations_are_right_and_different() -> None:
    pool = [judged(f"k{i}", verdict(1.0 + i / 2)) for i in range(6)] + [judged("bad", WRONG)]
    assert [[j.candidate.source for j in tier] for tier in tiers(pool)] == [
        ["k3", "k4", "k5"],
        ["k1", "k2"],
        ["k0", "bad"],
    ]
    good = [draw(pool, 1, (1, 0, 0), Random(i))[0].candidate.source for i in range(40)]
    assert set(good) == {"k3", "k4", "k5"}
    assert len(draw(pool, 9, (1, 0, 0), Random(0))) == 7  # more than a tier has: the others help out
    seen = inspirations(pool, 3, Random(1), without=[pool[5]])
    assert len({j.candidate.id for j in seen}) == 3
    assert not {"bad", "k5"} & {j.candidate.source for j in seen}


def test_islands_keep_their_elites_and_exchange_their_best() -> None:
    islands = Islands(2, population=3, elites=1)
    islands.populate([judged(f"k{i}", verdict(1.0 + i / 2)) for i in range(8)], Random(0))
    assert [len(members) for members in islands.members] == [3, 3]
    assert [max(m, key=lambda j: j.worth).candidate.source for m in islands.members] == ["k6", "k7"]
    islands.renew(0, [judged("new", verdict(9.0))], Random(0))
    assert len(islands.members[0]) == 3
    islands.migrate()
    assert "new" in [j.candidate.source for j in islands.members[1]]
    assert "k7" in [j.candidate.source for j in islands.members[0]]
    few = Islands(3, population=3, elites=1)
    few.populate([judged("only", WRONG)], Random(0))
    assert [len(members) for members in few.members] == [1, 1, 1]


@pytest.mark.parametrize(
    ("uses", "explore", "picked"),
    [((0, 0, 0), 0.7, 2), ((0, 0, 5), 0.0, 2), ((0, 0, 50), 0.7, 1), ((0, 50, 50), 0.7, 0)],
)
def test_confidence_bounds(uses: tuple[int, ...], explore: float, picked: int) -> None:
    pool = [judged("slow", verdict(1.0)), judged("middling", verdict(2.0)), judged("fast", verdict(3.0))]
    assert pick(pool, uses, explore) == picked


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        ([[verdict(1.0, share=0.95)]], "95% of the roofline (memory), and 90% is good enough"),
        ([[verdict()]], "nothing is executed here that would tell a faster one"),
        ([[verdict(1.0)], [verdict(1.01)], [verdict(1.02)]], "the last 2 rounds gained less than the noise: 1.00x"),
        ([[WRONG], [WRONG], [WRONG]], "INCORRECT_NUMERICAL before, INCORRECT_NUMERICAL now"),
        ([[], [], []], "there is no candidate"),
        (
            [[verdict(1.0)], [verdict(1.0), BUSY], [verdict(1.0), BUSY, BUSY]],
            "less than the noise (2 right kernels could not be timed: the machine was too busy): 1.00x",
        ),
        ([[verdict(1.0)], [verdict(1.2)], [verdict(1.21)]], ""),
        ([[verdict(1.0, share=0.5)]], ""),
    ],
)
def test_stopping(rounds: list[list[Verdict]], words: str) -> None:
    stopping = Stopping(0.9, 2, "rounds")
    said = [stopping.why(verdicts) for verdicts in rounds]
    assert words in said[-1]
    assert bool(words) == bool(said[-1])
    assert not any(said[:-1])


@pytest.mark.parametrize(("passed", "tried"), [(1, 6), (5, 6)])
def test_of_wrong_candidates_the_one_that_was_right_more_often_is_better(passed: int, tried: int) -> None:
    cases = [CaseResult({}, "normal", Status.PASSED if i < passed else WRONG.status) for i in range(tried)]
    near = replace(WRONG, correctness=Correctness(1.0, 1.0, tuple(cases)))
    far = replace(WRONG, correctness=Correctness(1.0, 1.0, tuple(cases[-1:])))
    assert max([far, near], key=worth) is near
    assert max([near, verdict()], key=worth).passed
    assert not gained(far, near), "a search does not go on for it"


SOURCE = """TUNABLES = {"TILE": [16, 32, 64], "ORDER": ("ij", "ji")}
TILE: int = 32  # é
ORDER = "ij"
CPP = f"#define TILE {TILE}"
"""


def test_tunables_are_read_and_written_in_place() -> None:
    found = declared(SOURCE)
    assert found is not None
    assert (found.size, dict(found.first)) == (6, {"TILE": 32, "ORDER": "ij"})
    changed = with_values(SOURCE, {"TILE": 64, "ORDER": "ji"})
    assert changed == SOURCE.replace("= 32", "= 64").replace('ORDER = "ij"', "ORDER = 'ji'")
    assert with_values(SOURCE, found.first) == SOURCE
    assert declared("x = 1") is None
    assert declared("not python (") is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("TUNABLES = [1]", "must be a literal dict"),
        ("TUNABLES = make()", "must be a literal dict"),
        ("TUNABLES = {'A': 3}\nA = 3", "TUNABLES['A'] must be a list"),
        ("TUNABLES = {'A': [3]}", "no line 'A = …' at the top level"),
        ("TUNABLES = {'A': [3]}\nA = f()", "gives it no plain value"),
    ],
)
def test_tunables_that_make_no_sense(source: str, words: str) -> None:
    with pytest.raises(TunablesError, match=re.escape(words)):
        declared(source)


def test_a_tuner_proposes_everything_once_and_finds_the_top() -> None:
    powers = [1, 2, 4, 8, 16, 32]
    space = {"A": powers, "B": [1, 2, 3, 4, 5, 6], "C": ["x", "y"]}
    found = declared(f"TUNABLES = {space}\nA = 1\nB = 1\nC = 'x'")
    assert found is not None

    def score(values: dict[str, Any]) -> float:
        return 10.0 - abs(powers.index(values["A"]) - 4) - abs(values["B"] - 2) - (values["C"] == "x")

    def proposals(count: int) -> list[dict[str, Any]]:
        tuner = Tuner(found, seed=3)
        tuner.know(found.first, score(dict(found.first)))
        seen = []
        while len(seen) < count and (values := tuner.ask()) is not None:
            seen.append(dict(values))
            tuner.tell(values, score(seen[-1]))
        return seen

    everything = proposals(1000)
    assert len(everything) == 71  # all but the values that stand in the source
    assert len({tuple(values.values()) for values in everything}) == 71
    assert max(map(score, proposals(18))) >= 9.0
    assert proposals(18) == everything[:18]


def test_a_tuner_tries_the_neighbours_of_the_best_in_turn() -> None:
    found = declared("TUNABLES = {'A': [1, 2, 4, 8, 16], 'B': [1, 2, 3, 4, 5]}\nA = 1\nB = 1")
    assert found is not None
    tuner, asked = Tuner(found, seed=1), list[tuple[int, int]]()
    for number in range(20):
        values = tuner.ask()
        assert values is not None
        place = tuple(found.space[name].index(values[name]) for name in ("A", "B"))
        best = max(asked, default=(9, 9))  # as the scores below have it
        untried = [one for one in _beside(best) if one not in asked]
        if number >= 4 and number % 2 and untried:
            assert place in untried
        asked.append((place[0], place[1]))
        tuner.tell(values, 10.0 * place[0] + place[1])


def _beside(place: tuple[int, int]) -> list[tuple[int, int]]:
    a, b = place
    return [(x, y) for x, y in ((a - 1, b), (a + 1, b), (a, b - 1), (a, b + 1)) if 0 <= x < 5 and 0 <= y < 5]
