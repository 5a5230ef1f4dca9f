"""Bounds: every sound way to compute an operator lies within them, and no quiet loss of precision does."""

import pytest
import torch
from sampling import sampled
from ways import NARROW, OPERATORS, SOUND, UNSOUND, downgrades, exactly, prepared, reference, refusals, tf32

MATMUL, RELU = OPERATORS["matmul"], OPERATORS["relu"]


def _pairs(ways):
    """Each way with each of its dtypes; every run tries float32."""
    pairs = [(name, dtype) for name, way in ways.items() for dtype in way.dtypes]
    return sampled(pairs, *(pair for pair in pairs if pair[1] == "float32"))


@pytest.mark.parametrize(("name", "dtype"), _pairs(SOUND))
def test_a_sound_way_is_accepted(name, dtype):
    way = SOUND[name]
    assert refusals(prepared(way.operator, dtype), way.answer) == []


@pytest.mark.parametrize(("name", "dtype"), _pairs(UNSOUND))
def test_an_unsound_way_is_refused(name, dtype):
    way = UNSOUND[name]
    assert refusals(prepared(way.operator, dtype), way.answer)


@pytest.mark.parametrize("dtype", sampled(["float32", "float16"], "float32"))
@pytest.mark.parametrize("name", OPERATORS)
def test_precision_is_not_given_away(name, dtype):
    made = prepared(name, dtype)
    assert refusals(made, exactly(made)) == []
    for what, answer in downgrades(made, name, dtype).items():
        assert refusals(made, answer), what


@pytest.mark.parametrize("dtype", sampled(["float32", "float16", "bfloat16"], "bfloat16"))
@pytest.mark.parametrize("name", OPERATORS)
def test_what_is_wrong_is_wrong_in_every_dtype(name, dtype):
    made = prepared(name, dtype)
    right = exactly(made)
    assert refusals(made, right) == []
    assert refusals(made, lambda _, *x: (right(_, *x) * 1.019).to(x[0].dtype))
    assert refusals(made, lambda _, *x: torch.zeros_like(right(_, *x)))

    def garbage(_, *inputs):
        got = right(_, *inputs)
        places = torch.randperm(got.numel())[: max(1, got.numel() * 19 // 1000)]
        got.view(-1)[places] = 1e30 if dtype != "float16" else 6e4
        return got

    def one_off(_, *inputs):
        got = right(_, *inputs)
        got.view(-1)[torch.randint(got.numel(), (1,))] += 0.5 * float(got.abs().float().mean()) + 0.1
        return got

    assert refusals(made, garbage)
    assert refusals(made, one_off)


def test_the_sentence_names_the_precision():
    made = reference(*MATMUL)
    (draw, *_) = made.draws
    for name, narrow in (("float16 or TF32", tf32), ("bfloat16", NARROW["bfloat16"])):
        got = made.oracle.with_inputs(draw.inputs, narrow)[0].float()
        assert made.rounding_hint(draw, [got]) == f": these are the errors of inputs rounded to {name}"
    assert made.rounding_hint(draw, [exactly(made)(None, *draw.inputs)]) == ""
    (detail, *_) = refusals(made, lambda _, a, b: (a @ b).half().float())
    assert "every value is a float16 or TF32 number" in detail
    way = UNSOUND["layer norm rounded before its weight"]
    (detail, *_) = refusals(prepared(way.operator, "bfloat16"), way.answer)
    assert "one more rounding to bfloat16" in detail
    chain = prepared("chain", "bfloat16")
    (detail, *_) = refusals(chain, lambda _, *x: (exactly(chain)(_, *x).float() * 1.012).bfloat16())
    assert "together they are 1.01" in detail


def test_complex_numbers_are_pairs():
    made = reference("torch.fft.rfft(x)", {"x": "8, 100"})
    assert refusals(made, lambda _, x: torch.fft.rfft(x.double()).to(torch.complex64)) == []
    assert refusals(made, lambda _, x: torch.fft.rfft(x).conj())
    assert refusals(made, lambda _, x: torch.fft.rfft(x) * 1.0001)
