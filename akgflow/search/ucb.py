"""Upper confidence bounds: go on from what is good, and from what was hardly tried."""

from __future__ import annotations

import math
from collections.abc import Sequence

from akgflow.search.pool import Judged
from akgflow.search.quality import ranks


def pick(pool: Sequence[Judged], visits: Sequence[int], explore: float) -> int:
    """The place in ``pool`` of the candidate to go on from; of equals, the earliest.

    Its quality is its rank among all, 1 for the best and 0 for the worst, so that the unit of the measurement does not
    matter; ``explore`` weighs the bonus of those that were seldom gone on from. ``visits`` counts how often each was.
    """
    found = ranks([judged.verdict for judged in pool])
    last = max(found) or 1
    total = math.log1p(sum(visits))
    scores = [
        1.0 - rank / last + explore * math.sqrt(total / (1 + seen)) for rank, seen in zip(found, visits, strict=True)
    ]
    return scores.index(max(scores))
