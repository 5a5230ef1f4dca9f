"""Sizes of operators, found without running them, and the same files with other values for them."""

from __future__ import annotations

import pytest
from sampling import sampled

from akgflow.operators.shapes.dimensions import dimensions, pinned
from akgflow.operators.shapes.guarantee import NOTHING, Guarantee, SizeRange, size_range
from akgflow.operators.text import whole

END = "\ndef get_init_inputs():\n    return []\n"
FORMS = {
    "globals": ("M, N = 4, 8\ndef get_inputs():\n    return [rand(M, N)]", {"M": 4, "N": 8}),
    "one after another": ("M = 4\nN = 2 * M\ndef get_inputs():\n    return [rand(N)]", {"M": 4}),
    "arithmetic": ("M = 16 * 1024\nN = 1 << 3\ndef get_inputs():\n    return [rand(M, N)]", {"M": 16384, "N": 8}),
    "a tuple": ("shape = (3, 5)\ndef get_inputs():\n    return [rand(shape)]", {"shape[0]": 3, "shape[1]": 5}),
    "a tuple of names": (
        "M = 3\nshape = (M, 7)\ndef get_inputs():\n    return [rand(*shape)]",
        {"M": 3, "shape[1]": 7},
    ),
    "keywords": ("def get_inputs(m=4, *, n=6, scale=0.5, flag=True):\n    return [rand(m, n)]", {"m": 4, "n": 6}),
    "a keyword to give": ("def get_inputs(m, scale: float):\n    return [rand(m) * scale]", {"m": None}),
    "through a function": ("M = 4\ndef make():\n    return rand(M)\ndef get_inputs():\n    return [make()]", {"M": 4}),
    "below if": ("if True:\n    M = 4\nelse:\n    M = 5\ndef get_inputs():\n    return [rand(M)]", {"M": 5}),
    "no size": ("stride = 2\nseed = 7\neps = 1e-5\ndef get_inputs():\n    return [rand(stride, seed, eps)]", {}),
    "numbers alone": ("def get_inputs():\n    return [rand(3, 4)]", {"number_3": 3, "number_4": 4}),
    "nothing told": ("def get_inputs():\n    return [rand(*map(int, '3 4'.split()))]", {}),
    "a local name": ("M = 4\ndef get_inputs():\n    M = 5\n    return [rand(M)]", {}),
    "no Python": ("def get_inputs(:", {}),
}


@pytest.mark.parametrize("name", FORMS)
def test_sizes_are_found(name: str) -> None:
    text, sizes = FORMS[name]
    assert {one.name: one.value for one in dimensions(text + END)} == sizes


def test_what_only_the_model_takes_is_a_size_by_its_name() -> None:
    text = "hidden_size, num_heads, kernel_size, N = 64, 4, 3, 5\ndef get_inputs():\n    return [rand(N)]\n"
    text += "def get_init_inputs():\n    return [hidden_size, num_heads, kernel_size]\n"
    assert [one.name for one in dimensions(text)] == ["N", "hidden_size"]
    assert "num_heads" in [one.name for one in dimensions(text, frozenset(["num_heads"]))]


def test_what_the_model_reads_by_itself_is_kept() -> None:
    text = """
rows, width, window, half = 4, 16, 8, 3
double = half * 2
def pad(x): return window
class Model:
    def __init__(self, width): self.width = width
    def forward(self, x): return [pad(x) + double + rows for rows in range(3)]
def get_inputs(): return [rand(rows, width + window, half)]
def get_init_inputs(): return [width]
"""
    assert [one.name for one in dimensions(text)] == ["rows", "width"], "a candidate is told the arguments alone"
    assert "window" in [one.name for one in dimensions(text, frozenset(["window"]))]


PINNED = {
    # name: (text, values, what is computed from them)
    "what is computed follows": ("M = 4\nN = M * 2\nS = (M, N)", {"M": 5}, {"M": 5, "N": 10, "S": (5, 10)}),
    "several in one statement": ("M, N = 4, 8; P = M + N", {"M": 1, "N": 2}, {"P": 3}),
    "an element": ("S = (4, 8)\nn = S[1]", {"S[1]": 3}, {"S": (4, 3), "n": 3}),
    "an element of a list": ("S = [4, 8]\nn = S[0]", {"S[0]": 3}, {"S": [3, 8], "n": 3}),
    "over several lines, with a comment": ("M = (\n    4 +  # four\n    1\n)  # M\nN = M", {"M": 9}, {"N": 9}),
    "below try and if": ("try:\n    M = 4\nexcept E: M = 5\nif M: N = M", {"M": 7}, {"N": 7}),
    "changed later": ("M = 4\nM += 1\nN = M", {"M": 7}, {"N": 7}),
    "by a loop": ("for M in range(4): pass", {"M": 7}, {"M": 7}),
    "behind letters of several bytes": ("s = 'ü'; M = 4; N = M", {"M": 7}, {"N": 7, "s": "ü"}),
    "other types": (
        "dtype, a, b = 'x', 1.0, True\nc = a",
        {"dtype": "y", "a": 2.5, "b": False},
        {"c": 2.5, "b": False},
    ),
    "infinity": ("a = 1.0\nb = -a", {"a": float("inf")}, {"b": -float("inf")}),
}


@pytest.mark.parametrize("name", sampled(PINNED, "what is computed follows", "an element", "below try and if"))
def test_what_is_computed_from_a_value_follows_it(name: str) -> None:
    text, values, wanted = PINNED[name]
    changed = pinned(text, values)
    assert changed.count("\n") == text.count("\n") + (name == "by a loop"), "lines stay where they are"
    found: dict[str, object] = {}
    exec(changed, found)
    assert {key: found[key] for key in wanted} == wanted


def test_what_is_beside_an_operator_stays_with_it() -> None:
    text = whole("M = 4\n", {"helper.py": "x = 1"}, "eval")
    assert pinned(text, {"M": 5}) == whole("M = 4; M = 5\n", {"helper.py": "x = 1"}, "eval")
    assert pinned(text, {}) is text


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("1..8192", SizeRange(1, 8192)),
        (64, SizeRange(64, 64)),
        ("8..4096:8", SizeRange(8, 4096, 8)),
        ({"multiple_of": 8, "max": 4096}, SizeRange(8, 4096, 8)),
        ({"min": 3}, SizeRange(3)),
        ("many", None),
        ("1..", None),
        (True, None),
    ],
)
def test_ranges(said: object, wanted: SizeRange | None) -> None:
    assert size_range(said) == wanted


def test_a_range_holds_sizes() -> None:
    held = SizeRange(8, 40, 8)
    assert [size for size in range(50) if held.holds(size)] == [8, 16, 24, 32, 40]
    assert not held.empty and SizeRange(9, 15, 8).empty and SizeRange(5, 4).empty


def test_what_is_varied_in_words() -> None:
    assert NOTHING.varied({"M": 4, "n": None}) == "varied from M=4, n"
    assert NOTHING.varied({}).startswith("the stated ones only: ")
    assert Guarantee(fixed=True).varied({"M": 4}) == "the stated ones only"
    assert Guarantee(sizes={"M": SizeRange(1, 9)}).varied({}) == "M: 1..9 (must be served)"
