"""Several kernels as one module, whose ``ModelNew`` picks one of them by the sizes of each call."""

from __future__ import annotations

import inspect

from akgflow.base.text import python_text
from akgflow.operators.sizes import sizes
from akgflow.search.winners import Choice

_TEXT = '''\
"""{count} verified kernels as one, made by akgflow: each call goes to the one that was the fastest for its sizes.

A call with the sizes of a case goes to that case's kernel. Between the cases, one goes to the kernel of the nearest
case, by the logarithms of the sizes. Any other goes to the kernel that was the best for all cases together, if that
was right on other shapes than the cases, too; else it raises ValueError.
"""

import linecache
import math

import torch

MEMBERS = {{
{members}}}
"""The kernels' texts, the best for all cases together first."""
GENERAL = {general!r}
"""The kernels that were right on other shapes than the cases, too."""
CASES = (
{cases})
"""For each case its sizes, and the kernel for it."""
RANGES = {ranges!r}
"""From the least to the largest of each size."""
MOST_KNOWN = 4096


{sizes}

def _chosen(found):
    """The name of the kernel for these sizes; raises ValueError."""
    best = next(iter(MEMBERS))
    exact = dict(CASES).get(tuple(found))
    if exact is not None:
        return exact
    if len(found) == len(RANGES) and all([low <= size <= high for size, (low, high) in zip(found, RANGES)]):
        _, name = min((_distance(found, known), name) for known, name in CASES)
        if name in GENERAL:
            return name
    if best in GENERAL:
        return best
    raise ValueError(f"sizes {{found}} are none of those that were verified, and no kernel was right on others")


def _distance(found, known):
    return sum([math.log(max(one, 1) / max(other, 1)) ** 2 for one, other in zip(found, known)])


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
        # In a tuple they are no submodules: the state is there once.
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
        try:
            key = tuple([getattr(one, "shape", one) for one in args])
            name = None if kwargs else self._dispatch_known.get(key)
        except TypeError:
            key = name = None
        if name is None:
            state = self.state_dict()
            name = _chosen([*self._dispatch_made, *sizes([[state[one] for one in sorted(state)], args, kwargs])])
            if key is not None and not kwargs and len(self._dispatch_known) < MOST_KNOWN:
                self._dispatch_known[key] = name
        other = self._dispatch_others.get(name)
        if other is None:
            return super().forward(*args, **kwargs)
        self._dispatch_lend(name)
        return other.forward(*args, **kwargs)

    def _dispatch_lend(self, name):
        """Let another kernel work with the state that is here."""
        other = self._dispatch_others[name]
        if other.training != self.training:
            other.train(self.training)
        for held, key, there, its_key in self._dispatch_ties[name]:
            there[its_key] = held[key]

    def _apply(self, *args, **kwargs):
        for other in self._dispatch_others.values():
            other._apply(*args, **kwargs)
        return super()._apply(*args, **kwargs)
'''


def text(choice: Choice) -> str:
    """The module; it needs nothing but PyTorch and what the kernels import."""
    sources = {judged.candidate.id: judged.candidate.source for judged in choice.kernels}
    columns = zip(*(row.sizes for row in choice.rows), strict=True)
    return _TEXT.format(
        count=len(sources),
        members="".join(f"    {name!r}: {python_text(source)},\n" for name, source in sources.items()),
        general=tuple(one.candidate for one in choice.winners if one.general),
        cases="".join(f"    ({row.sizes!r}, {row.candidate!r}),  # {_named(row.case)}\n" for row in choice.rows),
        ranges=tuple((min(column), max(column)) for column in columns),
        sizes=inspect.getsource(sizes),
    )


def _named(case: object) -> str:
    return ", ".join(f"{ascii(name)[1:-1]}={value!r}" for name, value in dict(case).items())  # type: ignore[call-overload]
