"""The judge and the whole corpus: what is dishonest or wrong is refused, what is honest passes."""

from collections import Counter

import pytest
from corpus import FOLDER, TABLE, members, table
from judging import CPU, Bench

from akgflow import machine
from akgflow.config.types import Target
from akgflow.terms import Evidence, Status
from akgflow.verdict import Limits

FAMILIES = ("wrong on purpose", "work not done", "time not told", "judge attacked", "not the DSL")


@pytest.fixture(scope="session")
def judges(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-not-for-candidates")
        bench = Bench(folder / "scratch")
        yield bench
        bench.close()


def place(member):
    """Target and evidence for a member on this machine."""
    if member.on_gpu:
        (device, *_) = machine.detect().devices
        return Target("local_gpu", device.platform, device.arch, device=device.name), Evidence.EXECUTED
    return CPU, Evidence.EXECUTED if member.header["toolchain"] == "cpp" else Evidence.INTERPRETED


def judged(bench, member):
    target, evidence = place(member)
    header = member.header
    seconds = float(header.get("seconds", 30))
    return bench.judge(
        member.text,
        member.operator,
        toolchain=header["toolchain"],
        target=target,
        evidence=(evidence,),
        time=header.get("time") == "yes",
        dtype=header.get("dtype"),
        limits=Limits(build_seconds=max(30, 4 * seconds), run_seconds=seconds, memory_bytes=1 << 30),
    )


def marks(member):
    on_gpu = [pytest.mark.gpu] if member.on_gpu else []
    return on_gpu + ([pytest.mark.xfail(reason=member.header["open"])] if "open" in member.header else [])


PARAMETERS = [pytest.param(one, id=f"{one.file.parent.name}-{one.name}", marks=marks(one)) for one in members()]


@pytest.mark.parametrize("member", PARAMETERS)
def test_a_member_gets_its_status(judges, member):
    verdict = judged(judges, member)
    assert verdict.status in member.statuses, (verdict.message, verdict.log)
    assert member.header.get("message", "") in verdict.message
    if "call" in member.header:
        assert {timing.call for timing in verdict.timing} <= set(member.header["call"].split()), verdict.timing


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


def test_the_table_is_up_to_date():
    assert TABLE.read_text(encoding="utf-8") == table(), "run: python tests/support/corpus.py"
    assert len(list(FOLDER.glob("*honest/*.py"))) == len(members())
