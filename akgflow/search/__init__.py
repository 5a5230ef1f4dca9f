"""Search among judged candidates: what is better, what is new, which parents to choose, when to stop. All pure."""

from akgflow.search import dispatcher
from akgflow.search.islands import Islands
from akgflow.search.novelty import normal_form
from akgflow.search.pool import Candidate, Judged
from akgflow.search.quality import gained, ranks, speed_of, worth
from akgflow.search.stopping import Stopping
from akgflow.search.tiers import draw, inspirations, tiers
from akgflow.search.tunables import Tunables, TunablesError, declared, with_values
from akgflow.search.tuner import Tuner
from akgflow.search.ucb import pick
from akgflow.search.winners import Choice, NoChoice, choose

__all__ = [
    "Candidate",
    "Choice",
    "Islands",
    "Judged",
    "NoChoice",
    "Stopping",
    "Tunables",
    "TunablesError",
    "Tuner",
    "choose",
    "declared",
    "dispatcher",
    "draw",
    "gained",
    "inspirations",
    "normal_form",
    "pick",
    "ranks",
    "speed_of",
    "tiers",
    "with_values",
    "worth",
]
