"""Writes and reads beside a tensor: seen, and said of which tensor."""

import pytest
from sampling import sampled

from akgflow.terms import Status

OPERATOR = """
import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones({weights}))

    def forward(self, x, y):
        return x * 2 + y.sum() + self.weight.sum()

def get_inputs():
    return [torch.rand({size}), torch.rand(64)]

def get_init_inputs():
    return []
"""
CANDIDATE = """
import ctypes
import torch

def at(tensor, index, value=None):
    place = ctypes.c_float.from_address(tensor.data_ptr() + 4 * index)
    if value is None:
        return place.value
    place.value = value

class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones({weights}))

    def forward(self, x, y):
        out = torch.empty_like(x)
        torch.mul(x, 2, out=out)
        out += y.sum() + self.weight.sum()
        n, m = x.numel(), self.weight.numel()
        {does}
        return out
"""
STRAYS = {
    "behind an output": ("at(out, n, 1.0); at(out, n + 1, 1.0)", "REFUSED", "wrote 8 bytes past the end of output 0"),
    "further behind an output": ("at(out, n + 9, 1.0)", "REFUSED", "wrote 40 bytes past the end of output 0"),
    "before an output": ("global keep; keep = out; at(out, -2, 3.0)", "REFUSED", "before the start of output 0"),
    "behind an input": ("at(x, n + 3, 1.0)", "REFUSED", "wrote 16 bytes past the end of input 0"),
    "before an input": ("at(y, -2, 1.0)", "REFUSED", "wrote 8 bytes before the start of input 1"),
    "behind a parameter": ("at(self.weight, m, 1.0)", "REFUSED", "past the end of the parameter weight"),
    "before a parameter": ("at(self.weight, -1, 1.0)", "REFUSED", "before the start of the parameter weight"),
}


@pytest.mark.parametrize("name", STRAYS)
@pytest.mark.parametrize("size", sampled([1000, 1003, 70_000], 1003))
def test_a_write_beside_a_tensor_is_refused(bench, name, size):
    does, status, words = STRAYS[name]
    sizes = {"size": size, "weights": 77}
    verdict = bench.judge(CANDIDATE.format(does=does, **sizes), OPERATOR.format(**sizes))
    assert (verdict.status, words in verdict.message) == (status, True), verdict.message


READS = {
    "behind an input": ("at(x, n)", "RUNTIME_ERROR", "read 1 bytes past the end of input 0"),
    "before an input": ("at(x, -1)", "RUNTIME_ERROR", "before the start of input 0"),
    "behind a parameter": ("at(self.weight, m)", "RUNTIME_ERROR", "past the end of the parameter weight"),
    "written behind a parameter": ("at(self.weight, m, 1.0)", "REFUSED", "wrote 1 bytes past the end of the parameter"),
}


@pytest.mark.parametrize("name", READS)
def test_an_access_beyond_whole_vectors_is_a_named_crash(bench, name):
    does, status, words = READS[name]
    sizes = {"size": 1024, "weights": 64}
    verdict = bench.judge(CANDIDATE.format(does=does, **sizes), OPERATOR.format(**sizes))
    assert (verdict.status, words in verdict.message) == (status, True), verdict.message


@pytest.mark.parametrize("size", [1, 3, 17, 1003])
def test_what_is_read_within_the_last_vector_shows(bench, size):
    sizes = {"size": size, "weights": 5}
    verdict = bench.judge(CANDIDATE.format(does="out += 0 * at(x, n)", **sizes), OPERATOR.format(**sizes))
    assert verdict.status == Status.INCORRECT_NUMERICAL, verdict.message
    assert "NaN" in verdict.message


INSIDE = {
    "the last vector, whole": "[at(x, i) for i in range(-n % 16 + n)]",
    "an output of shared memory": "out = out.share_memory_()",
    "an output of numpy's": "import numpy; out = torch.from_numpy(out.numpy().copy())",
    "a view of something larger": "big = torch.empty(2 * n + 5); big[3:n + 3] = out; out = big[3:n + 3]",
    "an output that was cut": "big = torch.cat((out, out)); big.resize_(n); out = big",
    "every other element": "big = torch.empty(2 * n); big[::2] = out; out = big[::2]",
    "no output of torch's": "import ctypes; out = torch.frombuffer(bytearray(out.numpy().tobytes()), dtype=out.dtype)",
}


@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize("size", sampled([1, 1003, 1024, 70_000], 1003))
def test_what_stays_inside_passes(bench, name, size):
    sizes = {"size": size, "weights": 5}
    verdict = bench.judge(CANDIDATE.format(does=INSIDE[name], **sizes), OPERATOR.format(**sizes))
    assert verdict.passed, verdict.message


def test_a_copy_of_all_of_an_inputs_storage_meets_no_hole(bench):
    sizes = {"size": 1024, "weights": 64}
    does = "import copy; copy.deepcopy(x); copy.deepcopy(self); x.untyped_storage().clone()"
    verdict = bench.judge(CANDIDATE.format(does=does, **sizes), OPERATOR.format(**sizes))
    assert verdict.passed, verdict.message
