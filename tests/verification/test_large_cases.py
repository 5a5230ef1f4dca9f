"""Cases that are too large for several sets of inputs in float64: planned, cut into parts, judged, timed, refused."""

from __future__ import annotations

import gc
import itertools
import re
import weakref

import pytest
import torch
from judging import Bench
from large_operators import GIB, LARGE, SOFTMAX, answer, kernel, operator

from akgflow.config.types import Target
from akgflow.errors import MachineExhausted
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest, Limits
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.resources import memory_plan
from akgflow.verification.judge.resources.memory_plan import DoesNotFit, Room
from akgflow.verification.judge.timing.sizes import Memory, Pace, sizes
from akgflow.verification.judge.timing.windows.questions import NotTimed, Questions
from akgflow.verification.reference.operator import OperatorError, make_case
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced import SlicedReference, Slicing
from akgflow.verification.reference.sliced.parts import separation
from akgflow.verification.reference.tracing.from_shapes.footprint import SMALL, footprint_of
from akgflow.verification.reference.tracing.op_count import measure
from akgflow.verification.shared import memory


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A judge that has judged nothing else: what it has kept of other tests counts as its memory."""
    bench = Bench(tmp_path_factory.mktemp("large") / "scratch")
    yield bench
    bench.close()


def case(text: str, **keys: int):
    return make_case(text, "operator.py", keys, None, 0)


ENORMOUS = operator("torch.relu(x)", "torch.rand(batch_size, dim)", sizes="batch_size, dim = 1 << 16, 1 << 20")
"""Inputs of 256 GiB: no machine of ours could allocate them to find out."""


# What a case takes.


def test_a_footprint_is_read_from_shapes_alone() -> None:
    found = footprint_of(case(ENORMOUS))
    assert (found.inputs, found.outputs, found.between) == (256 * GIB, 256 * GIB, 256 * GIB)
    assert found.work is not None
    assert found.work.own == {"relu": 1 << 36}


@pytest.mark.parametrize(
    ("result", "between"),
    [("torch.relu(x)", 1), ("torch.relu(x) * torch.sigmoid(x)", 3), ("torch.relu(torch.relu(torch.relu(x)))", 2)],
)
def test_results_in_between_count_while_they_are_alive(result: str, between: int) -> None:
    found = footprint_of(case(operator(result, "torch.rand(512, 1024)")))
    assert found.between == between * found.inputs


@pytest.mark.parametrize(
    "text",
    [
        operator("self.layer(x)", "torch.rand(256, 1024)", members="self.layer = torch.nn.Linear(1024, 512)"),
        operator("torch.softmax(x, -1)", "torch.rand(512, 1024)"),
        operator("self.layer(x)", "torch.rand(2, 16, 128, 128)", members="self.layer = torch.nn.Conv2d(16, 16, 3)"),
    ],
)
def test_the_work_that_shapes_show_is_what_a_call_shows(text: str) -> None:
    made = case(text)
    model, inputs = made.model(), made.make_inputs()
    found = footprint_of(made)
    assert found.inputs >= SMALL
    with torch.no_grad():
        assert found.work == measure(lambda: model(*inputs))


def test_an_operator_that_needs_values_is_traced_on_fake_ones() -> None:
    """Its constructor asks for a number of a tensor, which a tensor without memory does not have."""
    text = operator("x * self.scale", "torch.rand(1024, 512)", members="self.scale = torch.linspace(1, 2, 3)[1].item()")
    assert footprint_of(case(text)).inputs == 1024 * 512 * 4


# How it is judged.


def plans(text: str, room: int, **keys: int):
    return memory_plan.plan(footprint_of(case(text, **keys)), "cpu", 2, Room(room))


MIDDLE = operator("torch.relu(x)", "torch.rand(rows, 1 << 18)", sizes="rows = 128")
"""128 MiB of inputs and of outputs."""


def test_what_fits_is_judged_whole_what_does_not_in_slices_and_the_rest_not_at_all() -> None:
    assert plans(MIDDLE, 64 * GIB, rows=16).slicing is None
    assert plans(MIDDLE, 2 * GIB).slicing is not None
    with pytest.raises(DoesNotFit, match=r"takes at least 1\.\d GiB of this machine's memory, and 1\.0 GiB may be"):
        plans(MIDDLE, GIB)


def test_float64_that_takes_seconds_is_done_in_slices_however_much_memory_there_is() -> None:
    product = operator("a @ b", "torch.rand(4096, 4096), torch.rand(4096, 4096)", names="a, b")
    slicing = plans(product, 1000 * GIB).slicing
    assert slicing is not None
    assert slicing.seconds > 1


def test_a_refusal_names_a_case_that_fits(bench) -> None:
    request = bench.request("", ENORMOUS)
    with pytest.raises(CandidateFailed) as refused:
        memory_plan.plan_case(request, {}, Room(4 * GIB), 2, runs=True)
    assert refused.value.status is Status.NOT_RUN
    (name, value) = refused.value.message.rpartition("--case ")[2].split()[0].split("=")
    assert name == "batch_size"
    assert plans(ENORMOUS, 4 * GIB, batch_size=int(value)).slicing is not None
    with pytest.raises(DoesNotFit):
        plans(ENORMOUS, 4 * GIB, batch_size=2 * int(value))


def test_what_is_only_compiled_needs_no_room_for_numbers(bench) -> None:
    assert memory_plan.plan_case(bench.request("", ENORMOUS), {}, Room(GIB), 2, runs=False).slicing is not None


def test_the_judge_cannot_allocate_past_its_plan() -> None:
    with memory_plan.bounded(True, None):
        left = memory_plan.room("cpu").host
        with pytest.raises(RuntimeError) as refused:
            torch.empty(left + 2 * GIB, dtype=torch.uint8)
    assert "does not fit" in memory_plan.no_room(refused.value)
    assert not memory_plan.no_room(RuntimeError("index out of range"))
    torch.empty(GIB, dtype=torch.uint8)


# Where it can be cut.


@pytest.mark.parametrize(
    ("text", "inputs", "outputs"),
    [
        (operator("torch.softmax(x, -1)", "torch.randn(12, 40)"), (0,), (0,)),
        (operator("torch.softmax(x, 0)", "torch.randn(12, 40)"), (1,), (1,)),
        (operator("x.cumsum(1)", "torch.randn(12, 40)"), (0,), (0,)),
        (operator("a @ b", "torch.randn(24, 32), torch.randn(32, 40)", names="a, b"), (0, None), (0,)),
        (operator("a.T @ b", "torch.randn(32, 24), torch.randn(32, 40)", names="a, b"), (1, None), (0,)),
        # Square: that the second operand must stay whole, the shapes do not tell.
        (operator("a @ b", "torch.randn(32, 32), torch.randn(32, 32)", names="a, b"), (0, None), (0,)),
        (operator("a + b", "torch.randn(12, 40), torch.randn(12, 40)", names="a, b"), (0, 0), (0,)),
        (operator("(x.amax(1), x.argmax(1))", "torch.randn(12, 40)"), (0,), (0, 0)),
        (operator("x.sum(0)", "torch.randn(12, 40)"), (1,), (0,)),
    ],
)
def test_where_an_operator_is_separable(text: str, inputs: tuple, outputs: tuple) -> None:
    reference = Reference(text, "operator.py", {}, None, "cpu")
    made = reference.fresh("operator")
    frame = reference.framework_runner.own_tensors(reference.framework_runner.run(made))
    how = separation(reference.framework_runner, made, frame)
    assert how is not None
    assert (how.inputs, how.outputs) == (inputs, outputs)


@pytest.mark.parametrize(
    "text",
    [
        operator("x - x.mean()", "torch.randn(12, 40)"),
        operator("x / x.norm()", "torch.randn(12, 40)"),
        operator("(x - x.mean(0, keepdim=True)) / x.std(1, keepdim=True)", "torch.randn(12, 40)"),
        operator("x.square().mean()", "torch.randn(12, 40)"),
        operator("x + 0.01 * x.mean()", "torch.randn(12, 40) + 1"),
    ],
)
def test_what_hangs_together_is_not_cut(text: str) -> None:
    reference = Reference(text, "operator.py", {}, None, "cpu")
    made = reference.fresh("operator")
    frame = reference.framework_runner.own_tensors(reference.framework_runner.run(made))
    assert separation(reference.framework_runner, made, frame) is None


# What float64 says of parts.


def sliced(text: str, no_whole=None) -> SlicedReference:
    """The reference of a small case as if it were large, with room for one set of inputs."""
    found = SlicedReference(text, "operator.py", {}, None, "cpu", Slicing(1 << 20, 1, 0, 0, no_whole, 0.0, None))
    found.prepare()
    return found


@pytest.fixture(scope="module")
def softmax() -> SlicedReference:
    found = sliced(SOFTMAX)
    for draw in found.draws:
        # So few that what is wrong elsewhere must be found without them.
        draw.decided = draw.decided[:1]
    return found


def test_a_sound_answer_passes_in_all_draws(softmax) -> None:
    assert [draw.distribution for draw in softmax.draws] == ["operator", "normal"]
    for draw in softmax.draws:
        assert draw.share < 0.2
        assert not any(one.wrong for one in draw.compare([answer(softmax, draw)], 1.0))


def _one_element(x: torch.Tensor) -> torch.Tensor:
    x[int(torch.randint(600, ())), int(torch.randint(500, ()))] += 1e-3
    return x


def _one_row(x: torch.Tensor) -> torch.Tensor:
    x[int(torch.randint(600, ()))] = 0.0
    return x


WRONG = {
    "one element": _one_element,
    "one row of zeros": _one_row,
    "the last row left out": lambda x: torch.cat((x[:-1], torch.zeros(1, 500))),
    "a NaN": lambda x: torch.where(torch.arange(x.numel()).view(x.shape) == 123_456, torch.nan, x),
    "rounded to bfloat16": lambda x: x.bfloat16().float(),
    "a little too large everywhere": lambda x: x * 1.0001,
    "zeros": torch.zeros_like,
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_any_part_is_found(softmax, name: str) -> None:
    for draw in softmax.draws:
        (found,) = draw.compare([WRONG[name](answer(softmax, draw))], 1.0)
        assert found.wrong


def test_a_wrong_element_is_named_by_its_place_in_the_whole(softmax) -> None:
    draw = softmax.draws[1]
    wrong = answer(softmax, draw)
    wrong[571, 17] = 3.0
    (found,) = draw.compare([wrong], 1.0)
    assert found.worst is not None
    assert found.worst.index == (571, 17)
    assert "output 0 at [571, 17]: got 3" in found.detail


def test_index_outputs_may_name_an_equal_element_and_no_other() -> None:
    reference = sliced(operator("x.argmax(1)", "torch.randint(0, 20, (400, 300)).float() + torch.rand(()) * 0.5"))
    draw = reference.draws[0]
    (x,) = draw.inputs
    last = x.shape[1] - 1 - x.flip(1).argmax(1)
    assert not any(one.wrong for one in draw.compare([last], 1.0))
    last[389] = (last[389] + 1) % 300 if x[389, (last[389] + 1) % 300] != x[389].max() else x[389].argmin()
    assert any(one.wrong for one in draw.compare([last], 1.0))


def test_inputs_are_made_again_from_their_recipe_and_one_set_is_there_at_a_time() -> None:
    reference = sliced(SOFTMAX)
    first, second = reference.draws
    before = first.inputs[0].clone()
    assert second.full is None
    second.inputs  # noqa: B018
    assert first.full is None
    assert torch.equal(first.inputs[0], before)


def test_what_cannot_be_cut_is_judged_whole_where_that_fits_and_else_refused() -> None:
    text = operator("x - x.mean()", "torch.randn(60, 50)")
    found = sliced(text)
    assert found.how is None
    assert len(found.draws) == 2
    with pytest.raises(OperatorError, match="cannot be cut into parts that are computed by themselves: it is too much"):
        sliced(text, no_whole=lambda: "it is too much")


def test_what_cannot_be_cut_and_does_not_fit_is_told_a_case_that_does(bench) -> None:
    text = operator("x.square().mean()", "torch.rand(batch_size, 1 << 16)", sizes="batch_size = 2048")
    found = memory_plan.plan_case(bench.request("", text), {}, Room(3 * GIB), 2, runs=True).slicing
    assert found is not None
    assert found.no_whole is not None
    assert re.fullmatch(r"judging it takes at least .* GiB .*; --case batch_size=\d+ would fit", found.no_whole())


@pytest.mark.parametrize("result", ["torch.dropout(x, 0.5, True)", "x - x.mean() + torch.rand(())"])
@pytest.mark.parametrize("no_whole", [None, lambda: "it is too much"])
def test_a_large_operator_that_draws_random_numbers_is_refused_for_that(result: str, no_whole) -> None:
    with pytest.raises(
        OperatorError, match=r"draws random numbers \([a-z_]+\) at operator\.py:10; draw them in get_inp"
    ):
        sliced(operator(result, "torch.randn(600, 500)"), no_whole)


def test_a_large_operator_that_changes_with_the_clock_is_refused() -> None:
    with pytest.raises(OperatorError, match="another result on the same inputs"):
        sliced(operator("x - x.mean() + __import__('time').perf_counter_ns() % 1009", "torch.randn(600, 500)"))


def test_what_was_drawn_and_answered_does_not_wait_for_the_garbage_collector() -> None:
    """It runs by the number of objects, and knows nothing of their gigabytes."""
    reference = Reference(operator("torch.relu(x)", "torch.rand(64, 64)"), "operator.py", {}, None, "cpu")
    reference.prepare()
    questions = Questions(reference)
    questions.look()
    gc.collect()
    gc.disable()
    try:
        drawn = [weakref.ref(one.tensor) for one in questions._drawn().placed]
        draw = reference.answer(reference.fresh("normal"), "normal")
        layout = memory.lay_out([{"x": draw.inputs}, (draw.expected[0].oracle,)], memory.at_page_end)
        draw.compare([torch.zeros(64, 64)], 1.0)
        drawn += [weakref.ref(one) for one in (*draw.inputs, draw.expected[0].oracle)]
        drawn += [weakref.ref(one.tensor) for one in layout.placed]
        del draw, layout
        assert not [one for one in drawn if one() is not None]
    finally:
        gc.enable()


# All of it, in real processes.

LIMITS = Limits(build_seconds=60, run_seconds=60, judgement_bytes=3 * GIB)


@pytest.mark.thorough
def test_a_large_case_is_judged_within_a_small_limit(bench) -> None:
    verdict = bench.judge(kernel("return torch.clamp(x, min=0.5) - 0.5"), LARGE, limits=LIMITS)
    assert verdict.status is Status.PASSED, verdict.message
    assert any("float64 decided" in one for one in verdict.warnings)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("y = torch.relu(x - 0.5); y[401, 7_777] += 1e-3; return y", Status.INCORRECT_NUMERICAL),
        ("y = torch.relu(x - 0.5); x[401, 7_777] += 1e-3; return y", Status.REFUSED),
        ("return torch.relu(x - 0.5)[:, :-1]", Status.INCORRECT_SHAPE),
    ],
)
def test_a_wrong_kernel_is_found_in_a_large_case(bench, body: str, status: Status) -> None:
    assert bench.judge(kernel(body), LARGE, limits=LIMITS).status is status


@pytest.mark.thorough
def test_an_answer_that_was_right_before_must_be_the_same_bytes_to_pass_again(bench) -> None:
    """Two rows in each other's place add up to what they did before."""
    text = """
        import torch

        class ModelNew(torch.nn.Module):
            calls = 0

            def forward(self, x):
                self.calls += 1
                y = torch.relu(x - 0.5)
                return torch.cat((y[1:2], y[:1], y[2:])) if self.calls > 2 else y
    """
    verdict = bench.judge(text, LARGE, limits=LIMITS)
    assert verdict.status is Status.INCORRECT_NUMERICAL
    assert "call" in verdict.message


@pytest.mark.thorough
def test_a_large_case_is_timed_with_what_there_is(bench) -> None:
    verdict = bench.judge(kernel("return torch.relu(x - 0.5)"), LARGE, limits=LIMITS, time=True)
    assert verdict.status is Status.PASSED, verdict.message
    # A machine that is busy has no figure; that memory was short would be another reason.
    assert verdict.timing or "too busy" in verdict.absent["timing"], verdict.absent


@pytest.mark.thorough
def test_processes_take_turns_with_memory_where_there_is_room_for_one_answer(bench) -> None:
    limits = Limits(build_seconds=60, run_seconds=60, judgement_bytes=int(2.4 * GIB))
    verdict = bench.judge(kernel("return torch.relu(x - 0.5)"), LARGE, limits=limits, time=True)
    assert verdict.status is Status.PASSED, verdict.message
    assert verdict.timing or "too busy" in verdict.absent["timing"], verdict.absent


def test_a_right_kernel_stays_right_where_memory_is_short_for_its_time(bench) -> None:
    hungry = operator("torch.relu(x)", "drawn()").replace(
        "class Model",
        """import traceback

def drawn():
    timing = any("timing" in frame.filename for frame in traceback.extract_stack())
    return torch.rand(64, 64) if not timing else torch.empty(1 << 45)

class Model""",
    )
    verdict = bench.judge(kernel("return torch.relu(x)"), hungry, limits=LIMITS, time=True)
    assert verdict.status is Status.PASSED, verdict.message
    assert "memory" in verdict.absent["timing"]


def test_what_does_not_fit_is_refused_before_anything_is_started(bench) -> None:
    verdict = bench.judge(kernel("return torch.relu(x)"), ENORMOUS, limits=LIMITS)
    assert verdict.status is Status.NOT_RUN
    assert "judging it takes at least" in verdict.message
    assert "--case batch_size=" in verdict.message
    assert verdict.seconds < 30


def test_an_operator_that_takes_more_than_it_shows_ends_in_words(bench) -> None:
    """What it allocates hangs on a value, so that no shape tells; the judge's own bound does."""
    hungry = operator("x + torch.zeros(int(x.mean() * 0 + (1 << 36)), dtype=torch.uint8).sum()", "torch.rand(600, 600)")
    try:
        verdict = bench.judge(kernel("return x"), hungry, limits=LIMITS)
    except MachineExhausted as error:
        pytest.fail(f"the machine is not at fault: {error}")
    assert verdict.status is Status.NOT_RUN
    assert "memory" in verdict.message


# Few slots.


def test_questions_of_the_draw_before_are_new_ones() -> None:
    reference = Reference(operator("torch.relu(x)", "torch.rand(60, 70)"), "operator.py", {}, None, "cpu")
    reference.prepare()
    questions, seen = Questions(reference), []
    questions.look()
    questions = questions.resized(3)
    for drawn in (False, True, True, False):
        questions.refresh(3, drawn)
        seen += [questions.inputs(slot)[0].clone() for slot in range(3)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(seen, 2))

    def one_draw(a: torch.Tensor, b: torch.Tensor) -> bool:
        """Sorted, what was rotated and scaled differs by one factor."""
        a, b = (x.flatten().sort().values for x in (a, b))
        return bool(torch.allclose(a / a[-1], b / b[-1], atol=1e-4))

    assert one_draw(seen[0], seen[4])
    assert one_draw(seen[0], seen[8])
    assert not one_draw(seen[0], seen[9])


def test_a_timing_takes_what_there_is_down_to_two_sets_and_two_processes() -> None:
    reference = Reference(operator("torch.relu(x)", "torch.rand(512, 1024)"), "operator.py", {}, None, "cpu")
    reference.prepare()
    questions = Questions(reference)
    plenty = sizes(questions, 2, Memory(8 * GIB, 0, 0), "cpu", False, Pace(1e-4))
    assert (plenty.few, plenty.processes) == (False, 6)
    assert sizes(questions, 2, Memory(8 * GIB, 0, 0), "cuda", False, Pace(1e-4)).processes == 4
    half = sizes(questions, 2, Memory(8 * GIB, 700 << 20, 0), "cpu", False, Pace(1e-4))
    assert (half.few, half.processes) == (False, 4)
    # Two sets for all; for each process one answer.
    some = sizes(questions, 2, Memory(48 << 20, 0, 0), "cpu", False, Pace(1e-4))
    assert (some.few, some.slots, some.processes) == (True, 2, 4)
    fewer = sizes(questions, 2, Memory(33 << 20, 0, 0), "cpu", False, Pace(1e-4))
    assert (fewer.turns, fewer.processes) == (False, 2)
    # One of them at a time holds its answer.
    by_turns = sizes(questions, 2, Memory(27 << 20, 0, 0), "cpu", False, Pace(1e-4))
    assert (by_turns.turns, by_turns.processes) == (True, 4)
    with pytest.raises(NotTimed, match="takes at least 26 MiB, and 25 MiB may be taken"):
        sizes(questions, 2, Memory(25 << 20, 0, 0), "cpu", False, Pace(1e-4))


def test_slow_calls_are_timed_as_few_times_as_a_figure_needs() -> None:
    reference = Reference(operator("torch.relu(x)", "torch.rand(16, 16)"), "operator.py", {}, None, "cpu")
    reference.prepare()
    questions = Questions(reference)
    found = [sizes(questions, 2, Memory(GIB, 0, 0), "cpu", False, Pace(seconds)) for seconds in (0.05, 0.4, 1.0, 4.0)]
    assert [(one.slow, one.processes) for one in found] == [(False, 6), (True, 4), (True, 4), (True, 2)]
    assert sizes(questions, 2, Memory(GIB, 0, 0), "cpu", False, Pace(1.0, construct=3.0)).processes == 2
    with pytest.raises(NotTimed, match="a call takes 20 s here"):
        sizes(questions, 2, Memory(GIB, 0, 0), "cpu", False, Pace(20.0))


@pytest.mark.parametrize(("later", "fits"), [(20 * GIB, True), (0, False)])
def test_a_judgement_waits_for_device_memory_that_others_have(monkeypatch, later: int, fits: bool) -> None:
    target = Target("gpu", "cuda", "sm_90a")
    text = operator("torch.relu(x)", "torch.rand(4096, 1024)")
    request = JudgeRequest("", "operator.py", text, "triton", target, (Evidence.EXECUTED,))
    free = itertools.chain([0, GIB // 4], itertools.repeat(later))
    monkeypatch.setattr(memory_plan, "room", lambda *_: Room(20 * GIB, next(free), 20 * GIB))
    monkeypatch.setattr(memory_plan, "OTHERS_SECONDS", 60.0 if fits else 1.0)
    if fits:
        _, (plan,) = memory_plan.planned(request, [{}], Evidence.EXECUTED, 2)
        assert plan.slicing is None
    else:
        with pytest.raises(CandidateFailed, match=r"of the device's memory, and \d+ MiB may be taken"):
            memory_plan.planned(request, [{}], Evidence.EXECUTED, 2)


def test_nothing_is_waited_for_that_an_empty_device_has_not(monkeypatch) -> None:
    request = JudgeRequest("", "operator.py", ENORMOUS, "triton", Target("gpu", "cuda", "sm_90a"), (Evidence.EXECUTED,))
    asked: list[int] = []
    monkeypatch.setattr(memory_plan, "room", lambda *_: asked.append(1) or Room(20 * GIB, GIB, 20 * GIB))
    with pytest.raises(CandidateFailed, match=r"of the device's memory, and 20\.0 GiB may be taken"):
        memory_plan.planned(request, [{}], Evidence.EXECUTED, 2)
    assert len(asked) == 1
