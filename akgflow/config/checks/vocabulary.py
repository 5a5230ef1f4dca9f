"""Names that mean something to akgflow: the one table of kinds of operators, and the facts that targets have.

Another name is an error, because nothing would read it. Names of one's own are written so that they are no typo:
a kind that starts with ``x-``, a fact below ``extra``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache

from akgflow.config._problems import Problems, nearest, quoted, suggest
from akgflow.config._schema import keys_at
from akgflow.config._yaml import Node

OWN_KIND = "x-"
"""What a kind of operator starts with that is one's own."""

OPERATOR_KINDS: Mapping[str, tuple[str, ...]] = {
    "gemm": ("matmul", "linear", "batched_gemm", "mm", "bmm", "einsum"),
    "conv": ("convolution", "conv1d", "conv2d", "conv3d", "conv_transpose"),
    "pool": ("pooling", "max_pool", "avg_pool"),
    "attention": ("sdpa", "flash_attention"),
    "softmax": ("log_softmax",),
    "normalization": ("norm", "layernorm", "rmsnorm", "batchnorm", "groupnorm", "instancenorm"),
    "reduction": ("reduce", "sum", "mean", "max", "min", "logsumexp", "argmax", "argmin", "topk"),
    "loss": ("cross_entropy", "mse"),
    "scan": ("cumsum", "cumprod"),
    "elementwise": ("pointwise", "activation", "relu", "gelu", "silu"),
    "indexing": ("gather", "scatter", "embedding", "sort"),
}
"""Kinds of operators, each with other names for it. A kind chooses documents of the DSL packs."""

_KIND_OF = {name: kind for kind, others in OPERATOR_KINDS.items() for name in (kind, *others)}
KIND_NAMES = tuple(_KIND_OF)
"""Every name that a kind of operator has."""


def kind_of_operator(name: str) -> str:
    """The kind that ``name`` is a name of; one's own kinds have one name."""
    return _KIND_OF.get(name, name)


def is_own_kind(name: str) -> bool:
    """True for a kind that a DSL pack and a task have agreed on between themselves."""
    return name.startswith(OWN_KIND) and len(name) > len(OWN_KIND)


def check_kinds_of_pack(pack: Node, problems: Problems) -> None:
    """Every kind that a pack has documents for is one, and none of them is there under two names."""
    both = pack.at("knowledge", "by_platform_and_operator")
    listed = (pack.at("knowledge", "by_operator"), *(both.entries.values() if both else ()))
    for documents in filter(None, listed):
        _check_kinds(documents, problems)


def _check_kinds(documents: Node, problems: Problems) -> None:
    seen: dict[str, str] = {}
    for name, node in documents.entries.items():
        kind = kind_of_operator(name)
        if not is_own_kind(name) and kind not in OPERATOR_KINDS:
            problems.add(node.place, f"there is no kind of operator {quoted(name)}", _kind_hint(name))
        elif kind in seen:
            what = f"{quoted(name)} and {quoted(seen[kind])} are names of one kind of operator"
            problems.add(node.place, what, f"keep one of them, best {kind!r}")
        seen.setdefault(kind, name)


def check_kind_of_task(task: Node, own: Collection[str], problems: Problems) -> None:
    """The kind of a task's operator is in the table, or is one of the packs' ``own``."""
    node = task.at("operator", "kind")
    if node is None or node.text is None or node.text in KIND_NAMES:
        return
    if is_own_kind(node.text):
        if node.text not in own:
            what = f"no DSL pack has documents for operators of the kind {quoted(node.text)}"
            problems.add(node.mark, what, suggest(node.text, own) if own else "name it in a pack's by_operator")
        return
    problems.add(node.mark, f"there is no kind of operator {quoted(node.text)}", _kind_hint(node.text))


def _kind_hint(name: str) -> str:
    meant = nearest(name, KIND_NAMES)
    return (
        f"did you mean {meant!r}?" if meant else f"{suggest('', OPERATOR_KINDS)}, or write your own as {OWN_KIND}NAME"
    )


def own_kinds(packs: Iterable[Node]) -> set[str]:
    """The kinds of the packs' own."""
    listed = (pack.at("knowledge", "by_operator") for pack in packs)
    return {name for node in listed if node for name in node.entries if is_own_kind(name)}


def fact_names(targets: Node | None) -> frozenset[str]:
    """Every name that a fact of a target may have: those of the schema, and one's own of any target."""
    found = set(known_facts())
    for target in targets.entries.values() if targets else ():
        extra = target.at("facts", "extra")
        found.update(extra.entries if extra else ())
    return frozenset(found)


@cache
def known_facts() -> tuple[str, ...]:
    """The facts that the schema of ``hardware.yaml`` lists."""
    return tuple(name for name in keys_at("hardware", "target", "facts") if name != "extra")


def check_extra(targets: Node | None, problems: Problems) -> None:
    """No fact of one's own has the name of a known one, whose readers it would mislead."""
    for target in targets.entries.values() if targets else ():
        extra = target.at("facts", "extra")
        for name, node in extra.entries.items() if extra else ():
            if name in known_facts():
                problems.add(node.place, f"the fact {name!r} is no fact of your own", "write it beside 'extra'")
