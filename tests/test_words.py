"""One word for one thing: names that this project has given up are nowhere in its code and text.

Each stood for something that the field has a word for, or for several things at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COVERED = (
    *("akgflow", "docs", "schemas", "tests", "benchmarks"),
    *("agents.yaml", "hardware.yaml", "README.md", "CONTRIBUTING.md", "SKILL.md"),
)
LEFT_OUT = (
    # Prompts are made of these, and a recorded reply is known by its prompt.
    *("akgflow/dsls/", "tasks/recordings/", "benchmarks/kernelbench/tasks/recordings/"),
    "tests/test_words.py",
)

RETIRED: dict[str, str] = {
    # processes and how they talk
    "zygote, zygotes": "fork server",
    "class Exits, hand_over, looker": "trusted_io: describe_result, copy_out",
    "door, doors": "hooked function",
    "opaque, _sealed": "trampoline",
    "Locks": "FunctionHooks",
    "_account": "op budget",
    "_outlive_nobody": "die_with_parent",
    "Lacking, LACKING": "LayerUnavailable, MISSING",
    "furnish, furnishes": "mount_root; fill",
    # inputs and answers
    "promise, promises, promised": "input invariant; say, guarantee",
    "twin, twins": "single-element perturbation; equal, double",
    "easy_answers, weakness": "trivial answers",
    "BEYOND": "OUT_OF_RANGE",
    "faint": "of low magnitude",
    # timing
    "party, parties, class Side": "arm",
    "NotTaken": "ReadbackFailed",
    "class Said": "AnswerLocations",
    "class Held": "AnswerBuffer",
    "lap, laps": "round",
    "class Visit": "pairing",
    "class Figures": "Summary",
    "class Kept": "Samples",
    # judging
    "ELSEWHERE": "SHIFT_BYTES",
    "hurry": "shorten_limits",
    "require_work": "require_kernels_matter",
    "_praise": "pass_message",
    "sings": "accepts",
    "flock, _flock": "canaries_for",
    # running
    "sitting, sittings": "session",
    "seat, seats": "actor, slot",
    "knock": "probe_port",
    "desk": "inbox",
    "crew": "agent roles",
    "NoPlace": "NoCapacity",
    "judge_alone": "temporary_executor",
    "seize": "TimingLock.exclusive",
    "NONSENSE": "INVALID_RESPONSE",
    # style
    "anew": "again, new",
    "whoever": "who, those who",
}
"""Words that are given up, and what is said instead. One in small letters stands for its other spellings too."""
ALLOWED = re.compile(
    r"third[- ]party"
    # A system call.
    r"|fcntl\.flock|``flock"
    r"|PTRACE_SEIZE"
    # A prompt of agents.yaml: recorded replies are known by it.
    r"|choose tiles anew"
    # A status of the journal, whose values stay.
    r"|[\"']TWIN[\"']"
)
"""Other meanings of these words."""


@cache
def _pattern(word: str) -> re.Pattern[str]:
    """The word as a whole, or as a part of an identifier."""
    if not word.isalpha() or not word.islower():
        return re.compile(rf"(?<![A-Za-z]){word}(?![a-z])")
    return re.compile(
        rf"(?<![A-Za-z]){word}(?![a-z])"
        rf"|(?<![A-Z]){word.capitalize()}(?![a-z])"
        rf"|(?<![A-Za-z]){word.upper()}(?![A-Za-z])"
    )


def retired_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Each retired word: its line, the word, what is said instead."""
    small = text.lower()
    # Most files hold none of the letters of most words, which is known sooner.
    near = [
        (word, instead) for words, instead in RETIRED.items() for word in words.split(", ") if word.lower() in small
    ]
    for number, line in enumerate(text.split("\n") if near else (), 1):
        plain = ALLOWED.sub("", line)
        yield from ((number, word, instead) for word, instead in near if _pattern(word).search(plain))


def _files(part: str) -> Iterator[Path]:
    for path in (ROOT / part, *sorted((ROOT / part).rglob("*"))):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and not name.startswith(LEFT_OUT):
            yield path


@pytest.mark.parametrize("part", COVERED)
def test_no_retired_word(part: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{number}: {word}: say {instead}"
        for file in _files(part)
        for number, word, instead in retired_in(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("class DoorList: ...", ["door"]),
        ("self._doors = doors()", ["doors"]),
        ("LAPS = 5", ["laps"]),
        ("def near_twins(made): ...", ["twins"]),
        ("outdoors, lapse, a third party, elsewhere, exits, held", []),
        ('status != "TWIN"', []),
        ("One Sitting of a run", ["sitting"]),
    ],
)
def test_a_word_is_noticed(line: str, found: list[str]) -> None:
    assert [word for _, word, _ in retired_in(line)] == found
