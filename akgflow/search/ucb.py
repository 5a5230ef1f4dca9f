"""Chooses the next parent by its upper confidence bound, after UCB1 (Auer, Cesa-Bianchi & Fischer 2002)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from akgflow.search.pool import Judged
from akgflow.search.quality import ranks


def pick(pool: Sequence[Judged], uses: Sequence[int], explore: float) -> int:
    """The index in ``pool`` of the next parent; of equals, the first.

    The bound is q + ``explore`` * sqrt(ln(1 + N) / (1 + n)), with n the ``uses`` of the candidate and N their sum. The
    ones keep it finite for candidates without a use. The quality q is the rank among all, 1 for the best and 0 for the
    worst, so that the unit of the measurement does not matter.
    """
    found = ranks([judged.verdict for judged in pool])
    last = max(found) or 1
    total = math.log1p(sum(uses))
    scores = [
        1.0 - rank / last + explore * math.sqrt(total / (1 + seen)) for rank, seen in zip(found, uses, strict=True)
    ]
    return scores.index(max(scores))
