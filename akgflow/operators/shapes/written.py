"""Sizes that ``get_inputs`` and ``get_init_inputs`` write out themselves: names of their own, and numbers.

``n = 1024`` in ``get_inputs`` is the size ``n``, and ``torch.randn(16, 128)`` has the sizes ``number_16`` and
``number_128``. Equal numbers move together, those of ``get_init_inputs`` too: they may have to agree. A number stays
where it says what is computed (``dim=2``, ``kernel_size``, ``x * 2``), and where the rest of the file has it as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from akgflow.operators.constants import assigned, whole_number

INPUTS, INIT = ("get_inputs", "get_inputs_dyn_list"), "get_init_inputs"
MAKERS = (*INPUTS, INIT)
"""The functions that give an operator's inputs and the arguments of its model."""
MEANING = re.compile(
    r"kernel|stride|pad|dilat|group|axis|axes|seed|top_?k|scale_factor|upscale|downscale|factor|rank_|bits",
    re.IGNORECASE,
)
"""Names of numbers that say what is computed, and not how large it is."""
SIZE = re.compile(
    r"features|channels|hidden|units|width|classes|vocab|embed|emb_dim|inner|intermediate|ffn|d_model|d_ff|d_inner|"
    r"output_size|input_size",
    re.IGNORECASE,
)
"""Names of numbers that are sizes though only ``get_init_inputs`` reads them: of parameters and outputs."""
_OF_SHAPES = ("rand", "randn", "zeros", "ones", "empty", "randperm", "arange")
_FIRST_OF_SHAPE = ("full",)
_UNNAMED = "number_"
_SIZE_KEYWORDS = ("size", "shape")
_NO_SIZES = re.compile(r"dim|device|dtype|generator|ndim|diagonal|std|mean|low|fill_value", re.IGNORECASE)


@dataclass(frozen=True)
class Number:
    """One place of a whole number above one."""

    value: int
    line: int
    """Counted from 1."""
    column: int
    """In bytes."""
    length: int
    """In bytes."""


class _Role(Enum):
    """What a number is where it stands."""

    SIZE = 1
    """Of a tensor."""
    FREE = 2
    """It moves with an equal size."""
    KEPT = 3


@dataclass
class _Found:
    """What the makers of one file write out."""

    numbers: dict[int, list[Number]] = field(default_factory=dict)
    """By value."""
    sized: set[int] = field(default_factory=set)
    """Values that are a size somewhere."""
    bounds: set[int] = field(default_factory=set)
    """Values that the inputs have and that are no size where they stand."""
    names: dict[str, list[Number]] = field(default_factory=dict)
    """Of names that belong to the makers."""


def number_at(node: ast.expr) -> Number | None:
    """The place of a whole number above one that is written on one line, as ``1024`` or ``16 * 64``."""
    value = whole_number(node)
    if value is None or value < 2 or node.end_lineno != node.lineno or node.end_col_offset is None:
        return None
    return Number(value, node.lineno, node.col_offset, node.end_col_offset - node.col_offset)


def replaced(source: str, values: Mapping[Number, int]) -> str:
    """The text in which other numbers stand in these places."""
    lines = [line.encode() for line in source.split("\n")]
    # From the end, so that earlier places stay where they are.
    for one in sorted(values, key=lambda one: (one.line, one.column), reverse=True):
        line = lines[one.line - 1]
        lines[one.line - 1] = line[: one.column] + str(values[one]).encode() + line[one.column + one.length :]
    return b"\n".join(lines).decode()


def written(tree: ast.Module) -> Mapping[str, tuple[Number, ...]]:
    """The sizes by name, each with its places, in the order of the file."""
    makers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in MAKERS]
    # What is a size of the inputs is one of the model, too.
    makers.sort(key=lambda maker: maker.name == INIT)
    rest = [node for node in tree.body if node not in makers]
    taken = {one.id for node in rest for one in _outer_names(node)}
    found = _Found()
    for maker in makers:
        _note_names(maker, taken, found)
        roles = _Roles(_parameters(rest) if maker.name == INIT else ())
        for node in maker.body:
            roles.visit(node, _Role.KEPT)
        for number, role in roles.found:
            if any(number in places for places in found.names.values()):
                continue
            found.numbers.setdefault(number.value, []).append(number)
            if maker.name != INIT:
                (found.sized if role is _Role.SIZE else found.bounds).add(number.value)
    elsewhere = {one for node in rest for one in map(whole_number, _constants(node)) if one is not None}
    groups = _grouped(found, elsewhere)
    return dict(sorted(groups.items(), key=lambda one: (one[1][0].line, one[1][0].column)))


def _grouped(found: _Found, elsewhere: set[int]) -> dict[str, tuple[Number, ...]]:
    """One size for each name, and for each number; a number that one name has, too, goes by the name.

    A bound that is larger or smaller by one was counted from a size (``randint(1, 61)`` for rows of 60): it stays.
    """
    groups = {name: tuple(places) for name, places in found.names.items()}
    for value, places in found.numbers.items():
        names = [name for name, own in found.names.items() if own[0].value == value]
        if not names and (value not in found.sized or value in elsewhere):
            continue
        every = {*places, *(one for name in names for one in groups.pop(name))}
        name = names[0] if len(names) == 1 else f"{_UNNAMED}{value}"
        groups[name] = tuple(sorted(every, key=lambda one: (one.line, one.column)))
    return {name: places for name, places in groups.items() if not _counted_from(places[0].value, found)}


def _counted_from(value: int, found: _Found) -> bool:
    return any(one in found.bounds and one not in found.sized for one in (value - 1, value + 1))


def is_unnamed(name: str) -> bool:
    """Whether a size is a number by itself: who wrote it may not have thought of others, 1 least of all."""
    return name.startswith(_UNNAMED)


def _note_names(maker: ast.FunctionDef, taken: set[str], found: _Found) -> None:
    """The names that a maker binds once, to a number, and reads."""
    own = [node for node in ast.walk(maker) if isinstance(node, ast.Name)]
    bound = [one.id for one in own if isinstance(one.ctx, ast.Store)]
    read = {one.id for one in own if isinstance(one.ctx, ast.Load)}
    arguments = {one.arg for one in (*maker.args.args, *maker.args.kwonlyargs)}
    here: dict[str, Number] = {}
    for node in maker.body:
        for name, value in assigned(node):
            number = number_at(value) if value is not None else None
            if number is not None and name in read and bound.count(name) == 1 and not MEANING.search(name):
                here[name] = number
    for name, number in here.items():
        if (
            name in taken
            or name in arguments
            or (maker.name == INIT and not (SIZE.search(name) or name in found.names))
        ):
            continue
        places = found.names.setdefault(name, [])
        if places and places[0].value != number.value:
            # Two sizes of one name.
            taken.add(name)
            del found.names[name]
        else:
            places.append(number)


class _Roles:
    """Goes through a maker, and notes each number with what it is there. ``arguments`` are those of the model."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.found: list[tuple[Number, _Role]] = []
        self._arguments = arguments

    def visit(self, node: ast.AST, role: _Role) -> None:
        """Note the numbers at and below a node that stands in this role."""
        number = number_at(node) if isinstance(node, ast.expr) else None
        if number is not None:
            if role is not _Role.KEPT:
                self.found.append((number, role))
            return
        match node:
            case ast.Return(value=ast.List() | ast.Tuple() as value) if self._arguments:
                self._visit_arguments(value)
            case ast.Call():
                self._visit_call(node)
            case ast.Assign() | ast.AnnAssign():
                self._visit_assignment(node)
            case ast.Dict(keys=keys, values=values):
                for key, one in zip(keys, values, strict=True):
                    name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
                    self.visit(one, _Role.KEPT if MEANING.search(name) else role)
            case ast.Subscript(value=value) | ast.Attribute(value=value):
                self.visit(value, _Role.KEPT)
            case ast.List() | ast.Tuple() | ast.Starred():
                self._visit_below(node, role)
            case ast.Return():
                self._visit_below(node, _Role.FREE)
            case _:
                self._visit_below(node, _Role.KEPT)

    def _visit_below(self, node: ast.AST, role: _Role) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child, role)

    def _visit_assignment(self, node: ast.Assign | ast.AnnAssign) -> None:
        for name, value in assigned(node):
            # A value that is unpacked by something else is seen in none of the names.
            if value is not None:
                is_shape = isinstance(value, ast.Tuple | ast.List) and not self._arguments
                role = _Role.SIZE if is_shape else _Role.FREE
                self.visit(value, _Role.KEPT if MEANING.search(name) else role)

    def _visit_arguments(self, value: ast.List | ast.Tuple) -> None:
        """What the model is made with: by the names of its parameters."""
        elements = value.elts
        if len(elements) == 2 and isinstance(elements[0], ast.List | ast.Tuple) and isinstance(elements[1], ast.Dict):
            self.visit(elements[1], _Role.FREE)
            elements = elements[0].elts
        for place, one in enumerate(elements):
            name = self._arguments[place] if place < len(self._arguments) else ""
            self.visit(one, _Role.KEPT if MEANING.search(name) else _Role.FREE)

    def _visit_call(self, call: ast.Call) -> None:
        self.visit(call.func, _Role.KEPT)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for place, one in enumerate(call.args):
            shaped = name in _OF_SHAPES or (name in _FIRST_OF_SHAPE and place == 0)
            # Bounds of random integers are numbers, their size is a tuple.
            shaped = shaped or (name == "randint" and isinstance(one, ast.Tuple | ast.List))
            self.visit(one, _Role.SIZE if shaped else _Role.KEPT if name == "range" else _Role.FREE)
        for keyword in call.keywords:
            said = keyword.arg or ""
            kept = MEANING.search(said) or _NO_SIZES.fullmatch(said)
            self.visit(keyword.value, _Role.SIZE if said in _SIZE_KEYWORDS else _Role.KEPT if kept else _Role.FREE)


def _parameters(rest: Sequence[ast.stmt]) -> tuple[str, ...]:
    """The names that ``Model`` is made with; one without a meaning where they are not written out."""
    models = (node for node in rest if isinstance(node, ast.ClassDef) and node.name == "Model")
    made = (
        one for model in models for one in model.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"
    )
    signature = next((one.args for one in made), None)
    names = () if signature is None else tuple(one.arg for one in (*signature.posonlyargs, *signature.args))
    return names[1:] or ("",)


def _constants(node: ast.AST) -> Iterator[ast.expr]:
    """Numbers of functions and classes; what a global holds is a size by its own name."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield from (one for one in ast.walk(node) if isinstance(one, ast.Constant | ast.BinOp))


def _outer_names(node: ast.stmt) -> Iterator[ast.Name]:
    """The names that a statement of the top level binds."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield from (one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
