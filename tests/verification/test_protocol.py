"""The judge's end of the channel to a candidate: whatever comes out of it is a typed value or a verdict."""

import array
import ctypes
import io
import json
import os
import random
import signal
import socket
import time

import pytest
from packets import OUTS, REQUESTS, packets, true_reply

from akgflow.terms import Status
from akgflow.verdict import Limits
from akgflow.verification.judge.candidate_process import CandidateProcess, ForkServerClient, Place
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.timing.windows.readback import AnswerBuffer, HostReadback, ReadbackFailed
from akgflow.verification.reference.output_form import check_structure
from akgflow.verification.shared import protocol
from akgflow.verification.shared.channel import Channel, NotAMessage, parse

CASES = 10_000
EXPECTED = {
    "list": [
        {"tensor": {"shape": [2, 3], "stride": [3, 1], "dtype": "float32", "device": "cpu", "aliases": False}},
        {"value": 2.5},
    ]
}
VERDICTS = set(Status) - {Status.PASSED, Status.NOT_RUN}


class NoServer(ForkServerClient):
    """In place of a server that ends processes: here there are none."""

    def end(self, guard, life, grace):
        return self.status, self.killed

    status, killed = 0, True


class Scripted(Channel):
    """A channel whose other end does something as soon as a request has been sent."""

    script = staticmethod(lambda theirs, number: None)

    def send(self, message, fds=()):
        super().send(message, fds)
        self.script(self.theirs, json.loads(self.theirs.recv(1 << 18))["number"])


def answered_by(script, request, server=None, seconds=5.0, before=lambda theirs: None):
    """What `CandidateProcess.ask` makes of a candidate that does ``script(its socket, the request's number)``."""
    channel, theirs = Scripted.pair()
    channel.theirs, channel.script = theirs, script
    process = CandidateProcess(server or NoServer(), Place(0, 0, "/nonexistent", ()), channel, io.BytesIO(), Limits())
    with channel.end, theirs:
        before(theirs)
        return process.ask(request, seconds)


def sent(*messages):
    """A script that sends packets; None in a message stands for the number."""

    def script(theirs, number):
        for message in messages:
            filled = {k: number if v is None else v for k, v in message.items()} if type(message) is dict else message
            theirs.send(filled if isinstance(filled, bytes) else json.dumps(filled).encode())

    return script


class Memory:
    """Two answers of `OUTS` in this process's own memory, as a candidate would have them in its own."""

    def __init__(self):
        self.data = (ctypes.c_float * 12)(*range(12))
        self.addresses = [ctypes.addressof(self.data), ctypes.addressof(self.data) + 24]
        self.buffer = AnswerBuffer(OUTS, 2, 256, "cpu")
        self.readback = HostReadback(os.getpid(), [True])

    def read(self, reply):
        """What a timing does with a reply; only `ReadbackFailed` and `CandidateFailed` may come of it."""
        self.readback.read(reply, self.buffer, 0, 2)
        return self.buffer.answers(0, 0).contiguous().flatten().tolist()


@pytest.mark.thorough
def test_whatever_is_sent_is_a_value_or_a_verdict():
    draw, memory, seen = random.Random(20261128), Memory(), {}
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(CASES):
        request, true = draw.choice(REQUESTS), False

        def script(theirs, number, request=request):
            nonlocal true
            found, true = packets(request, number, memory.addresses, draw)
            for packet in found:
                if draw.random() < 0.05:
                    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))
                    theirs.sendmsg([packet], [rights])
                else:
                    theirs.send(packet)

        try:
            reply = answered_by(script, request)
        except CandidateFailed as failure:
            assert not true and failure.status in VERDICTS, failure
            failure.message.encode(), failure.log.encode()
            seen[failure.status] = seen.get(failure.status, 0) + 1
            continue
        seen[type(reply)] = seen.get(type(reply), 0) + 1
        if isinstance(reply, protocol.Called):
            assert (check_structure(EXPECTED, reply.result) is None) or not true
        elif isinstance(reply, protocol.Answered):
            try:
                values = memory.read(reply)
                assert values == list(range(12)) or not true
            except (ReadbackFailed, CandidateFailed):
                assert not true
    assert len(os.listdir("/proc/self/fd")) == before
    # The generator reaches all of it.
    assert {protocol.Done, protocol.Opened, protocol.Called, protocol.Answered} <= set(seen), seen
    assert seen[Status.REFUSED] > CASES / 3 and seen[Status.RUNTIME_ERROR] > CASES / 100, seen


CALL, WINDOW = REQUESTS[4], REQUESTS[5]
CALLED = {"number": None} | true_reply(CALL, ())


def test_a_true_reply_is_a_typed_value():
    reply = answered_by(sent(CALLED), CALL)
    assert (reply.kernels, reply.reuses) == (["scale"], False)
    assert check_structure(EXPECTED, reply.result) is None


FORGED = {
    "nothing but kernels": ({"number": None, "kernels": 5}, "kernels: expected a list, got int"),
    "a field is missing": ({k: v for k, v in CALLED.items() if k != "reuses"}, "the field reuses is missing"),
    "a field too many": (CALLED | {"silent": False}, "unknown field 'silent'"),
    "no number": ({k: v for k, v in CALLED.items() if k != "number"}, "the field number is missing"),
    "another number": (CALLED | {"number": "0" * 32}, "not the reply to what was asked"),
    "a number of another type": (CALLED | {"number": 7}, "number: expected a string"),
    "a truth value for a number": (
        CALLED | {"result": {"tensor": {key: [True] for key in ("shape", "stride")}}},
        "result: shape: expected whole numbers only",
    ),
    "more dimensions than torch counts": (
        CALLED | {"result": {"tensor": {key: [2**63] for key in ("shape", "stride")}}},
        "result: shape: a number is out of range",
    ),
    "an unknown error": ({"number": None, "error": "disk", "message": "", "log": ""}, "error: expected one of"),
    "null": (b"null", "expected an object, got NoneType"),
    "a list": (b"[1]", "expected an object, got list"),
    "an empty packet": (b"", "an empty packet"),
    "no UTF-8": (b'{"number": "\xff"}', "can't decode byte 0xff"),
    "a field twice": (b'{"number": "1", "number": "2"}', "the field 'number' is there twice"),
    "brackets": (b"[" * 150_000, "nested too deeply"),
    "lists in lists": (b'{"kernels":' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 64 levels"),
    "many digits": (b'{"number":' + b"9" * 9000 + b"}", "Exceeds the limit"),
    "more than a packet holds": (b'"' + b"x" * 170_000 + b'"', "more than 160000 bytes"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_packet_is_refused(name):
    message, words = FORGED[name]
    with pytest.raises(CandidateFailed) as failure:
        answered_by(sent(message), CALL)
    assert failure.value.status is Status.REFUSED
    assert words in failure.value.message


def test_a_packet_before_the_request_is_refused():
    with pytest.raises(CandidateFailed, match=r"not asked for, before it was asked") as failure:
        answered_by(sent(CALLED), CALL, before=lambda theirs: theirs.send(b"{}"))
    assert failure.value.status is Status.REFUSED


def test_a_packet_after_the_reply_is_refused():
    with pytest.raises(CandidateFailed, match=r"not asked for, after its reply") as failure:
        answered_by(sent(CALLED, CALLED), CALL)
    assert failure.value.status is Status.REFUSED


def test_requests_have_numbers_that_cannot_be_guessed():
    numbers = []

    def script(theirs, number):
        numbers.append(number)
        theirs.send(json.dumps({"number": number}).encode())

    for _ in range(3):
        answered_by(script, protocol.Ping())
    assert len({*numbers}) == 3 and all(len(number) == 32 for number in numbers)


ERRORS = {
    "exception": Status.RUNTIME_ERROR,
    "compile": Status.COMPILE_ERROR,
    "syntax": Status.COMPILE_ERROR,
    "invalid": Status.INVALID,
    "memory": Status.OUT_OF_MEMORY,
    "fallback": Status.FALLBACK,
    "ours": Status.RUNTIME_ERROR,
    # No stand-in is at work: nothing that is really executed is unsupported.
    "unsupported": Status.COMPILE_ERROR,
}


@pytest.mark.parametrize("kind", protocol.ErrorKind)
def test_no_error_is_anything_but_a_failure(kind):
    with pytest.raises(CandidateFailed) as failure:
        answered_by(sent({"number": None, "error": kind, "message": "half \ud800", "log": "words"}), CALL)
    assert failure.value.status is ERRORS[kind]
    failure.value.message.encode()


def test_silence_ends_in_time():
    with pytest.raises(CandidateFailed) as failure:
        answered_by(lambda theirs, number: None, CALL, seconds=0.2)
    assert failure.value.status is Status.TIMEOUT


@pytest.mark.parametrize("end", [lambda s: s.close(), lambda s: s.shutdown(socket.SHUT_RDWR)])
def test_a_closed_channel_is_a_verdict(end):
    with pytest.raises(CandidateFailed, match="closed its channel") as failure:
        answered_by(lambda theirs, number: end(theirs), CALL)
    assert failure.value.status is Status.RUNTIME_ERROR


@pytest.mark.parametrize(("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (40, "signal 40"), (64, "SIGRTMAX")])
def test_every_signal_is_a_verdict(number, name):
    server = NoServer()
    server.status, server.killed = int(number), False
    with pytest.raises(CandidateFailed, match=f"crashed with {name}") as failure:
        answered_by(lambda theirs, number: theirs.close(), CALL, server)
    assert failure.value.status is Status.RUNTIME_ERROR


def test_the_judge_does_not_wait_for_a_candidate_to_read():
    """A candidate that answers without reading lets the requests pile up."""
    channel, theirs = Channel.pair()
    process = CandidateProcess(NoServer(), Place(0, 0, "/nonexistent", ()), channel, io.BytesIO(), Limits())
    theirs.setsockopt(socket.SOL_SOCKET, 42, 0)  # SO_PEEK_OFF: the next peek begins where the last one ended
    big = protocol.Load("x" * 50_000, "ModelNew")
    with channel.end, theirs, pytest.raises(CandidateFailed, match="does not read") as failure:
        started = time.monotonic()
        for _ in range(1000):
            asked = []
            original = Channel.send

            def send(message, fds=(), original=original, asked=asked):
                original(channel, message, fds)
                asked.append(message["number"])
                theirs.send(json.dumps({"number": message["number"]}).encode())

            channel.send = send
            process.ask(big, 5.0)
    assert failure.value.status is Status.REFUSED
    assert time.monotonic() - started < 5.0


STRIDES = {
    "of an axis with one element": ([3, 10**18, 1], True),
    "out of the answer": ([2**62, 0, 2**62], False),
    "one too far": ([4, 0, 1], False),
    "too few": ([3, 1], False),
}


@pytest.mark.parametrize("name", STRIDES)
def test_strides_stay_within_an_answer(name):
    strides, fits = STRIDES[name]
    memory = Memory()
    reply = protocol.Answered([memory.addresses], [strides])
    if fits:
        assert memory.read(reply) == list(range(12))
    else:
        with pytest.raises(ReadbackFailed):
            memory.read(reply)


@pytest.mark.parametrize("address", [0, 8, 2**47, 2**63 - 1])
def test_memory_that_is_not_there_is_no_answer(address):
    memory = Memory()
    with pytest.raises(ReadbackFailed):
        memory.read(protocol.Answered([[address, memory.addresses[1]]], [[3, 3, 1]]))


def test_a_packet_is_read_or_is_none():
    draw = random.Random(5)
    for _ in range(2000):
        with pytest.raises(NotAMessage):
            parse(draw.randbytes(draw.randrange(1, 40)).replace(b"{", b"("))
