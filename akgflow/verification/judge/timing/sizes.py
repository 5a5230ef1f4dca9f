"""How many processes and sets of inputs a timing has, by the memory that is there and by how long a call takes."""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

from akgflow.verification.judge.resources.memory_plan import in_words
from akgflow.verification.judge.timing.windows.questions import NotTimed, Questions

MEMORY = {"cpu": 2 << 30, "cuda": 64 << 30}
"""Bytes that many small questions may take: more of them would only take longer to write."""
ALONE, COLD, WARM = 4, 2, 4
"""Slots for questions asked one at a time, warm and cold, and for old ones on which a process warms up."""
FEWEST = 3
"""Slots of the smallest window, where there are all of the others."""
SLOW_SECONDS = {"cpu": 0.1, "cuda": 0.5}
"""A call that takes longer is asked for as few times as a figure needs: more than a hundred calls take a minute."""
MOST_SECONDS = 20.0
"""That the windows of slow calls may take, all together, with the fewest processes."""
ENOUGH_SECONDS = 10.0
"""That they may take with more processes, or in more rounds, than a figure needs."""
DRAWN = 2
"""Sets of inputs that are drawn beside one for each process: at first, and once the candidate's have ended."""
LEAST_SECONDS = 5.0
"""That they may take however long the judgement took before."""
PROCESSES = {"cpu": (6, 4), "cuda": (4,)}
"""Of the candidate, and of each baseline: as many as there is room for. With six an interval is two thirds as wide as
with four that have as many windows together; on a GPU each takes a context and seconds."""
MOST_PROCESSES = max(max(counts) for counts in PROCESSES.values())
SLOW_PROCESSES = (4, 3, 2)
"""The same where calls are slow or large. One alone shows no variance."""


class Sizes(NamedTuple):
    """How much of everything a timing has."""

    processes: int
    """Of each arm."""
    slots: int
    """That there is room for."""
    turns: bool
    """There is room for the answers of one process at a time."""
    few: bool
    """A window is one question, which is asked alone by that, and its slot takes the next one."""
    slow: bool
    """Calls are asked for as few times as a figure needs."""
    alone: int = ALONE
    cold: int = COLD
    warm: int = WARM


class Memory(NamedTuple):
    """What there is, in bytes."""

    there: int
    own: int
    """What each process keeps beside its answers."""
    calling: int
    """What it takes besides while it is called, and keeps where nobody asks for it back."""


class Pace(NamedTuple):
    """Seconds of what a timing does, and how many there are for it."""

    call: float
    construct: float = 0.0
    """The model for a call."""
    draw: float = 0.0
    """A set of inputs."""
    left: float = MOST_SECONDS
    """For windows of slow calls; a figure may take `LEAST_SECONDS` in any case."""
    windows: float = math.inf
    """That windows of quick calls may take, where it is less than what a figure may take at most."""

    def most(self, wanted: float) -> float:
        """Of the seconds that are ``wanted``, those that there are."""
        return min(wanted, max(LEAST_SECONDS, self.left))


def sizes(questions: Questions, arms: int, memory: Memory, kind: str, copies: bool, pace: Pace) -> Sizes:
    """The sizes for ``arms`` arms, of calls that go at a ``pace``; raises `NotTimed` where not even the fewest fit.

    ``copies``: answers are copied to memory of the judge's for each process.
    """
    held = 2 if copies else 1
    slot = 2 * questions.pitch + arms * questions.out_pitch
    slow, each = pace.call > SLOW_SECONDS[kind], memory.own + memory.calling
    for count in () if slow else PROCESSES[kind]:
        workers = arms * count
        free = min(MEMORY[kind], memory.there - workers * each - 2 * questions.pitch)
        slots = int(free // (slot + workers * held * questions.out_pitch))
        if slots >= FEWEST + ALONE + COLD + WARM:
            return Sizes(count, slots, turns=False, few=False, slow=False)
    # One question to a window, and an old one to warm up on; beside them a set that is drawn, and what is compared.
    few = 2 * slot + 2 * questions.pitch + 2 * questions.out_pitch
    answers = memory.calling + held * questions.out_pitch
    for turns, count in product((False, True), SLOW_PROCESSES):
        workers, asked = arms * count, arms * count + 1
        needed = few + workers * memory.own + (1 if turns else workers) * answers
        takes = asked * pace.call + workers * pace.construct + (count + DRAWN) * pace.draw if slow else 0.0
        most = pace.most(MOST_SECONDS if count == SLOW_PROCESSES[-1] else ENOUGH_SECONDS)
        if needed <= memory.there and takes <= most:
            return Sizes(count, 2, turns=turns, few=True, slow=slow, alone=0, cold=0, warm=1)
    if needed > memory.there:
        raise NotTimed(f"a timing takes at least {in_words(needed)}, and {in_words(memory.there)} may be taken")
    raise NotTimed(f"a call takes {pace.call:.2g} s here: a timing would take {takes:.0f} s, and may take {most:.0f} s")
