"""A landscape of kernels with two knobs, and a model that turns the knobs of the kernel that its prompt shows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from random import Random

from known_judge import known
from openai_server import Answer, Seen
from small_task import fenced, sketch

from akgflow.terms import Status
from akgflow.verdict import Verdict

A, B = range(12), range(8)


def kernel(a: int, b: int, note: str = "") -> str:
    """A module whose speed its two constants decide."""
    return (
        f'TUNABLES = {{"A": {list(A)}, "B": {list(B)}}}\nA = {a}\nB = {b}\n{note}\n\n'
        "class ModelNew:\n    def forward(self, x):\n        return x\n"
    )


def knobs(text: str) -> tuple[int, int]:
    """The constants of the last kernel in a text."""
    return int(re.findall(r"^A = (\d+)", text, re.M)[-1]), int(re.findall(r"^B = (\d+)", text, re.M)[-1])


def speed(a: int, b: int) -> float:
    """The best is A = 8, B = 5."""
    return 20.0 - abs(a - 8) - 1.5 * abs(b - 5)


def verdict_of(source: str) -> Verdict:
    """Every fifth kernel or so is broken."""
    a, b = knobs(source)
    if (a * 7 + b) % 5 == 4:
        return known(status=Status.COMPILE_ERROR, message="expected ';'")
    return known(speed(a, b))


def turn(seen: Seen) -> str:
    """The reply of a model: a function of the prompt alone, so that any order gives the same."""
    messages = [str(message["content"]) for message in seen.body["messages"]]
    parents = [str(message["content"]) for message in seen.body["messages"] if message["role"] == "assistant"]
    # Only what a search decides: other words of the prompts may change.
    shown = re.findall(r"^[AB] = \d+|^- .*", "\n".join(messages[2:]), re.M) if parents else messages[0].splitlines()[:1]
    random = Random(hashlib.sha256("\n".join(shown).encode()).hexdigest())
    if not parents:
        return kernel(random.choice(A), random.choice(B))
    a, b = knobs(parents[0])
    if random.random() < 0.5:
        return kernel(max(0, min(11, a + random.choice((-1, 1)))), b)
    return kernel(a, max(0, min(7, b + random.choice((-1, 1)))))


def by_role(
    coder: Callable[[Seen], str] = turn, delay: Callable[[Seen], float] = lambda _: 0.0
) -> Callable[[Seen], Answer]:
    """The designer's sketch, everyone else's kernel."""

    def behave(seen: Seen) -> Answer:
        if str(seen.body["messages"][0]["content"]).startswith("You design"):
            return Answer(sketch("s"))
        return Answer(fenced(coder(seen)), delay=delay(seen))

    return behave
