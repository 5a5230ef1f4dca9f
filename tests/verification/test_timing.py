"""Timing: what it refuses, what it says, and the statistics under it. How fast anything is, is never asserted."""

import math
import os
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from sampling import sampled

torch = pytest.importorskip("torch")

from akgflow.verification.judge.timing import estimate  # noqa: E402
from akgflow.verification.judge.timing.cores import Threads  # noqa: E402
from akgflow.verification.judge.timing.session import ALONE_ROUNDS, COLD_PAIRINGS, asked_in  # noqa: E402

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(n))

        def forward(self, a, b):
            return a @ b + self.bias

    def get_inputs(n=96):
        return [torch.rand(n, n), torch.rand(n, n)]

    def get_init_inputs(n=96):
        return [n]
    """
SAME = OPERATOR.replace("Model(", "ModelNew(")
CASES = ({"n": 16}, {"n": 96})


@pytest.mark.thorough
def test_the_same_model_against_itself(bench):
    verdict = bench.judge(SAME, OPERATOR, cases=CASES, time=True)
    assert verdict.passed, verdict.message
    if not verdict.timing:
        assert re.search("too busy|too short", verdict.absent["timing"])
        return
    told = [one.case for one in (*verdict.timing, *verdict.untimed)]
    assert sorted(told, key=str) == sorted(CASES, key=str), verdict.untimed
    for timing in verdict.timing:
        assert timing.baseline == "eager"
        assert timing.device == bench.machine.cpu
        assert 0 < timing.seconds < 1
        assert timing.interval[0] <= timing.speedup <= timing.interval[1]
        assert math.isfinite(timing.interval[1])
        assert timing.call in ("faster", "same", "slower")
    (overall,) = verdict.overall
    assert (overall.cases, overall.untimed) == (len(verdict.timing), len(verdict.untimed))


@pytest.mark.thorough
def test_a_case_without_time_for_it_says_so(bench):
    limits = replace(bench.request(SAME, OPERATOR).limits, judge_seconds=1e-3)
    verdict = bench.judge(SAME, OPERATOR, cases=CASES, time=True, limits=limits)
    assert verdict.passed, verdict.message
    if not verdict.timing:
        assert re.search("too busy|too short", verdict.absent["timing"])
        return
    assert [timing.case for timing in verdict.timing] == [CASES[1]], "the largest comes first"
    (untimed,) = verdict.untimed
    assert untimed.case == CASES[0]
    assert "were used up" in untimed.reason
    assert verdict.overall[0].speedup <= 1.0 or verdict.overall[0].speedup < verdict.timing[0].speedup


CHEATS = {
    "wrong once it is timed": (
        "return y if self.count < 30 else y * 1.01",
        "INCORRECT_NUMERICAL",
        "while it was timed",
    ),
    "cached by pointer once it is timed": (
        "return y if self.count < 30 else self.kept.setdefault(a.data_ptr(), y).clone()",
        "INCORRECT_NUMERICAL",
        "while it was timed",
    ),
    "changes its inputs once it is timed": (
        "if self.count > 30: a.zero_()\n            return y",
        "REFUSED",
        "changed its inputs",
    ),
    "exits once it is timed": (
        "import os\n            return y if self.count < 30 else os._exit(0)",
        "RUNTIME_ERROR",
        "exit",
    ),
}


@pytest.mark.parametrize("name", sampled(CHEATS, "wrong once it is timed"))
def test_timed_answers_are_judged_like_the_others(bench, name):
    body, status, words = CHEATS[name]
    lines = f"y = a @ b + self.bias\n            self.count = count(self)\n            {body}"
    text = SAME.replace("return a @ b + self.bias", lines) + (
        "\n    calls = [0]\n\n    def count(model):\n        calls[0] += 1\n"
        "        model.kept = model.__dict__.get('kept', {})\n        return calls[0]\n"
    )
    verdict = bench.judge(text, OPERATOR, cases=CASES, time=True)
    assert verdict.status == status, verdict.message
    assert words in verdict.message


def test_answers_that_the_next_call_overwrites_are_not_timed(bench):
    body = "self.kept = self.__dict__.get('kept', torch.empty(a.shape[0], b.shape[1]))\n            "
    body += "self.kept.copy_(a @ b + self.bias)\n            return self.kept"
    verdict = bench.judge(SAME.replace("return a @ b + self.bias", body), OPERATOR, cases=CASES, time=True)
    assert verdict.passed, verdict.message
    assert "overwritten" in verdict.absent["timing"]


def test_no_timing_where_none_is_asked_for(bench):
    assert bench.judge(SAME, OPERATOR).timing == ()


SPIN = """
import threading, time

def spin():
    while True:
        pass

for _ in range(2):
    threading.Thread(target=spin, daemon=True).start()
print("spinning", flush=True)
time.sleep(60)
"""


@pytest.fixture
def spinning():
    """A process with two threads that work beside its main one."""
    with subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_threads_that_are_timed_have_cores_of_their_own(spinning):
    own, threads = os.sched_getaffinity(spinning), Threads(spinning)
    threads.spread()
    cores = {thread: os.sched_getaffinity(thread) for thread in _threads(spinning)}
    assert all(len(one) == 1 for one in cores.values())
    assert len(set.union(*cores.values())) == min(3, len(own))
    threads.free_main()
    assert os.sched_getaffinity(spinning) == own
    assert {thread: os.sched_getaffinity(thread) for thread in cores} == cores | {spinning: own}
    threads.free()
    assert all(os.sched_getaffinity(thread) == own for thread in cores)


def test_a_thread_that_chose_its_core_keeps_it(spinning):
    (*_, chosen), core = _threads(spinning), {max(os.sched_getaffinity(0))}
    if core == os.sched_getaffinity(0):
        pytest.skip("this machine has one core")
    os.sched_setaffinity(chosen, core)
    threads = Threads(spinning)
    threads.spread()
    threads.free()
    assert os.sched_getaffinity(chosen) == core


def _threads(pid):
    return sorted(int(thread) for thread in os.listdir(f"/proc/{pid}/task"))


def processes(draw, seconds, between=0.005, number=4):
    """Times of processes of the same code, which differ by ``between``."""
    return [seconds * math.exp(draw.gauss(0, between)) for _ in range(number)]


@pytest.mark.parametrize("between", [0.0, 0.005, 0.02])
def test_the_same_code_is_called_the_same(between):
    draw = random.Random(2)
    called = [estimate.ratio(processes(draw, 2, between), processes(draw, 2, between)).call for _ in range(400)]
    assert called.count("same") >= 394


def test_a_difference_of_five_per_cent_is_told_apart():
    draw = random.Random(3)
    called = [estimate.ratio(processes(draw, 2.1), processes(draw, 2.0)).call for _ in range(100)]
    assert called.count("slower") >= 95
    assert "faster" not in called


def test_the_interval_covers_the_truth():
    draw = random.Random(4)
    found = [estimate.ratio(processes(draw, 1.0, 0.02), processes(draw, 2.0, 0.02)) for _ in range(400)]
    assert sum(one.low <= 2 <= one.high for one in found) >= 390


@pytest.mark.parametrize("between", [0.02, 0.1])
def test_a_machine_that_was_slower_for_a_while_moves_no_value(between):
    """Beside the candidate and without it, the baseline's times differ by what the machine does besides, too."""
    draw, found = random.Random(7), []
    while len(found) < 400:
        spell = math.exp(draw.gauss(0, 0.03))
        theirs, without = processes(draw, 2 * spell, between, 6), processes(draw, 2, between, 6)
        if estimate.ratio(without, theirs).value > 1.05:
            # In pairings, both fall into the same spells.
            found.append(estimate.Ratio(1.0, 0.99, 1.01).over(estimate.slowed(without, theirs, 1.05)))
    assert all(one.low < 1 / 1.05 for one in found)
    assert [one.value for one in found].count(1.0) >= 380
    assert [one.call for one in found].count("same") >= 380


def test_a_baseline_that_the_candidate_slowed_counts_as_it_is_without_it():
    draw = random.Random(8)
    slowed = [estimate.slowed(processes(draw, 1, 0.02), processes(draw, 2, 0.02), 1.05) for _ in range(100)]
    assert min(one.value for one in slowed) > 1.85
    assert [estimate.Ratio(1.0, 0.99, 1.01).over(one).call for one in slowed].count("slower") >= 99


def test_a_gain_that_may_come_from_a_slowed_baseline_is_none():
    """Even where it is not certain that it was slowed."""
    draw = random.Random(9)
    pairs = [(processes(draw, 1, 0.03, 6), processes(draw, 1.12, 0.03, 6)) for _ in range(100)]
    found = [estimate.Ratio(1.12, 1.11, 1.13).over(estimate.slowed(*pair, 1.05)) for pair in pairs]
    assert [one.call for one in found].count("faster") <= 2


def pairings(draw, seconds, between=0.005, rounds=5):
    """Seconds of four processes and of the other arm by pairing; the cores are half as fast in spells."""
    found = []
    for ours, theirs in zip(processes(draw, seconds, between), processes(draw, 1.0, between), strict=True):
        spells = [draw.choice((1.0, 2.0)) for _ in range(rounds)]
        found.append([(spell * ours, spell * theirs * (1 + abs(draw.gauss(0, 0.003)))) for spell in spells])
    return found


def test_pairings_that_fall_into_spells_are_compared_with_each_other():
    draw = random.Random(5)
    assert [estimate.paired(pairings(draw, 1.0)).call for _ in range(400)].count("same") >= 394
    assert [estimate.paired(pairings(draw, 1.08)).call for _ in range(100)].count("slower") >= 95
    found = [estimate.paired(pairings(draw, 0.5, 0.02)) for _ in range(400)]
    assert sum(one.low <= 2 <= one.high for one in found) >= 390


@pytest.mark.parametrize("told", [[], [[(1.0, 2.0)]], [[(1.0, 2.0)], []], [[(1.0, 2.0)], [(1.0, -2.0)]]])
def test_pairings_that_tell_nothing_give_no_interval(told):
    assert estimate.paired(told) == (1.0, 0.0, math.inf)


@pytest.mark.parametrize(("ours", "theirs"), [([1.0], [2.0]), ([1.0, -1.0], [2.0, 2.0])])
def test_figures_that_tell_nothing_give_no_interval(ours, theirs):
    assert estimate.ratio(ours, theirs) == (1.0, 0.0, math.inf)


def test_a_wide_interval_tells_which_is_faster_or_nothing():
    assert estimate.Ratio(1.0, 0.8, 1.5).tells and not estimate.Ratio(1.0, 0.6, 1.5).tells
    assert estimate.Ratio(0.23, 0.13, 0.41).tells and estimate.Ratio(4.0, 2.0, 7.9).tells
    assert not estimate.Ratio(4.0, 1.5, 9.0).tells
    assert not estimate.ratio([1.0], [2.0]).tells


def test_a_process_is_as_quick_as_its_quickest_windows():
    assert estimate.low([3.0, 1.0, 2.0]) == 1.0
    assert estimate.low([0.1, *[5.0] * 10, 1.0]) == 1.0


@pytest.mark.thorough
def test_torch_compile_is_a_baseline_beside_eager(bench):
    verdict = bench.judge(SAME, OPERATOR, cases=CASES, time=True, baselines=("eager", "torch.compile"))
    assert verdict.passed, verdict.message
    if "timing" in verdict.absent:
        pytest.skip(f"no timing: {verdict.absent['timing']}")
    named = {timing.baseline for timing in verdict.timing}
    why = [warning for warning in verdict.warnings if warning.startswith("not timed against torch.compile")]
    assert named == ({"eager"} if why else {"eager", "torch.compile"}), verdict.warnings
    assert len({(str(timing.case), timing.seconds) for timing in verdict.timing}) == len(verdict.timing) / len(named)


@pytest.mark.thorough
def test_a_baseline_that_fails_is_named_with_its_reason(bench):
    broken = OPERATOR + "\n    def compile(*_, **__):\n        raise RuntimeError('no compiler')\n"
    broken += "\n    torch.compile = compile\n"
    verdict = bench.judge(SAME, broken, cases=CASES, time=True, baselines=("eager", "torch.compile"))
    assert verdict.passed, verdict.message
    if "timing" in verdict.absent:
        pytest.skip(f"no timing: {verdict.absent['timing']}")
    assert {timing.baseline for timing in verdict.timing} == {"eager"}
    assert "not timed against torch.compile: RuntimeError: no compiler" in verdict.warnings


@pytest.mark.parametrize("uncounted", [0, 1])
def test_new_processes_are_asked_alone_only_once_they_count(uncounted):
    """What takes a process longer asked alone than in a row looks as if it batched: a new one must not."""
    asked = {(round_, place): asked_in(round_, place, uncounted) for round_ in range(5) for place in range(6)}
    assert all(one.counts is (round_ >= uncounted) for (round_, _), one in asked.items())
    assert {round_ for (round_, _), one in asked.items() if one.alone} == {uncounted + at for at in range(ALONE_ROUNDS)}
    assert sum(one.cold for one in asked.values()) == COLD_PAIRINGS
    assert all(one.alone and one.counts for one in asked.values() if one.cold)
    assert [one.drawn for one in asked.values()] == [place > 0 for _, place in asked]


MANY_REGIONS = """
import torch
from tvm_ffi.cpp import load_inline

SOURCE = r'''
void scaled(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  const int64_t n = x.numel();
  for (int round = 0; round < 6; ++round)
    _Pragma("omp parallel for num_threads(2)")
    for (int64_t i = 0; i < n; ++i) to[i] = round == 0 ? 2.f * from[i] : to[i] + from[i];
}
'''
library = load_inline(name="scaled", cpp_sources=SOURCE, functions=["scaled"], extra_cflags=["-O3", "-fopenmp"])

class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.scaled(x, out)
        return out
"""


@pytest.mark.thorough
def test_waking_stopped_threads_is_not_taken_for_batching(bench):
    """Eager answers in one thread; the kernel starts six parallel loops, for which a stopped process wakes another."""
    operator = "import torch\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        return 7 * x\n"
    operator += "\ndef get_inputs():\n    return [torch.randn(64, 64)]\n\ndef get_init_inputs():\n    return []\n"
    verdict = bench.judge(MANY_REGIONS, operator, toolchain="cpp", time=True)
    assert verdict.passed, verdict.message
    assert not [one for one in verdict.warnings if "asked alone" in one]
