"""Trampolines: what they call is out of Python's reach."""

import gc
import sys
import traceback

import pytest

from akgflow.verification.candidate.trampoline import Part, trampolines


def behind(kernel, before=lambda *args, **_: args, after=lambda _: None):
    (found,) = trampolines([Part(before, kernel, after)])
    return found


def test_arguments_keywords_and_results_pass_through():
    function = behind(lambda a, b, c=0: (a, b, c))
    assert function(1, "two") == (1, "two", 0)
    assert function(1, 2, c=3) == (1, 2, 3)


def refuse_small(value):
    return (value,) if value > 1 else ValueError("too small")


@pytest.mark.parametrize(
    ("value", "error", "frames"),
    [
        (1, "ValueError: too small", ["_raise"]),
        (2, "ZeroDivisionError: integer division or modulo by zero", ["kernel"]),
        (9, "ValueError: too large", ["_raise"]),
        ("text", "TypeError: '>' not supported between instances of 'str' and 'int'", ["refuse_small"]),
    ],
)
def test_errors_show_no_frame_of_a_check_that_refuses(value, error, frames):
    def kernel(value):
        return value // (value - 2)

    function = behind(kernel, refuse_small, lambda _: ValueError("too large") if value == 9 else None)
    with pytest.raises((ValueError, ZeroDivisionError, TypeError)) as caught:
        function(value)
    assert f"{type(caught.value).__name__}: {caught.value}" == error
    assert [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:] == frames


def test_neither_check_nor_kernel_can_be_found():
    secret = ["nobody finds this"]

    def kernel(value):
        return secret and value

    function = behind(kernel)
    known = {id(one) for one in gc.get_objects()}
    assert function(5) == 5
    assert id(kernel) not in known
    assert id(kernel.__closure__) not in known
    assert function.__self__ is None
    assert gc.get_referents(function) == []


def test_the_collector_rests_while_a_check_runs():
    states = []

    def before(*args):
        states.append(gc.isenabled())
        return args

    function = behind(lambda: states.append(gc.isenabled()), before)
    function()
    assert states == [False, True]
    assert gc.isenabled()


def test_nothing_is_leaked():
    given, result = object(), object()
    function = behind(lambda _: result, lambda one: (one,) if one is given else ValueError("another"))
    before = [sys.getrefcount(one) for one in (given, result, None)]
    for _ in range(1000):
        function(given)
        with pytest.raises(ValueError, match="another"):
            function(result)
    after = [sys.getrefcount(one) for one in (given, result, None)]
    assert all(abs(one - other) < 500 for one, other in zip(before, after, strict=True)), (before, after)
