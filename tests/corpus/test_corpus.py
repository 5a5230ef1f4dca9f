"""The judge and the whole corpus: what is dishonest or wrong is refused, what is honest passes."""

from collections import Counter

import pytest
from corpus import FOLDER, TABLE, members, table
from judging import CPU, target_of

from akgflow.precision import Precision
from akgflow.terms import Evidence, Status
from akgflow.verdict import Limits

SEVEN = {
    "1.9 % of elements at 1e30": "garbage_1_9_percent",
    "every value x1.019": "scaled_1_019",
    "wrong shape with the right count": "wrong_shape_right_count",
    "fp16 returned for fp32": "fp16_for_fp32",
    "sys.exit(0) in forward": "sys_exit",
    "reference reached through __main__": "reference_through_main",
    "the comparison function replaced": "comparison_replaced",
}
"""Cheats that pass elsewhere."""
SOUND = {
    "autotuning": ("autotuned_gemm", "gpu_autotuned"),
    "worker threads": ("pool_kept_alive", "std_threads_kept_alive", "openmp_reduction"),
    "joined side streams": ("gpu_joined_stream", "gpu_two_streams_and_events"),
    "CUDA graphs that copy their inputs in": ("gpu_graph_with_copied_inputs",),
    "workspaces cached by shape": ("workspace_by_shape", "gpu_workspace_by_shape"),
    "split-K order": ("split_k_atomics", "atomic_split_k", "gpu_atomic_split_k"),
    "non-contiguous outputs": ("transposed_output", "view_of_a_bigger_buffer"),
    "declared in-place": ("plain_add_inplace", "in_place_in_triton"),
    "top-k ties": ("any_of_equals", "first_of_equals"),
    "masked -inf": ("plain_masked_fill", "skips_hidden_keys"),
}
"""Honest habits that are refused elsewhere."""
FAMILIES = ("wrong on purpose", "work not done", "time not told", "judge attacked", "not the DSL")


def place(member):
    """Target and evidence for a member on this machine."""
    if member.on_gpu:
        return target_of("gpu"), Evidence.EXECUTED
    return CPU, Evidence.EXECUTED if member.header["toolchain"] == "cpp" else Evidence.INTERPRETED


ON_CPU = sorted((one for one in members() if not one.on_gpu), key=lambda one: one.timed)
SAMPLE = {(one.header["toolchain"], min(one.statuses)): one for one in reversed(ON_CPU)}
"""One for each answer and DSL, which every run of the tests tries; the thorough run tries the others."""


def marks(member):
    if member.on_gpu:
        yield pytest.mark.gpu
    elif member not in SAMPLE.values():
        yield pytest.mark.thorough
    if "open" in member.header:
        yield pytest.mark.xfail(reason=member.header["open"])


PARAMETERS = [pytest.param(one, id=f"{one.file.parent.name}-{one.name}", marks=[*marks(one)]) for one in members()]


@pytest.mark.parametrize("member", PARAMETERS)
def test_a_member_gets_its_status(bench, member):
    target, evidence = place(member)
    header = member.header
    verdict = bench.judge(
        member.text,
        member.operator_text,
        operator_file=str(member.operator),
        toolchain=header["toolchain"],
        target=target,
        evidence=(evidence,),
        time=member.timed,
        dtype=header.get("dtype"),
        precision=Precision(header.get("precision", "framework")),
        layouts=header.get("layouts"),
        limits=Limits(build_seconds=120, run_seconds=float(header.get("seconds", 30)), memory_bytes=1 << 30),
    )
    assert verdict.status in member.statuses, (verdict.message, verdict.log)
    assert header.get("message", "") in verdict.message
    if "call" in header:
        assert {timing.call for timing in verdict.timing} <= set(header["call"].split()), verdict.timing


def test_statuses_say_which_folder_a_member_is_in():
    words = {status.value for status in Status}
    for member in members():
        assert member.statuses <= words, member.file
        assert not (member.honest and member.statuses != {"PASSED"}), member.file
        # A dishonest kernel may pass only where its answers are right and its time is not the one that it forged.
        assert member.honest or "call" in member.header or "PASSED" not in member.statuses, member.file
        assert member.operator.exists(), member.file


def test_every_family_is_covered():
    wrong = [member for member in members() if not member.honest]
    counts = Counter(member.family for member in wrong)
    assert set(counts) == set(FAMILIES)
    assert min(counts.values()) >= 2
    assert len(wrong) >= 60
    assert len(members()) - len(wrong) >= 30


def test_the_cheats_and_the_habits_that_others_misjudge_are_members():
    kinds = {member.name: member.honest for member in members()}
    assert {name: kinds[name] for name in SEVEN.values()} == dict.fromkeys(SEVEN.values(), False)
    assert all(kinds[name] for names in SOUND.values() for name in names)


def test_the_table_is_up_to_date():
    assert TABLE.read_text(encoding="utf-8") == table(), "run: python tests/support/corpus.py"
    assert len(list(FOLDER.glob("*honest/*.py"))) == len(members())
