"""Kernels in the idioms of published code: the right ones pass, and the wrong ones are named, on every target."""

import pytest
from judging import target_of
from wild import FOLDER, PLACES, TABLE, members, table

from akgflow.config import load_workspace
from akgflow.config.types import Target
from akgflow.machine import Machine, detect
from akgflow.terms import Evidence, Status
from akgflow.toolchains import missing
from akgflow.verdict import Limits

NO_DEVICE = Machine("a cpu", 2)


@pytest.fixture(scope="session")
def targets():
    """``cpu`` and ``nvidia_h200`` as they are shipped, without a way to reach one elsewhere."""
    return load_workspace(FOLDER.parents[1]).targets


def asked(member, place, targets) -> tuple[Target, tuple[Evidence, ...]]:
    """The target of a place, and all evidence that can be had for it there."""
    target = target_of("gpu") if place == "device" else targets[place]
    here = detect() if place == "device" else NO_DEVICE
    toolchain = member.header["dsl"]
    kinds = (Evidence.EXECUTED, Evidence.INTERPRETED, Evidence.COMPILED)
    found = tuple(one for one in kinds if missing(toolchain, one, target, here) is None)
    return target, tuple(one for one in found if place != "device" or one is not Evidence.INTERPRETED)


# One right and one wrong kernel of each DSL, which every run of the tests tries on the CPU.
SAMPLE = {
    (one.header["dsl"], one.statuses("cpu") == {"PASSED"}): one for one in reversed(members()) if one.statuses("cpu")
}


EACH = 3
"""Of the kernels that get the same answer on the CPU as for a GPU without one, each third is tried on both: the second
judgement interprets the kernel as the first did, and compiles it besides."""


def marks(number, member, place):
    if place == "device":
        return [pytest.mark.gpu]
    if place == "cpu" and member in SAMPLE.values():
        return []
    again = place == "cpu" and member.statuses("nvidia_h200") == member.statuses(place) and number % EACH
    return [pytest.mark.exhaustive if again else pytest.mark.thorough]


def cases():
    for number, member in enumerate(members()):
        for place in PLACES:
            if member.statuses(place):
                found = marks(number, member, place)
                yield pytest.param(member, place, id=f"{member.name}-{place}", marks=found)


@pytest.mark.parametrize(("member", "place"), list(cases()))
def test_a_kernel_gets_its_status(bench, targets, member, place):
    target, evidence = asked(member, place, targets)
    header = member.header
    limits = Limits(build_seconds=180, run_seconds=float(header.get("seconds", 120)), memory_bytes=4 << 30)
    verdict = bench.judge(
        member.text,
        member.operator,
        toolchain=header["dsl"],
        target=target,
        evidence=evidence,
        dtype=header.get("dtype"),
        limits=limits,
    )
    assert verdict.status in member.statuses(place), (verdict.message, verdict.log, verdict.absent)
    if verdict.status is Status.NOT_RUN:
        assert header.get("absent", "") in str(verdict.absent)
    elif verdict.status is not Status.PASSED:
        assert header.get("message", "") in verdict.message
    else:
        assert verdict.evidence, verdict.absent


def test_headers_name_statuses_and_operators_that_exist():
    words = {status.value for status in Status}
    for member in members():
        assert member.operator.exists(), member.file
        for place in PLACES:
            assert member.statuses(place) <= words, (member.file, place)


def test_the_table_in_the_documentation_is_current():
    assert TABLE.read_text(encoding="utf-8") == table(), "run: python tests/support/wild.py"


def test_what_cannot_be_interpreted_is_rare():
    """An interpreter that gives up on honest kernels is no judge of them."""
    honest = [one for one in members() if one.right]
    given_up = [one.name for one in honest if "NOT_RUN" in one.statuses("cpu")]
    assert len(given_up) * 12 <= len(honest), given_up
