"""Packets that a candidate may send to the judge: true replies, and everything else, from a seeded generator."""

import json
import random

from akgflow.verification.shared import protocol

HANDLE = {"kind": "host", "size": 4096}
TENSOR = {"tensor": {"shape": [2, 3], "stride": [3, 1], "dtype": "float32", "device": "cpu", "aliases": False}}
OUTS = [{"shape": [2, 1, 3], "dtype": "float32", "offset": 0}]
REQUESTS = (
    protocol.Load("/tmp/candidate.py", "ModelNew"),
    protocol.OpenBaseline("cpu"),
    protocol.Silence(),
    protocol.Ping(),
    protocol.Call(HANDLE, {"list": []}, 0, HANDLE, OUTS),
    protocol.Window(0, 2, False),
)
MANY_DIGITS, DEEP = 10**400, 100_000


def true_reply(request, addresses):
    """The fields of an honest reply; ``addresses`` are where two answers of `OUTS` are."""
    if isinstance(request, protocol.OpenBaseline):
        return {"device": "cpu"}
    if isinstance(request, protocol.Call):
        return {"result": {"list": [TENSOR, {"value": 2.5}]}, "kernels": ["scale"], "reuses": False}
    if isinstance(request, protocol.Window):
        return {"at": [list(addresses)], "strides": [[3, 3, 1]], "segments": [[1 << 21, 4096, "0f" * 64]]}
    return {}


def strange(draw: random.Random):
    """A value that is seldom what a field should be."""
    return draw.choice(
        (
            *(5, -1, 0, True, None, "x", "", 1.5, 1e400, -1e400, float("nan"), [], {}, [[]], {"": 0}),
            *(2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), MANY_DIGITS, "1", "Infinity"),
            *("\ud800", "a\x00b", "\x1b[2J\u2028\u202e", "é" * 9000, ["x"] * 60, [0] * 3000, {"tensor": 1}),
            *({"error": "exception"}, {"list": [1]}, {"value": []}, {"other": "torch.Tensor"}, {"dict": []}),
            _nested(draw.choice((3, 70, 200)), draw.random() < 0.5),
        )
    )


def _nested(depth, objects):
    value = 1
    for _ in range(depth):
        value = {"list": [value]} if objects else [value]
    return value


def altered(value, draw: random.Random):
    """``value`` with one part of it replaced, left out, repeated or added."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        name = draw.choice(list(value))
        how = draw.random()
        if how < 0.12:
            return {key: one for key, one in value.items() if key != name}
        if how < 0.2:
            return value | {draw.choice(("error", "number", "x", "\ud800", "silent", "tensor")): strange(draw)}
        return value | {name: altered(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.7:
        at = draw.randrange(len(value))
        if draw.random() < 0.3:
            return draw.choice((value[:at] + value[at + 1 :], [*value, value[at]], value * 3))
        return [*value[:at], altered(value[at], draw), *value[at + 1 :]]
    return strange(draw)


def garbled(data: bytes, draw: random.Random) -> bytes:
    """A packet's bytes that are no message any more, in most cases."""
    at = draw.randrange(len(data) + 1)
    return draw.choice(
        (
            lambda: b"",
            lambda: data[:at],
            lambda: data[:at] + bytes([draw.randrange(256)]) + data[at:],
            lambda: data[:at] + b"\xff\xfe" + data[at:],
            lambda: b"[" * DEEP,
            lambda: b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
            lambda: b'{"number":' + b"9" * draw.choice((400, 5000, 100_000)) + b"}",
            lambda: b"x" * draw.choice((1, 159_999, 160_000, 160_001, 180_000)),
            lambda: data[:-1] + b"," + data[1:],
            lambda: b"\xef\xbb\xbf" + data,
            lambda: data.decode("latin-1").encode("utf-16"),
        )
    )()


def packets(request, number, addresses, draw: random.Random) -> tuple[list[bytes], bool]:
    """What is sent for a request, and whether it is one true reply."""
    true = {"number": number} | true_reply(request, addresses)
    kind = draw.random()
    if kind < 0.1:
        return [json.dumps(true).encode()], True
    if kind < 0.2:
        words = draw.choice((*protocol.ErrorKind, "exception", "killed", "", 5))
        failure = {"number": number, "error": words, "message": draw.choice(("m\ud800", "x" * 20_000)), "log": ""}
        return [json.dumps(failure if draw.random() < 0.7 else altered(failure, draw)).encode()], False
    if kind < 0.75:
        data = json.dumps(altered(true, draw)).encode()
    elif kind < 0.8:
        data = json.dumps(draw.choice((strange(draw), [true], json.dumps(true)))).encode()
    else:
        data = garbled(json.dumps(true).encode(), draw)
    sent = [data[:190_000]]
    if draw.random() < 0.15:
        sent.insert(draw.randrange(2), draw.choice((json.dumps(true).encode(), b"{}", b"")))
    return sent, False
