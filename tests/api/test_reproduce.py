"""Wrong values shown again: by the command, at the smallest shape, in a Python that has no akgflow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from corpus import members
from judging import CPU, Bench
from openai_server import OpenAIServer
from reproducing import changes_for, run_without_akgflow, searched, shown_again
from running import run
from small_task import RIGHT, WRONG, by_agent, fenced, make_workspace

import akgflow
from akgflow.agents import describe
from akgflow.base.serial import to_json
from akgflow.errors import ConfigError
from akgflow.export import Judged, shipping_of
from akgflow.operators.shapes.dimensions import pinned, sizes_of
from akgflow.operators.shapes.guarantee import Guarantee
from akgflow.terms import Status
from akgflow.verdict import Environment, Verdict
from akgflow.verification.judge.judge import without_seeds

BY_NAME = {one.name: one for one in members()}
PADDED = BY_NAME["padding_of_zeros"]
"""Pads rows with zeros, which are larger than what is negative: three elements are the fewest that are padded."""


def wrong_cases(verdict: Verdict) -> list[str]:
    """The seeds of the results that are not right."""
    assert verdict.correctness is not None
    return [one.seed for one in verdict.correctness.cases if one.status is not Status.PASSED]


@pytest.mark.thorough
def test_a_verdict_becomes_a_file_that_shows_the_fault_and_nothing_once_it_is_gone(
    bench: Bench, tmp_path: Path
) -> None:
    verdict, file, shows = bench.judge(PADDED.text, PADDED.operator, **changes_for(PADDED)), tmp_path / "v.json", "s.py"
    file.write_text(to_json(verdict), encoding="utf-8")
    about = {"candidate": PADDED.file, "operator": PADDED.operator, "dsl": "triton", "workspace": tmp_path}
    made = akgflow.reproduce(file, out=tmp_path / shows, **about)
    assert "float32 [1, 3]" in made.shown
    assert made.smallest

    text = (tmp_path / shows).read_text(encoding="utf-8")
    done = run_without_akgflow(tmp_path / shows)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "output 0 at [0]: expected " in done.stdout
    assert "got 3" in done.stdout
    assert "akgflow" not in text.partition('"""\n')[2]

    (tmp_path / "repaired.py").write_text(text.replace("other=0.0", "other=-float('inf')"))
    done = run_without_akgflow(tmp_path / "repaired.py")
    assert (done.returncode, "not reproduced" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.gpu
def test_a_device_shows_what_a_device_found(bench: Bench, tmp_path: Path) -> None:
    again = shown_again(bench, BY_NAME["gpu_cached_by_pointer"], tmp_path)
    assert again.done.returncode == 1, again.done.stdout + again.done.stderr


def test_seeds_are_in_the_verdict_alone(bench: Bench) -> None:
    verdict = bench.judge(PADDED.text, PADDED.operator, **changes_for(PADDED))
    assert verdict.correctness is not None
    seeds = set(wrong_cases(verdict))
    assert "" not in seeds
    assert not [one for one in verdict.correctness.cases if one.status is Status.PASSED and one.seed]
    # What is drawn for the next judgement comes from others, and a model is told none.
    again = bench.judge(PADDED.text, PADDED.operator, **changes_for(PADDED))
    assert not seeds & set(wrong_cases(again))
    assert not [seed for seed in seeds if seed in describe(verdict) + verdict.message + verdict.log]
    # A reference that serves the next candidates, too, keeps its seed to itself.
    assert set(wrong_cases(without_seeds(verdict, seeds))) == {""}
    assert without_seeds(verdict, {"of another case"}) == verdict


OTHER = Verdict(Status.RUNTIME_ERROR, "it crashed", "cpu", (), Environment("a cpu"), "2026-01-01T00:00:00Z")


def test_what_cannot_be_shown_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    file = tmp_path / "verdict.json"
    about = {"candidate": PADDED.file, "operator": PADDED.operator, "dsl": "triton", "workspace": tmp_path}
    file.write_text(to_json(OTHER))
    with pytest.raises(ConfigError, match="only wrong values are shown again, and the verdict is RUNTIME_ERROR"):
        akgflow.reproduce(file, **about)
    with pytest.raises(ConfigError, match="with a verdict's file, give --candidate"):
        akgflow.reproduce(file, dsl="cpp")
    file.write_text(json.dumps({"status": "INCORRECT_NUMERICAL"}))
    with pytest.raises(ConfigError, match="is no verdict"):
        akgflow.reproduce(file, **about)
    with pytest.raises(ConfigError, match="run"):
        akgflow.reproduce(tmp_path / "nothing", workspace=tmp_path)

    wrong = replace(OTHER, status=Status.INCORRECT_NUMERICAL, evidence=("interpreted",))
    with pytest.raises(ConfigError, match="cannot be shown without akgflow: the toolchain cuda_c"):
        shipping_of(Judged("kernel", "import torch", "", "cuda_c", "cuda_c", CPU, wrong))
    with pytest.raises(ConfigError, match="cannot be shown without akgflow: the candidate imports it"):
        shipping_of(Judged("kernel", "import akgflow.toolchains", "", "triton", "triton", CPU, wrong))


@pytest.mark.thorough
def test_a_finished_run_shows_its_last_wrong_kernel(tmp_path: Path, openai_server: OpenAIServer, monkeypatch) -> None:
    monkeypatch.setenv("TEST_KEY", "a key")
    drafts = iter([WRONG, RIGHT])
    openai_server.default = by_agent("the sketch", lambda _: fenced(next(drafts)))
    result = run(make_workspace(tmp_path, openai_server.url))
    made = akgflow.reproduce(result.folder, job="cpp-cpu", out=tmp_path / "shows.py", workspace=tmp_path)
    assert "float32 [1, 1]" in made.shown
    done = run_without_akgflow(tmp_path / "shows.py")
    assert done.returncode == 1, done.stdout + done.stderr
    text = (tmp_path / "shows.py").read_text(encoding="utf-8")
    (tmp_path / "broken.py").write_text(text.replace("_kernel.scale_relu(", "_kernel.absent("))
    done = run_without_akgflow(tmp_path / "broken.py")
    assert (done.returncode, "could not be run here" in done.stdout) == (2, True), done.stdout + done.stderr
    best = result.jobs[0].best
    with pytest.raises(ConfigError, match="the verdict is PASSED"):
        akgflow.reproduce(result.folder, candidate=best, workspace=tmp_path)
    with pytest.raises(ConfigError, match="has no candidate fix-9-9"):
        akgflow.reproduce(result.folder, candidate="fix-9-9", workspace=tmp_path)


ONE = [1, 1]
SMALLEST: dict[str, tuple[list[list[int]], int, str]] = {
    "bf16_inside": ([ONE, ONE], 1, "one product of rounded operands is wrong"),
    "cached_by_pointer": ([ONE, ONE], 2, "the second answer is the first"),
    "cached_by_shape": ([ONE], 2, "the second answer is the first"),
    "carry_in_float16": ([[1, 129]], 1, "blocks of 128 hand on their sum rounded"),
    "constant_rowsum": ([ONE], 1, "one number is not a half"),
    "constant_softmax": ([[1, 2]], 1, "of a single number, the softmax is one"),
    "counts_in_bytes": ([[256]], 1, "a byte counts to 255"),
    "default_parameters": ([ONE], 1, "the bias is not zero"),
    "dropped_step": ([ONE, ONE], 1, "the only step of the sum is left out"),
    "every_seventh_skipped": ([ONE, ONE], 21, "the first seventh call after twenty"),
    "file_as_memory": ([ONE, ONE], 2, "the second answer is the first"),
    "first_4096_columns": ([[1, 4097]], 1, "4096 columns are looked at"),
    "first_call_only": ([ONE, ONE], 2, "the first call is right"),
    "first_five_calls": ([ONE], 6, "five calls are right"),
    "grid_rounded_down": ([[1, 257]], 1, "one program does 256 elements"),
    "carry_lost": ([[1, 257]], 1, "blocks of 256"),
    "padding_of_zeros": ([[1, 3]], 1, "three are the fewest that are padded"),
    "identity_gelu": ([ONE], 1, "the input is no answer"),
    "identity_layernorm": ([ONE], 1, "the input is no answer"),
    "rows_of_one_block": ([[1, 129]], 1, "a block of 128"),
    "scaled_1_019": ([ONE, ONE], 1, "each element is wrong"),
    "scan_without_carry": ([[1, 257]], 1, "blocks of 256"),
    "scan_without_carry_in_triton": ([[1, 257]], 1, "blocks of 256"),
    "statistics_of_the_population": ([[2, 1]], 1, "a batch of one has no variance"),
    "tail_rows": ([ONE, ONE], 1, "there are no full eight rows"),
    "uniform_statistics": ([ONE], 1, "mean and variance of one number are not a half and a twelfth"),
    "variance_by_n": ([[1, 2]], 1, "of a single number, there is no variance"),
    "whole_tiles_of_depth": ([ONE, ONE], 1, "a depth of one is no whole tile"),
    "zeros_softmax": ([ONE], 1, "zero is no answer"),
}
"""Of members: the shapes of the inputs, the number of calls, and why nothing smaller can fail."""


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMALLEST)
def test_members_of_the_corpus_are_shown_at_the_smallest_shape(bench: Bench, name: str, tmp_path: Path) -> None:
    shapes, calls, why = SMALLEST[name]
    again = shown_again(bench, BY_NAME[name], tmp_path)
    assert again.done.returncode == 1, again.done.stdout + again.done.stderr
    assert (again.shapes, again.calls) == (shapes, calls), why


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["carry_lost", "constant_softmax", "counts_in_bytes", "padding_of_zeros"])
def test_the_judge_takes_no_smaller_shape_for_wrong(bench: Bench, name: str) -> None:
    member = BY_NAME[name]
    _, found = searched(bench, member)
    failing = found.failing
    assert failing is not None
    sizes = sizes_of(failing.operator)
    (name,) = [name for name, size in sizes.items() if size is not None and str(size) in failing.shapes[0]]
    own = sizes[name]
    assert own is not None
    for size in {*range(1, min(own, 9)), own // 2, own - 1}:
        smaller = pinned(failing.operator, {name: size})
        changes = changes_for(member) | {"cases": (failing.keys,) if failing.keys else ()}
        verdict = bench.judge(member.text, smaller, **changes, shapes=Guarantee(fixed=True))
        assert verdict.status is Status.PASSED, (size, verdict.message)
