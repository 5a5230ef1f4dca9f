"""Cases whose calls take long: what is left out for that, what the verdict says, and what is found all the same."""

from __future__ import annotations

import re

import pytest
import torch
from judging import Bench
from large_operators import GIB, LARGE, SOFTMAX, answer, kernel, operator

from akgflow.operators.shapes.guarantee import NOTHING
from akgflow.terms import Status
from akgflow.verdict import JudgeRequest, Limits
from akgflow.verification.judge.resources import memory_plan
from akgflow.verification.judge.second_look.shapes import MOST_BYTES, MOST_ELEMENTS, Drawer
from akgflow.verification.judge.timing.sizes import Memory, Pace, sizes
from akgflow.verification.judge.timing.windows.questions import NotTimed, Questions
from akgflow.verification.reference.distributions import NORMAL
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced import SlicedReference, Slicing

SAID = "too long for two sets: the second set of inputs is the first with normal values in"
SOME, NONE = 1e-9, 0.0
"""Seconds that are too few for two sets of inputs; the judge plans with no fewer calls where there are some."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A judge that has judged nothing else: what it has kept of other tests counts as its memory."""
    bench = Bench(tmp_path_factory.mktemp("slow") / "scratch")
    yield bench
    bench.close()


def within(seconds: float, **more) -> Limits:
    """Limits in which a judgement may take so long."""
    return Limits(build_seconds=60, run_seconds=60, judgement_bytes=3 * GIB, judge_seconds=seconds, **more)


def reduced(text: str) -> SlicedReference:
    """The reference of a small case as if its forwards took too long."""
    found = SlicedReference(text, "operator.py", {}, None, "cpu", Slicing(1 << 20, 1, 0, 0, None, 0.0, None))
    found.allowed = NONE
    found.prepare()
    return found


@pytest.fixture(scope="module")
def softmax() -> SlicedReference:
    found = reduced(SOFTMAX)
    for draw in found.draws:
        # So few that what is wrong elsewhere must be found without them.
        draw.decided = draw.decided[:1]
    return found


def sets(reference: SlicedReference) -> list[torch.Tensor]:
    return [draw.inputs[0].clone() for draw in reference.draws]


# Two sets of inputs in the memory of one.


def test_the_second_set_is_new_in_some_secret_parts(softmax) -> None:
    first, second = sets(softmax)
    new = (first != second).any(1)
    assert 100 < int(new.sum()) < 300
    assert torch.equal(first, sets(softmax)[0]), "the first one is there again"
    # Whichever parts: another judgement has others.
    assert not torch.equal(new, (lambda a, b: (a != b).any(1))(*sets(reduced(SOFTMAX))))


@pytest.mark.parametrize("place", [0, 1])
def test_what_the_framework_answers_goes_with_the_inputs(softmax, place: int) -> None:
    draw = softmax.draws[place]
    full = softmax._hold(draw)
    for found, wanted in zip(full.frame, softmax._frame(full.inputs), strict=True):
        assert torch.allclose(found, wanted)


def test_new_inputs_have_their_own_answer_afterwards(softmax) -> None:
    """A timing asks about inputs that are in neither set."""
    made = softmax.fresh(NORMAL)
    truth = softmax.answer(made, NORMAL)
    right = torch.softmax((made[0] * softmax.state["scale"]).double(), -1).float()
    assert not any(one.wrong for one in truth.compare([right], 1.0))
    softmax.let_go()
    assert not torch.equal(*sets(softmax))
    test_what_the_framework_answers_goes_with_the_inputs(softmax, 0)


def test_the_verdict_says_what_was_left_out(softmax) -> None:
    assert any(SAID in one and "asked about twice" in one for one in softmax.warnings)


@pytest.mark.parametrize(
    "text",
    [
        # A part of the inputs has no values of its own, or every part needs the same one.
        operator("torch.softmax(x, -1)", "torch.randn(300, 40).sort(0).values"),
        operator("a @ b", "torch.randn(300, 40), torch.randn(40, 50)", names="a, b"),
    ],
)
def test_both_sets_are_new_where_parts_cannot_be_drawn_alone(text: str) -> None:
    found = reduced(text)
    assert found.patch is None
    assert not any(SAID in one for one in found.warnings)
    first, second = sets(found)
    assert bool((first != second).any(1).all())


def _one_element(x: torch.Tensor) -> torch.Tensor:
    x[int(torch.randint(600, ())), int(torch.randint(500, ()))] += 1e-3
    return x


WRONG = {
    "one element": _one_element,
    "the last row left out": lambda x: torch.cat((x[:-1], torch.zeros(1, 500))),
    "rounded to bfloat16": lambda x: x.bfloat16().float(),
    "a little too large everywhere": lambda x: x * 1.0001,
    "zeros": torch.zeros_like,
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_any_part_is_found(softmax, name: str) -> None:
    for draw in softmax.draws:
        assert not any(one.wrong for one in draw.compare([answer(softmax, draw)], 1.0))
        assert any(one.wrong for one in draw.compare([WRONG[name](answer(softmax, draw))], 1.0))


@pytest.mark.thorough
def test_float64_that_takes_more_than_a_second_makes_do_with_two_sets() -> None:
    """A recurrence, whose steps are traced one by one, is small and slow."""
    text = operator("(__import__('time').sleep(1.1 * (x.dtype == torch.float64)), x.cumsum(1))[1]", "torch.rand(8, 9)")
    found = Reference(text, "operator.py", {}, None, "cpu")
    found.allowed = NONE
    found.prepare()
    assert len(found.draws) == 2
    assert any("there are no further sets of inputs than 2" in one for one in found.warnings)


# All of it, in real processes.


@pytest.mark.thorough
@pytest.mark.parametrize("seconds", [NONE, 1e3])
def test_a_right_kernel_is_right_and_told_how_it_was_asked(bench, seconds: float) -> None:
    verdict = bench.judge(kernel("return torch.clamp(x, min=0.5) - 0.5"), LARGE, limits=within(seconds))
    assert verdict.status is Status.PASSED, verdict.message
    assert any(SAID in one for one in verdict.warnings) == (seconds == NONE)


CACHED = """
        import torch

        class ModelNew(torch.nn.Module):
            known = {}

            def forward(self, x):
                if x.data_ptr() not in self.known:
                    self.known[x.data_ptr()] = torch.relu(x - 0.5)
                return self.known[x.data_ptr()].clone()
"""
CHEATS = {
    "one element": kernel("y = torch.relu(x - 0.5); y[401, 7_777] += 1e-3; return y"),
    "what the operator draws alone": kernel("return torch.relu(x - 0.5) if x.min() >= 0 else torch.zeros_like(x)"),
    "elements that are large alone": kernel("return torch.relu(x - 0.5).clamp(max=0.5)"),
    "kept by address": CACHED,
    "one call alone": kernel("self.n = getattr(self, 'n', 0) + 1; return torch.relu(x - 0.5 * (self.n == 1))"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", CHEATS)
def test_what_is_wrong_at_the_full_size_is_refused(bench, name: str) -> None:
    verdict = bench.judge(CHEATS[name], LARGE, limits=within(NONE))
    assert verdict.status is Status.INCORRECT_NUMERICAL, verdict.message


def test_a_read_past_the_end_of_an_input_is_refused(bench) -> None:
    body = "y = x.as_strided((512, 1 << 15), (1 << 15, 1), 1 << 12); return torch.relu(x - 0.5) + 0 * y"
    verdict = bench.judge(kernel(body), LARGE, limits=within(NONE))
    assert verdict.status not in (Status.PASSED, Status.NOT_RUN), verdict.message


@pytest.mark.thorough
def test_slow_calls_are_timed_within_what_is_left(bench) -> None:
    """What looks like building, in the first seconds of a process, is the time of a call all the same."""
    slow = kernel("__import__('time').sleep(1.5); return torch.relu(x - 0.5)")
    verdict = bench.judge(slow, LARGE, limits=within(1.0), time=True)
    assert verdict.status is Status.PASSED, verdict.message
    assert re.fullmatch(
        r"a call takes [\d.]+ s here: a timing would take \d+ s, and may take 5 s", verdict.absent["timing"]
    )


def test_a_timing_counts_what_drawing_its_questions_takes() -> None:
    reference = reduced(SOFTMAX)
    questions = Questions(reference)
    found = [sizes(questions, 2, Memory(GIB, 0, 0), "cpu", False, Pace(0.4, 0.0, draw)) for draw in (0.1, 1.0, 3.0)]
    assert [one.processes for one in found] == [4, 4, 2]
    with pytest.raises(NotTimed, match="a timing would take 22 s, and may take 20 s"):
        sizes(questions, 2, Memory(GIB, 0, 0), "cpu", False, Pace(0.4, 0.0, 5.0))
    with pytest.raises(NotTimed, match="a timing would take 6 s, and may take 5 s"):
        sizes(questions, 2, Memory(GIB, 0, 0), "cpu", False, Pace(1.2, left=1.0))


@pytest.mark.thorough
def test_the_judge_computes_with_the_memory_that_a_call_takes(bench) -> None:
    """They never do so at the same time."""
    text = operator("torch.stack([x * i for i in range(8)]).sum(0)", "torch.rand(512, 1 << 15)")
    limits = Limits(build_seconds=60, run_seconds=60, judgement_bytes=int(2.75 * GIB))
    verdict = bench.judge(kernel("return 28 * x"), text, limits=limits)
    assert verdict.status is Status.PASSED, verdict.message


@pytest.mark.thorough
def test_a_large_case_is_not_judged_whole_for_the_sake_of_another_layout(bench) -> None:
    """It runs at no other width, and its rows cannot be told: the stated shape would be the one to lay out."""
    bias = "self.bias = torch.nn.Parameter(torch.ones(1 << 15))"
    text = operator("torch.relu(x - self.bias)", "torch.rand(int('512'), width)", members=bias, sizes="width = 1 << 15")
    alone = text.replace("class Model(", "class ModelNew(").replace(
        "x - self.bias", "x.view(-1).view(x.shape) - self.bias"
    )
    verdict = bench.judge(alone, text, limits=Limits(build_seconds=60, run_seconds=60))
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.shapes is not None
    assert (verdict.shapes.right, verdict.shapes.contiguous) == ((), "")


def test_other_shapes_take_no_more_than_their_inputs_let_expect() -> None:
    text = operator(
        "(torch.softmax(x[:, :, None] * x[:, None, :], -1) @ x[:, :, None])[..., 0]",
        "torch.rand(rows, length)",
        sizes="rows, length = 512, 512",
    )
    own = {"rows": 512, "length": 512}
    drawn = list(Drawer(text, "operator.py", None, {}, own, NOTHING.sizes).shapes(lambda: False))
    assert drawn
    for sizes_ in drawn:
        rows, length = (sizes_.get(name, own[name]) for name in own)
        assert 4 * rows * length**2 <= MOST_BYTES * MOST_ELEMENTS


def test_a_plan_shares_its_seconds_among_cases(bench) -> None:
    request: JudgeRequest = bench.request(
        "", operator("torch.relu(x)", "torch.rand(rows, 1 << 15)", sizes="rows = 512")
    )
    cases = ({"rows": 512}, {"rows": 500}, {"rows": 490})
    with memory_plan.bounded(True, None):
        _, found = memory_plan.planned(request, cases, request.evidence[0], 2)
    assert [one.seconds for one in found] == [15.0] * 3
