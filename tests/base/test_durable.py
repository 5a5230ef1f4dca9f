"""Lines that are paid for, on a disk that is really full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from small_disk import SmallDisk, small_disk

from akgflow.base.durable import RESERVE_BYTES

_BEGIN = """
import sys
from pathlib import Path
from akgflow.base.durable import LineFile
from akgflow.errors import MachineExhausted

lines, kept = LineFile(Path("lines"), 0), 0
lines.append(b"first\\n")
print(Path(".lines.reserve").stat().st_blocks * 512, flush=True)
sys.stdin.readline()
for number in range(40):
    try:
        lines.append(b"x" * (64 << 10) + b"\\n")
        kept += 1
    except MachineExhausted as short:
        print(kept, lines.waiting, Path("lines").read_bytes()[-1:], short, flush=True)
        break
sys.stdin.readline()
"""
_GOES_ON = """
lines.append(b"last\\n")
lines.close()
print(Path("lines").read_bytes().count(b"\\n"), sorted(path.name for path in Path().iterdir()))
"""
_ENDS = """
lines.close(print)
"""
_BEGINS_AGAIN = """
from pathlib import Path
from akgflow.base.durable import LineFile

size = Path("lines").stat().st_size
lines = LineFile(Path("lines"), size)
print(lines.take_in().count(b"\\n"), Path("lines").stat().st_size - size, LineFile(Path("lines"), 0).take_in())
"""


def begin(disk: SmallDisk, script: str, state: Path) -> subprocess.Popen[str]:
    return disk.start(sys.executable, "-c", script, cwd=disk.folder, env={"XDG_STATE_HOME": str(state)})


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_full_disk_takes_the_reserve_and_then_keeps_lines_in_memory(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        process = begin(disk, _BEGIN + _GOES_ON, tmp_path / "state")
        assert int(line(process)) >= RESERVE_BYTES
        disk.fill()
        go_on(process)
        kept, waiting, end, said = line(process).split(" ", 3)
        assert int(kept) >= RESERVE_BYTES // (64 << 10) - 1 and waiting == "1"
        assert end == "b'\\n'", "half a line was left"
        assert "lines cannot be written: the disk is full" in said
        disk.free()
        go_on(process)
        assert line(process) == f"{int(kept) + 3} ['lines']\n"
        process.communicate()


def test_what_finds_no_room_at_all_is_taken_in_by_the_next_process(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        process = begin(disk, _BEGIN + _ENDS, tmp_path / "state")
        line(process)
        disk.fill()
        go_on(process)
        line(process)
        go_on(process)
        out, err = process.communicate(timeout=60)
        assert "finished steps were put into" in out, err
        assert len(list((tmp_path / "state").rglob("*.jsonl"))) == 1
        disk.free()
        out, err = begin(disk, _BEGINS_AGAIN, tmp_path / "state").communicate(timeout=60)
        # It is there once: the second one that looks finds nothing.
        assert out == f"1 {(64 << 10) + 1} b''\n", err
        assert not list((tmp_path / "state").rglob("*.jsonl"))
