"""``prepare()``: called whenever weights are new, under the guard of a call, timed, and spread over calls.

The kernels that prepare weights, and the cheats that use it, are members of the corpus.
"""

import os
from dataclasses import replace

import pytest
import torch
from corpus import members
from judging import CPU

from akgflow.operators.preparation import CALLS, Preparation
from akgflow.operators.text import parts_of, whole
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, Limits, Timing
from akgflow.verification.judge.candidate_process import ForkServerClient
from akgflow.verification.judge.timing.preparing import Cost, cost_of, spread
from akgflow.verification.judge.timing.processes import CANDIDATE, Starts
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.variants import weights_differ, with_other_weights
from akgflow.verification.shared.op_policy import LEAST, PREPARING, PolicyPage, Work, reader

BY_NAME = {one.name: one for one in members()}
PREPARED = [one for one in members() if "prepare" in one.header]
FUNCTIONAL = """
import torch

class Model(torch.nn.Module):
    def forward(self, x, weight):
        return x @ weight

def get_inputs():
    return [torch.randn(3, 4), torch.randn(4, 5)]

def get_init_inputs():
    return []
"""


def test_the_corpus_has_kernels_and_cheats_of_each_kind():
    honest = {(one.header["operator"], one.header["toolchain"]) for one in PREPARED if one.honest}
    assert {(name, dsl) for name in ("linear", "int4_linear") for dsl in ("cpp", "triton")} <= honest
    assert sum(not one.honest for one in PREPARED) >= 12


def test_weights_are_changed_only_where_the_task_says_so(bench):
    member = BY_NAME["packed_without_being_asked"]
    source = parts_of(member.operator_text).source
    asked = {"toolchain": "cpp", "operator_file": str(member.operator)}
    verdict = bench.judge(member.text, source, **asked)
    assert verdict.passed and not verdict.prepared, verdict
    asked["limits"] = Limits(build_seconds=120)
    verdict = bench.judge(BY_NAME["panels_packed_once"].text, source, **asked)
    assert "has no attribute 'packed'" in verdict.message, "prepare() is not called"


def test_an_operator_without_weights_has_nothing_to_prepare(bench):
    kernel = FUNCTIONAL.replace("class Model(", "class ModelNew(")
    verdict = bench.judge(kernel, whole(FUNCTIONAL, {}, None, prepare=Preparation()))
    assert verdict.unfit and "has no parameters or buffers that could be prepared" in verdict.message


def reference_of(name):
    member = BY_NAME[name]
    made = Reference(member.operator_text, str(member.operator), {}, None, "cpu")
    made.prepare()
    return member, made


def test_other_weights_are_those_of_the_same_case():
    _, made = reference_of("nibbles_packed_once")
    other = with_other_weights(made)
    assert weights_differ(made, other) and not weights_differ(made, made)
    assert all(not torch.equal(one, other.state[name]) for name, one in made.state.items())
    assert made.state_layout.size == other.state_layout.size and not other.draws
    inputs = made.draws[0].inputs
    ours, theirs = (one.answer(inputs, "").expected[0].oracle for one in (made, other))
    assert not torch.allclose(ours, theirs)


def test_the_framework_may_scale_and_round_weights_and_nothing_afterwards():
    page = PolicyPage()
    page.expect(Work(1e6, {}), state_elements=1000, tunes=False)
    policy = reader(os.dup(page.fd))
    found = []
    for step in (lambda: page.begin("build", 0), lambda: page.begin("prepare", 0), page.rest):
        step()
        found.append(policy()[1])
    assert found[0]["free"] and found[0]["alone"]
    assert found[1] == {"free": False, "budget": LEAST + PREPARING * 1000}
    assert not found[2]["free"] and "budget" not in found[2] and "alone" not in found[2]


BASE = Timing({}, "eager", 100e-6, 300e-6, 3.0, (2.9, 3.1), "faster", 9, 0.0, "a CPU")
SLOWER = replace(BASE, speedup=0.5, interval=(0.4, 0.6), call="slower")


@pytest.mark.parametrize(
    ("timing", "cost", "calls", "speedup", "call", "pays"),
    [
        (BASE, Cost(0.0, 0.0, 0.0, 0), 10, 3.0, "faster", 1),
        (BASE, Cost(0.9e-3, 0.9e-3, 0.9e-3, 0), 10, 1.58, "faster", 5),
        (BASE, Cost(0.9e-3, 0.9e-3, 0.9e-3, 0), 1000, 2.97, "faster", 5),
        (BASE, Cost(9.99999, 9.0, 11.0, 0), 1000, 0.03, "slower", 50_000),
        (SLOWER, Cost(0.1, 0.1, 0.1, 0), 1000, 0.25, "slower", None),
    ],
)
def test_what_preparing_takes_is_spread_over_calls(timing, cost, calls, speedup, call, pays):
    found = spread(timing, cost, calls)
    assert found.speedup == pytest.approx(speedup, rel=0.01) and found.call == call
    assert found.interval[0] <= found.speedup <= found.interval[1]
    assert (found.seconds, found.baseline_seconds) == (timing.seconds, timing.baseline_seconds)
    assert found.prepared is not None
    assert (found.prepared.calls, found.prepared.alone, found.prepared.pays_after) == (calls, timing.speedup, pays)


def test_an_interval_holds_what_preparing_took_at_least_and_at_most():
    found = spread(BASE, Cost(1e-3, 0.5e-3, 2e-3, 7), 10)
    assert found.interval == (pytest.approx(2.9 / 3), pytest.approx(3.1 / 1.5))
    assert found.prepared.interval == (0.5e-3, 2e-3) and found.prepared.bytes == 7


SLOW = """
    def prepare(self):
        self.packed = self.weight.t().contiguous()
        self.blob = torch.ones(SIZE // 4)
        self.late = True
        SLEEP

    def forward(self, x):
        if self.late:
            self.late = False
            LATER
        out = torch.empty(x.shape[0], self.bias.shape[0])
"""


@pytest.mark.thorough
@pytest.mark.parametrize("where", ["SLEEP", "LATER"])
def test_preparing_is_measured_with_what_it_puts_off(tmp_path, where):
    member, made = reference_of("weights_in_half_once")
    head, _, rest = member.text.partition("\n    def prepare(self):")
    _, _, tail = rest.partition("out = torch.empty(x.shape[0], self.bias.shape[0])\n")
    body = SLOW.replace(where, "time.sleep(0.3)").replace("SIZE", str(48 << 20))
    text = "import time\n" + head + body.replace("SLEEP", "pass").replace("LATER", "pass") + tail
    server, evidence = ForkServerClient(), (Evidence.EXECUTED,)
    try:
        folder = tmp_path / "executed"
        request = JudgeRequest(text, str(member.operator), member.operator_text, "cpp", CPU, evidence)
        starts = Starts(server, request, folder, 2, made)
        found = cost_of(starts.candidate(text)[CANDIDATE], made)
    finally:
        server.end_all()
    assert 0.25 < found.low <= found.seconds <= found.high < 3.0
    assert 40 << 20 < found.bytes < 200 << 20


def test_what_a_task_says():
    assert Preparation.of(True) == Preparation(CALLS) and Preparation.of({"calls": 7}) == Preparation(7)
    assert Preparation.of(False) is Preparation.of(None) is None


@pytest.mark.thorough
def test_a_timing_says_over_how_many_calls(bench):
    member = BY_NAME["panels_packed_once"]
    operator = member.operator_text.replace("21, 70", "256, 512").replace("70, 50", "512, 512")
    how = {"toolchain": "cpp", "operator_file": str(member.operator), "time": True, "limits": Limits(build_seconds=120)}
    verdict = bench.judge(member.text, operator, **how)
    assert verdict.passed and verdict.prepared, verdict
    for timing in verdict.timing:
        assert timing.prepared is not None and timing.prepared.calls == 100
        assert 0 <= timing.prepared.seconds < 1 and timing.speedup <= timing.prepared.alone
    assert verdict.timing or "too busy" in verdict.absent["timing"]
