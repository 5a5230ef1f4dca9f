"""Sizes that the makers of inputs write out: found in the text, and the same text with other ones."""

from __future__ import annotations

import pytest

from akgflow.operators.shapes.dimensions import pinned, sizes_of

MODEL = """
class Model:
    def __init__(self, features, kernel_size=3):
        self.taps = 7
"""
NONE = "def get_init_inputs():\n    return []"
FORMS = {
    # name: (get_inputs, get_init_inputs, sizes)
    "numbers": ("return [torch.randn(16, 128)]", NONE, {"number_16": 16, "number_128": 128}),
    "a shape": (
        "return [torch.randint(0, 12, (16, 8)), torch.full([5], 12)]",
        NONE,
        {"number_16": 16, "number_8": 8, "number_5": 5},
    ),
    "a product": ("return [torch.randn(4 * 32)]", "def get_init_inputs():\n    return [128]", {"number_128": 128}),
    "names": ("m, n = 16, 1 << 10\n    return [torch.randn(m, n)]", NONE, {"m": 16, "n": 1024}),
    "a tuple": ("shape = (16, 5)\n    return [torch.randn(shape)]", NONE, {"number_16": 16, "number_5": 5}),
    "a name and its number": (
        "n = 64\n    return [torch.randn(8, n)]",
        "def get_init_inputs():\n    return [64]",
        {"n": 64, "number_8": 8},
    ),
    "the model's too": ("return [torch.randn(7, 5)]", NONE, {"number_5": 5}),
    "no sizes": (
        "x = torch.zeros(5).sum(dim=2)\n    return [x * 4, x[:3], torch.randn(2 * len(x))]",
        NONE,
        {"number_5": 5},
    ),
    "bounds alone": ("return [torch.randint(0, 9, ()) + 12]", NONE, {}),
    "a bound that is counted from a size": (
        "return [torch.randn(40, 60), torch.randint(1, 61, (40,)), torch.randint(0, 9, (8,)).clamp(max=7)]",
        NONE,
        {"number_40": 40},
    ),
    "many": ("return [torch.randn(5) for _ in range(4)]", NONE, {"number_5": 5}),
    "bound twice": ("n = 4\n    n = 5\n    return [torch.randn(n)]", NONE, {}),
    "a meaning": ("stride = 4\n    return [torch.randn(6)[::stride]]", NONE, {"number_6": 6}),
    "keywords": ("return {'x': torch.zeros(size=(5,), dtype=None)}", NONE, {"number_5": 5}),
}


def operator(inputs: str, init: str) -> str:
    return f"import torch\n{MODEL}\ndef get_inputs():\n    {inputs}\n{init}\n"


@pytest.mark.parametrize("name", FORMS)
def test_sizes_are_found(name: str) -> None:
    inputs, init, sizes = FORMS[name]
    assert sizes_of(operator(inputs, init)) == sizes


def test_what_has_to_agree_moves_together() -> None:
    text = operator(
        "return [torch.randn(16, 64), torch.randint(0, 64, (16,))]", "def get_init_inputs():\n    return [64, 16]"
    )
    changed = pinned(text, {"number_64": 9, "number_16": 11})
    assert "torch.randn(11, 9), torch.randint(0, 9, (11,))" in changed
    assert "return [9, 16]" in changed, "the size of a kernel is another number that happens to be equal"
    assert "self.taps = 7" in changed


@pytest.mark.parametrize(
    ("init", "wanted"),
    [
        ("return {'features': 16, 'kernel_size': 16}", "return {'features': 9, 'kernel_size': 16}"),
        ("return [[16], {'stride': 16}]", "return [[9], {'stride': 16}]"),
        ("n = 16\n    return [n]", "n = 9\n    return [n]"),
    ],
)
def test_arguments_of_the_model_stay_by_their_names(init: str, wanted: str) -> None:
    text = operator("return [torch.randn(16)]", f"def get_init_inputs():\n    {init}")
    assert wanted in pinned(text, {"number_16": 9})


def test_names_of_both_makers_are_one_size_where_they_agree() -> None:
    inputs = "width = 16\n    return [torch.randn(4, width)]"
    init = "def get_init_inputs():\n    width = {}\n    return [width]"
    assert pinned(operator(inputs, init.format(16)), {"width": 9}).count("width = 9") == 2
    assert sizes_of(operator(inputs, init.format(32))) == {"number_4": 4}


def test_globals_and_what_is_written_change_together() -> None:
    text = "N = 4\nM = N * 2\n" + operator("return [torch.randn(N, M, 16)]", NONE)
    assert sizes_of(text) == {"N": 4, "number_16": 16}
    changed = pinned(text, {"N": 5, "number_16": 3})
    assert changed.startswith("N = 4; N = 5\n") and "torch.randn(N, M, 3)" in changed
    assert changed.count("\n") == text.count("\n"), "lines stay where they are"
