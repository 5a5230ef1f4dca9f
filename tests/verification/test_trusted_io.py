"""What leaves a candidate's process is what its module returned, whatever else has been given another meaning there."""

import json
import socket

import pytest
import torch
from judging import DEVICES, target_of

from akgflow.terms import Status
from akgflow.verification.shared import trusted_io

OPERATOR = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2

def get_inputs():
    return [torch.rand(6, 50)]

def get_init_inputs():
    return []
"""
FLAT = "class ModelNew(torch.nn.Module):\n    def forward(self, x):\n        return (x * 2).flatten()\n"
LATE = """
class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        LATER[:] = [lambda: out.numpy().__setitem__(slice(None), x.numpy() * 2)]
        return out
"""
LATE_LIST = """
class Late(list):
    def __iter__(self):
        self[0].numpy()[:] = self[1] * 2
        return iter(self[:1])

class ModelNew(torch.nn.Module):
    def forward(self, x):
        return Late([torch.empty_like(x), x.numpy()])
"""
LATER = "LATER = []\ndef now():\n    for work in LATER:\n        work()\n"

PATCHED = {
    "json.dumps": (
        "import json\ndumps = json.dumps\n"
        "json.dumps = lambda m, *a, **k: dumps(m, *a, **k).replace('[300]', '[6, 50]')\n",
        FLAT,
    ),
    "json's encoder": (
        "import json.encoder as e\nmake = e.c_make_encoder\n"
        "e.c_make_encoder = lambda *a: lambda o, n: [''.join(make(*a)(o, n)).replace('[300]', '[6, 50]')]\n",
        FLAT,
    ),
    "the channel": (
        "from akgflow.verification.shared.channel import Channel\nsend = Channel.send\n"
        "Channel.send = lambda self, m, fds=(): send(self, eval(repr(m).replace('[300]', '[6, 50]')), fds)\n",
        FLAT,
    ),
    "the shape of tensors": (
        "shape = torch.Tensor.shape\n"
        "torch.Tensor.shape = property(lambda t: torch.Size((6, 50)) if t.numel() == 300 else shape.__get__(t))\n",
        FLAT,
    ),
    "copy_": (
        LATER + "copy = torch.Tensor.copy_\ntorch.Tensor.copy_ = lambda t, *a: (now(), copy(t, *a))[1]\n", LATE,
    ),
    "memmove": (
        LATER + "import ctypes\nmove = ctypes.memmove\nctypes.memmove = lambda *a: (now(), move(*a))[1]\n", LATE,
    ),
    "the end of no_grad": (
        LATER + "leave = torch.no_grad.__exit__\ntorch.no_grad.__exit__ = lambda *a: (now(), leave(*a))[1]\n", LATE,
    ),
    "isinstance": (
        LATER + "import builtins\nis_a = isinstance\nbuiltins.isinstance = lambda *a: (now(), is_a(*a))[1]\n", LATE,
    ),
    "function modes": (
        LATER + "from torch.overrides import TorchFunctionMode\n"
        "class Mode(TorchFunctionMode):\n    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
        "        'copy_' in str(f) and now()\n        return f(*args, **(kwargs or {}))\nMode().__enter__()\n", LATE,
    ),
    "a list that computes": ("", LATE_LIST),
}  # fmt: skip


@pytest.mark.parametrize("name", PATCHED)
def test_no_name_that_is_patched_mends_an_answer(bench, name):
    patch, module = PATCHED[name]
    verdict = bench.judge("import torch\n" + patch + module, OPERATOR)
    assert verdict.status in (Status.INCORRECT_SHAPE, Status.INCORRECT_NUMERICAL), (verdict.message, verdict.log)


HONEST = {
    "transposed": "(x.T.contiguous() * 2).T",
    "a step of two": "torch.stack([x * 2, x], 2)[..., 0]",
    "conjugated and negated": "torch.complex(x * 0, x * -2).conj().imag",
    "on a mode of its own": "self.moded(x)",
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", HONEST)
def test_layouts_are_copied_as_they_read(bench, name, device):
    body = f"""
class ModelNew(torch.nn.Module):
    def moded(self, x):
        with torch.device(x.device):
            return x + x

    def forward(self, x):
        return {HONEST[name]}
"""
    verdict = bench.judge("import torch\n" + body, OPERATOR, target=target_of(device))
    assert verdict.passed, verdict.message


def test_a_message_is_json():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        describe_result, copy_out, send, _ = trusted_io.bind(ours)
        x = torch.arange(6.0).reshape(2, 3)
        tree, found = describe_result({"a": [x.T, (x.double()[:, 1:], None)], 3: torch.nn.Parameter(x)}, {x.data_ptr()})
        send("12", {"é": 'say "so"', "tree": tree, "nothing": None})
        got = json.loads(theirs.recv(10_000))
        assert (got["number"], got["é"], "nothing" in got) == ("12", 'say "so"', False)
        first, second = got["tree"]["dict"]["a"]["list"]
        assert first["tensor"] == {
            "shape": [3, 2],
            "stride": [1, 3],
            "dtype": "float32",
            "device": "cpu",
            "aliases": True,
        }
        assert second["list"][0]["tensor"]["aliases"] is False
        assert got["tree"]["dict"]["3"] == {"other": "torch.nn.parameter.Parameter"}
        place = torch.zeros(3, 2)
        copy_out(place, found[0])
        assert torch.equal(place, x.T)
        copy_out(place, found[1])
        assert torch.equal(place, x.T)
