"""Retrieves entries that help with an operator: by its graph first, by words second, with variety."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from akgflow.features import OperatorFeatures
from akgflow.knowledge.entry import Entry, Lesson, model_text, operator_id, surface, words
from akgflow.knowledge.similarity import FLOOR, likeness, same_graph, structure
from akgflow.knowledge.store import Outline, Store, Stores

TEXT_SHARE = 0.15
"""The most that words add to a similarity of 1."""
TEXT_FLOOR = 0.5
"""Share of its words that an entry must have where an operator has no traced graph."""
VARIETY = 0.3
"""Weight of the similarity to entries chosen before, which counts against the next."""
MOST_READ = 60
"""Entries that are read whole for one query."""
MOST_LESSONS = 4
_LESSON_CHARACTERS = 240


@dataclass(frozen=True)
class Query:
    """An operator to be written in ``dsl`` for ``target``; ``text`` holds task name, description and kind.

    With ``same_operator`` a kernel of this very operator is an example for it.
    """

    operator: str
    features: OperatorFeatures
    dsl: str
    target: str
    platform: str
    text: str = ""
    same_operator: bool = False

    @property
    def terms(self) -> list[str]:
        """Words to look for."""
        return list(dict.fromkeys((*words(self.text), *self.features.kinds, *self.features.ops, *words(self.operator))))


class Found(NamedTuple):
    """An entry and how well it fits, from 0 to about 1.2."""

    entry: Entry
    score: float


class HeardLesson(NamedTuple):
    """A lesson and the language in which it was learned."""

    dsl: str
    lesson: Lesson


def examples(store: Store | Stores, query: Query, count: int) -> list[Found]:
    """At most ``count`` entries in the query's DSL and for its platform, at most one for each operator.

    None below the similarity `FLOOR`: an unrelated kernel is worse than none. None of the operator itself, unless it
    is asked for: a model that is shown the answer writes no kernel, and what it does says nothing about it.
    """
    ranked = _ranked(store, query, same_language=True)
    if not query.same_operator:
        ranked = [pair for pair in ranked if not same_graph(query.features, pair[0].features)]
    near = _fetched(store, ranked)
    if not query.same_operator:
        near = [pair for pair in near if not _same_text(pair[0].operator, query.operator)]
    found = [Found(entry, score + _merit(entry, query)) for entry, score in near]
    best: dict[str, Found] = {}
    for one in sorted(found, key=lambda f: (-f.score, f.entry.id)):
        best.setdefault(operator_id(one.entry.operator), one)
    return _varied(list(best.values()), count)


def lessons(store: Store | Stores, query: Query) -> list[HeardLesson]:
    """Lessons of failed attempts at similar operators; those in the query's DSL first."""
    near = _fetched(store, _ranked(store, query))
    heard: dict[tuple[str, str], HeardLesson] = {}
    for entry, _ in sorted(near, key=lambda pair: (pair[0].dsl != query.dsl, -pair[1], pair[0].id)):
        for lesson in entry.lessons:
            text = (
                lesson.text if len(lesson.text) <= _LESSON_CHARACTERS else lesson.text[: _LESSON_CHARACTERS - 1] + "…"
            )
            heard.setdefault((lesson.status, text[:60]), HeardLesson(entry.dsl, Lesson(lesson.status, text)))
        if len(heard) >= MOST_LESSONS:
            break
    return list(heard.values())[:MOST_LESSONS]


def seeds(store: Store | Stores, query: Query, count: int) -> list[Found]:
    """Kernels that could answer the operator unchanged, the fastest on the query's own target first.

    Their reference is the same, or has the same constructor, call and graph.
    """
    own, shape = operator_id(query.operator), surface(query.operator)
    here = [pair for pair in _ranked(store, query) if (pair[0].dsl, pair[0].platform) == (query.dsl, query.platform)]
    found = []
    for entry, score in _fetched(store, here):
        alike = entry.features.primitives == query.features.primitives and not query.features.unknown
        if operator_id(entry.operator) == own or (alike and surface(entry.operator) == shape):
            found.append(Found(entry, score + _merit(entry, query)))
    return sorted(found, key=lambda f: (-f.score, f.entry.id))[:count]


def _same_text(one: str, other: str) -> bool:
    """Whether two references are one text, or their models are, whatever inputs they are given."""
    return operator_id(one) == operator_id(other) or model_text(one) == model_text(other)


def _ranked(store: Store | Stores, query: Query, *, same_language: bool = False) -> list[tuple[Outline, float]]:
    """All judged entries that are relevant, with their scores; only those of the query's DSL and platform if asked."""
    told = store.matching(query.terms)
    most = max(told.values(), default=0.0)
    own = operator_id(query.operator)
    ranked = []
    for one in store.outlines():
        if same_language and (one.dsl, one.platform) != (query.dsl, query.platform):
            continue
        text = told.get(one.id, 0.0) / most if most else 0.0
        if one.operator == own:
            ranked.append((one, 1.0 + TEXT_SHARE * text))
        elif query.features.unknown or one.features.unknown:
            share = _share(store, query, one)
            if share >= TEXT_FLOOR:
                ranked.append((one, FLOOR * share + TEXT_SHARE * text))
        elif structure(query.features, one.features) >= FLOOR:
            ranked.append((one, likeness(query.features, one.features) + TEXT_SHARE * text))
    return ranked


def _share(store: Store | Stores, query: Query, one: Outline) -> float:
    """Share of the query's words that an entry's reference has."""
    asked = set(words(query.operator))
    (entry,) = store.find([one.id]).values() or (None,)
    return len(asked & set(words(entry.operator))) / len(asked) if entry and asked else 0.0


def _merit(entry: Entry, query: Query) -> float:
    """What ranks equally similar kernels: the same target, evidence, speed."""
    executed, speedup = entry.worth
    fast = max(-0.05, min(0.05, 0.02 * math.log2(speedup))) if speedup > 0 else 0.0
    return 0.05 * (entry.target == query.target) + 0.02 * executed + fast


def _varied(found: Sequence[Found], count: int) -> list[Found]:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): similar to the query, unlike those chosen before."""
    left, chosen = list(found), list[Found]()
    while left and len(chosen) < count:
        best = max(left, key=lambda one: one.score - VARIETY * _nearest(one, chosen))
        chosen.append(best)
        left.remove(best)
    return chosen


def _nearest(one: Found, chosen: Sequence[Found]) -> float:
    return max((structure(one.entry.features, other.entry.features) for other in chosen), default=0.0)


def _fetched(store: Store | Stores, ranked: Sequence[tuple[Outline, float]]) -> list[tuple[Entry, float]]:
    """The entries of the best outlines; one that was removed meanwhile is left out."""
    best = sorted(ranked, key=lambda pair: (-pair[1], pair[0].id))[:MOST_READ]
    entries = store.find([one.id for one, _ in best])
    return [(entries[one.id], score) for one, score in best if one.id in entries]
