"""The processes of one candidate: the second is opened while the first is asked, and knows nothing of it."""

import time

import psutil
import pytest

from akgflow.config.types import Target
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest
from akgflow.verification.judge.candidate_process import ForkServerClient
from akgflow.verification.judge.evaluation import Trial
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.processes import Processes

IMPORTED = """
import pathlib, secrets
import torch
pathlib.Path(__file__).with_name(f"imported-{secrets.token_hex(8)}").touch()

class ModelNew(torch.nn.Module):
    pass
"""


@pytest.fixture
def made(tmp_path):
    """Makes processes in a folder; ends them and what they come from."""
    server, trials = ForkServerClient(), []
    request = JudgeRequest(IMPORTED, "op.py", "", "cpp", Target("cpu", "cpu", "native"), (Evidence.EXECUTED,))

    def make():
        trials.append(Trial(server, request, Evidence.EXECUTED, tmp_path, 2))
        return trials[-1]

    make.trials, make.folder = trials, tmp_path
    yield make
    server.end_all()


def imports(made):
    return len(list(made.folder.glob("imported-*")))


def test_none_of_the_candidate_runs_in_the_second_process_before_the_first_has_ended(made):
    beside = []
    with Processes(made, IMPORTED, lambda: beside.append(len(made.trials)), second=True) as processes:
        first = processes.first()
        until = time.monotonic() + 60
        while len(made.trials) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(made.trials) == 2, "it is opened ahead"
        assert imports(made) == 1
        first.close()
        second = processes.another()
        assert (imports(made), second is made.trials[1], len(made.trials)) == (2, True, 2)
        alive = second.process.pid
        assert psutil.pid_exists(alive)
    assert len(beside) == 1
    assert not psutil.pid_exists(alive)


def test_nothing_is_opened_ahead_where_nothing_goes_on_beside_it(made):
    with Processes(made, IMPORTED, None, second=True) as processes:
        first = processes.first()
        first.close()
        assert len(made.trials) == 1
        assert processes.another() is made.trials[1]
    assert imports(made) == 2


def test_a_candidate_that_cannot_be_imported_leaves_no_process(made):
    with (
        pytest.raises(CandidateFailed, match="KeyError"),
        Processes(made, "raise KeyError('here')", lambda: 1 / 0, second=True) as processes,
    ):
        processes.first()
    assert len(made.trials) == 1
    assert not psutil.pid_exists(made.trials[0].process.pid)
