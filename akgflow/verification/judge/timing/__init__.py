"""Time that a candidate cannot forge: the judge's clock, from releasing fresh inputs to holding right outputs.

Candidate and baselines run in processes of the same kind: the *arms* of a timing, each with several *workers*. In each
*round* every worker of the candidate is asked once. For such a *pairing* the judge writes the same fresh inputs into
the memory that all of them see, releases one worker of each arm in turn while the others are stopped, and reads the
outputs from that worker's memory itself. The clock is read when the worker is stopped again and can no longer change
them; on a GPU, where nothing stops a kernel, when the judge has its own copy. All that is subtracted is the *overhead
window*, in which a baseline's worker says again where its last answers are and computes nothing: nothing that a
candidate does is ever subtracted from its time, so it gains nothing by being slow anywhere.

Questions that are asked together could be answered together. So in the first rounds they are also asked one at a time,
each written only after the answer to the one before was read. Where a call then takes longer than launching and running
in sequence explain, the times are those of questions asked one at a time.

Every output of every window is compared with a baseline's. Those that differ, and some that the judge picks in secret,
are compared with the oracle. At the end the candidate's processes are ended, and where a baseline is quicker without
them than it was beside them, its quicker time counts. Where the interval is too wide to say anything, the reason is
given in place of a time.

`akgflow.verification.judge.timing.estimate` says how the interval is made and what *same* means.
"""

from akgflow.verification.judge.timing.cases import Called, TimedCases
from akgflow.verification.judge.timing.processes import Start, Starts
from akgflow.verification.judge.timing.ranking import CheckedTrial, Entrant, Ranker
from akgflow.verification.judge.timing.session import Session, timed
from akgflow.verification.judge.timing.sizes import Pace
from akgflow.verification.judge.timing.summary import Timed
from akgflow.verification.judge.timing.windows.questions import NotTimed

__all__ = [
    "Called",
    "CheckedTrial",
    "Entrant",
    "NotTimed",
    "Pace",
    "Ranker",
    "Session",
    "Start",
    "Starts",
    "Timed",
    "TimedCases",
    "timed",
]
