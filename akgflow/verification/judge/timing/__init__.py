"""Time that a candidate cannot forge: the judge's clock, from releasing fresh inputs to holding right outputs.

Candidate and baselines sit in processes of the same kind. At each visit the judge writes the same fresh inputs into
the memory that all of them see, releases one process while the others are stopped, and takes the outputs from that
process's memory itself. The clock is read when the process is stopped again and can change them no more; on a GPU,
where nothing stops a kernel, when the judge has its own copy. All that is subtracted is what a window costs when a
baseline's process says again where its last answers lie, and computes nothing: nothing that a candidate does is ever
taken from its time, so it gains nothing by being slow anywhere.

Questions that are asked together could be answered together. So at the first visits they are also asked one at a time,
each written only once the answer to the one before is held; where a call then takes longer than launching and running
one after the other explains, the figures are those of questions asked one at a time.

Every output of every window is screened against a baseline's, and those that differ, and some that the judge picks in
secret, are compared with the oracle. At the end the candidate's processes are ended, and where a baseline is quicker
without them than it was beside them, its quicker time counts. Where the interval is so wide that it says nothing, there
is no figure but the reason.

How the interval comes about and what *same* means is said in `akgflow.verification.judge.timing.estimate`.
"""

from akgflow.verification.judge.timing.processes import Start, Starts
from akgflow.verification.judge.timing.questions import NotTimed
from akgflow.verification.judge.timing.session import Session
from akgflow.verification.judge.timing.summary import Timed

__all__ = ["NotTimed", "Session", "Start", "Starts", "Timed"]
