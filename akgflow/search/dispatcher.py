"""Several kernels as one module, whose ``ModelNew`` picks one of them by the sizes of each call."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from akgflow.base.text import python_text
from akgflow.config.types import Scalar
from akgflow.operators.shapes.sizes import sizes
from akgflow.search.winners import Choice, Row

_TEXT = '''\
"""{count} verified kernels as one, made by akgflow: each call goes to the one that was the fastest for its sizes.

A call with the sizes of a case goes to that case's kernel. Between the cases, what each kernel gained at the two
nearest ones is interpolated (weighted by the inverse square of the distance, by the logarithms of the sizes), and the
one that should gain most is called. Where none should gain `LEAST`, and outside the cases, that is the best kernel for
all of them together. A kernel that was not right on other shapes than the cases is called for those alone; where that
leaves none, ValueError is raised.
"""

import linecache
import math
import operator

MEMBERS = {{
{members}}}
"""The kernels' texts, the best for all cases together first."""
GENERAL = {general!r}
"""The kernels that were right on other shapes than the cases, too."""
CASES = (
{cases})
"""For each case its sizes, the kernel for it, and how many times as fast as the first kernel each one was there."""
RANGES = {ranges!r}
"""From the least to the largest of each size."""
COLUMNS = {columns!r}
"""The sizes that differ between the cases, each once."""
LEAST, NEAREST = 1.05, 2
MOST_KNOWN = 4096


{sizes}
_shape = operator.attrgetter("shape")


def _chosen(found):
    """The name of the kernel for these sizes; raises ValueError."""
    for known, name, _ in CASES:
        if known == tuple(found):
            return name
    gains = {{name: 0.0 for name in MEMBERS if name in GENERAL}}
    if len(found) == len(RANGES) and all([low <= size <= high for size, (low, high) in zip(found, RANGES)]):
        near = sorted([(1.0 / max(_distance(found, known), 1e-9), gained) for known, _, gained in CASES])[-NEAREST:]
        near = [(weight / sum([one for one, _ in near]), gained) for weight, gained in near]
        for place, name in enumerate(MEMBERS):
            if name in gains:
                gains[name] = sum([weight * math.log(gained[place]) for weight, gained in near])
    best = next(iter(MEMBERS))
    name = max(gains, key=gains.get, default=None)
    if best in GENERAL and gains[name] < math.log(LEAST):
        name = best
    if name is None:
        raise ValueError(f"sizes {{found}} are none of those that were verified, and no kernel was right on others")
    return name


def _distance(found, known):
    return sum([math.log(max(found[at], 1) / max(known[at], 1)) ** 2 for at in COLUMNS])


def _entry(name, text):
    """``ModelNew`` of a kernel's text. Its lines are where those who look for a function's source find them."""
    file = f"{{__file__}}:{{name}}"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {{"__name__": __name__, "__file__": __file__}}
    exec(compile(text, file, "exec"), space)
    return space["ModelNew"]


def _places(module):
    """Where each tensor of a module's state is held: a dictionary and a key, by its name."""
    named = {{
        f"{{path}}.{{key}}".lstrip("."): (held, key)
        for path, one in module.named_modules()
        for held in (one._parameters, one._buffers)
        for key in held
    }}
    return {{name: named[name] for name in module.state_dict()}}


_ENTRIES = {{name: _entry(name, text) for name, text in MEMBERS.items()}}
_FIRST = next(iter(_ENTRIES.values()))


class ModelNew(_FIRST):
    """The best kernel's model, which holds the state, with the others beside it."""

    _dispatch_others = {{}}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # In a dictionary they are no submodules: the state is there once.
        others = [entry(*args, **kwargs) for entry in list(_ENTRIES.values())[1:]]
        self._dispatch_others = dict(zip(list(_ENTRIES)[1:], others))
        self._dispatch_made = sizes([args, kwargs])
        self._dispatch_known = {{}}
        here = _places(self)
        self._dispatch_ties = {{
            name: [(*here[one], *place) for one, place in _places(other).items()]
            for name, other in self._dispatch_others.items()
        }}
        for name in self._dispatch_others:
            self._dispatch_lend(name)

    def forward(self, *args, **kwargs):
        if not kwargs:
            try:
                call, ties = self._dispatch_known[tuple(map(_shape, args))]
            except (AttributeError, KeyError):
                pass
            else:
                for held, key, there, its_key in ties:
                    there[its_key] = held[key]
                return call(*args)
        return self._dispatch_first(args, kwargs)

    def _dispatch_first(self, args, kwargs):
        """A call with sizes that were not seen yet, or with more than tensors by position."""
        state = self.state_dict()
        name = _chosen([*self._dispatch_made, *sizes([[state[one] for one in sorted(state)], args, kwargs])])
        call, ties = super().forward, ()
        if name in self._dispatch_others:
            call, ties = self._dispatch_others[name].forward, self._dispatch_ties[name]
            self._dispatch_lend(name)
        if not kwargs and all([hasattr(one, "shape") for one in args]) and len(self._dispatch_known) < MOST_KNOWN:
            self._dispatch_known[tuple(map(_shape, args))] = call, ties
        return call(*args, **kwargs)

    def prepare(self):
        getattr(super(), "prepare", int)()
        for name, other in self._dispatch_others.items():
            self._dispatch_lend(name)
            getattr(other, "prepare", int)()

    def _dispatch_lend(self, name):
        """Let another kernel work with the state that is here."""
        for held, key, there, its_key in self._dispatch_ties[name]:
            there[its_key] = held[key]

    def train(self, *args, **kwargs):
        for other in self._dispatch_others.values():
            other.train(*args, **kwargs)
        return super().train(*args, **kwargs)

    def _apply(self, *args, **kwargs):
        for other in self._dispatch_others.values():
            other._apply(*args, **kwargs)
        return super()._apply(*args, **kwargs)
'''


def text(choice: Choice) -> str:
    """The module; it needs nothing but PyTorch and what the kernels import."""
    sources = {judged.candidate.id: judged.candidate.source for judged in choice.kernels}
    columns = list(zip(*(row.sizes for row in choice.rows), strict=True))
    return _TEXT.format(
        count=len(sources),
        members="".join(f"    {name!r}: {python_text(source)},\n" for name, source in sources.items()),
        general=tuple(one.candidate for one in choice.winners if one.general),
        cases="".join(map(_case, choice.rows)),
        ranges=tuple((min(column), max(column)) for column in columns),
        columns=tuple(at for at, one in enumerate(columns) if len(set(one)) > 1 and one not in columns[:at]),
        sizes=inspect.getsource(sizes),
    )


def _case(row: Row) -> str:
    gains = tuple(round(one, 3) for one in row.gains)
    return f"    ({row.sizes!r}, {row.candidate!r}, {gains!r}),  # {_named(row.case)}\n"


def _named(case: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{ascii(name)[1:-1]}={value!r}" for name, value in case.items())
