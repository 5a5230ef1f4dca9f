"""Counters: what is read from the profiler's table, why there may be none, and what bounds the process."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from small_task import OPERATOR, RIGHT

from akgflow.config.types import Target
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, KernelProfile
from akgflow.verification.judge.resources import bounded, profiler
from akgflow.verification.judge.resources.profiler import NotProfiled, read_table
from akgflow.verification.reference.reference import Reference

HEAD = (
    '"ID","Process ID","Process Name","Kernel Name","gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",'
    '"gpu__time_duration.sum","lts__t_sector_hit_rate.pct","sm__throughput.avg.pct_of_peak_sustained_elapsed",'
    '"sm__warps_active.avg.pct_of_peak_sustained_active",'
    '"smsp__average_warps_issue_stalled_long_scoreboard_per_issue_active.ratio",'
    '"smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio",'
    '"smsp__average_warps_issue_stalled_selected_per_issue_active.ratio"\n'
    '"","","","","%","ns","%","%","%","inst","inst","inst"\n'
)
MARK = '"0","7","python","vectorized_elementwise_kernel","0.1","1,500","50","0.1","3","1","1","1"\n'
ROWS = (
    '"1","7","python","softmax_kernel","71.5","12,345","33.1","20.25","48","6","3","1"\n'
    '"2","7","python","tail_kernel","1","2,000","n/a","2","5","0","0","0"\n'
    '"3","7","python","softmax_kernel","70","11,000","33","20","48","6","3","1"\n'
)
NOISE = '==PROF== Connected to process 7\n==PROF== Profiling "softmax_kernel": 0%....100% - 9 passes\n'


def test_the_table_is_read_by_its_names() -> None:
    first, tail, _ = read_table(NOISE + HEAD + MARK + ROWS, "")
    assert first.kernel == "softmax_kernel" and first.seconds == pytest.approx(12.345e-6)
    assert (first.memory_percent, first.compute_percent, first.occupancy_percent) == (71.5, 20.25, 48)
    assert (first.stall, first.stall_percent) == ("long scoreboard", 60.0)
    assert tail.l2_hit_percent is None and tail.stall_percent is None


@pytest.mark.parametrize(
    ("table", "said", "why"),
    [
        ("==ERROR== ERR_NVGPUCTRPERM - The user does not have permission", "", "to administrators only"),
        (
            HEAD + MARK,
            "OSError: landlock: Operation not supported",
            "saw no kernel of the candidate: OSError: landlock",
        ),
        ("", "==ERROR== Failed to load libcuda.so", "gave no table: ==ERROR== Failed to load libcuda.so"),
        ("", "", "gave no table: it said nothing"),
        ('"a","b"\n', "", "gave no table"),
    ],
)
def test_why_there_are_no_counters(table: str, said: str, why: str) -> None:
    with pytest.raises(NotProfiled) as caught:
        read_table(table, said)
    assert why in str(caught.value)


def test_without_a_profiler_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    if not Path("/usr/local/cuda/bin/ncu").exists():
        with pytest.raises(NotProfiled, match="install NVIDIA Nsight Compute"):
            profiler.find_profiler()


def stand_in(folder: Path, table: str, *, seconds: float = 0.0) -> None:
    """A profiler that starts the process as ncu does, and writes this table."""
    script = folder / "ncu"
    script.write_text(
        f"#!{sys.executable}\n"
        "import subprocess, sys, time\n"
        f"time.sleep({seconds})\n"
        "words = sys.argv[1:]\n"
        "done = subprocess.run(words[words.index(sys.executable):])\n"
        f"open(words[words.index('--log-file') + 1], 'w').write({table!r} if done.returncode == 0 else '')\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


LOOKS_AROUND = """
import os
for name, act in {
    "home": lambda: os.listdir(os.path.expanduser("~root")) if os.getuid() == 0 else os.listdir("/home"),
    "write": lambda: open("/var/tmp/akgflow-was-here", "w"),
    "table": lambda: open(os.path.join(os.path.dirname(os.getcwd()), "profile", "table.csv"), "w"),
    "question": lambda: open(os.path.join(os.path.dirname(os.getcwd()), "profile", "question.pt"), "rb"),
    "socket": lambda: __import__("socket").socket(),
}.items():
    try:
        act()
        print("could:", name, flush=True)
    except OSError as error:
        print("refused:", name, flush=True)
"""


def take(tmp_path: Path, module: str) -> tuple[KernelProfile, ...]:
    scratch = tmp_path / "judged" / "candidate"
    scratch.mkdir(parents=True)
    operator = tmp_path / "scale.py"
    operator.write_text(OPERATOR)
    target = Target("cpu", "cpu", "native")
    request = JudgeRequest(module, str(operator), OPERATOR, "cpp", target, (Evidence.EXECUTED,))
    reference = Reference(OPERATOR, str(operator), {"rows": 4, "columns": 8}, None, "cpu")
    reference.prepare()
    return profiler.take(request, module, reference, scratch)


@pytest.mark.thorough
def test_the_candidate_is_called_within_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, NOISE + HEAD + MARK + ROWS)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    counted = RIGHT.replace("out = torch.empty_like(x)", "print('called', tuple(x.shape)); out = torch.empty_like(x)")
    found = take(tmp_path, LOOKS_AROUND + counted)
    assert [one.kernel for one in found] == ["softmax_kernel", "tail_kernel"]
    assert found[0].seconds == pytest.approx(12.345e-6)
    words = (tmp_path / "judged" / "profile" / bounded.WORDS).read_text()
    assert words.count("called (4, 8)") == 2
    assert "could:" not in words and words.count("refused:") == 5, words


def test_a_candidate_that_fails_there_has_no_counters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, HEAD + MARK + ROWS)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotProfiled, match="RuntimeError: not twice"):
        take(tmp_path, "raise RuntimeError('not twice')")


def test_a_profiler_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, "", seconds=60)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(profiler, "SECONDS", 0.5)
    with pytest.raises(NotProfiled, match="did not finish"):
        take(tmp_path, RIGHT)
