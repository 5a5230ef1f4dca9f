"""Structures of inputs: what several draws show of indices, offsets and masks, and what may be made of them."""

import pytest
import torch

from akgflow.verification.reference.distributions import InputInvariant, borders
from akgflow.verification.reference.operator import seeded
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.special.overwriting import Overwriting
from akgflow.verification.reference.special.structures import Role, kinds_of, structures_for

DRAWS = 8
OPERATOR = """
import torch

class Model(torch.nn.Module):
    def forward(self, {names}):
        {body}

def get_inputs():
    {before}
    return [{inputs}]

def get_init_inputs():
    return []
"""


def reference(inputs, body, before="pass", names="x, i", dtype=None):
    text = OPERATOR.format(names=names, body=body, before=before, inputs=inputs)
    made = Reference(text, "operator.py", {}, dtype, "cpu")
    made.prepare()
    return made


def asked(made):
    """The structures that the draws have, by name."""
    parts = (draw.distribution.split(", ") for draw in made.draws)
    return {part for one in parts for part in one}


def drawn(make):
    """Several draws, and what they have in common."""
    with seeded(3):
        draws = [make() for _ in range(DRAWS)]
    return draws, [borders(column) for column in zip(*draws, strict=True)]


def offsets(groups=12, count=40):
    ends = torch.randint(0, count + 1, (groups,)).sort().values
    ends[0], ends[-1] = 0, count
    return ends


def padding():
    return torch.arange(30) < torch.randint(1, 31, (20, 1))


def with_counts():
    ids = torch.randint(0, 5, (60,))
    return [ids, torch.bincount(ids, minlength=5)]


def with_its_order():
    ids = torch.randint(0, 5, (60,))
    return [ids, ids.argsort(stable=True)]


def with_its_mask():
    lengths = torch.randint(1, 31, (20,))
    return [lengths, torch.arange(30) < lengths[:, None]]


def ranges():
    first = torch.randint(0, 20, (9,))
    return [first, first + torch.randint(0, 9, (9,))]


KINDS = {
    "classes": (lambda: [torch.randint(0, 9, (50,))], [Role.INDEX]),
    "experts by token": (lambda: [torch.randint(0, 9, (50, 2))], [Role.INDEX]),
    "classes, some ignored": (lambda: [torch.randint(-1, 9, (50,))], [Role.INDEX]),
    "edges": (lambda: [torch.randint(0, 30, (80,)), torch.randint(0, 30, (80,))], [Role.INDEX, Role.INDEX]),
    "no row names one twice": (lambda: [torch.rand(40, 9).topk(2).indices], [Role.ROWS]),
    "a permutation": (lambda: [torch.randperm(40)], [Role.OTHER]),
    "pages": (lambda: [torch.randperm(64)[:20].reshape(4, 5)], [Role.OTHER]),
    "a permutation of each row": (lambda: [torch.rand(6, 9).argsort(-1)], [Role.OTHER]),
    "sparse places": (lambda: [torch.randint(0, 1 << 20, (9,))], [Role.OTHER]),
    "packed words": (lambda: [torch.randint(-(2**31), -5, (50,)).int()], [Role.OTHER]),
    "bytes": (lambda: [torch.randint(0, 256, (50,), dtype=torch.uint8)], [Role.OTHER]),
    "two lengths": (lambda: [torch.randint(0, 9, (2,))], [Role.OTHER]),
    "a constant": (lambda: [torch.arange(9) % 4], [Role.OTHER]),
    "offsets": (lambda: [offsets()], [Role.OFFSETS]),
    "offsets of groups that all have some": (lambda: [torch.randint(1, 5, (12,)).cumsum(0)], [Role.OTHER]),
    "sorted ids": (lambda: [torch.randint(0, 6, (50,)).sort().values], [Role.IDS]),
    "shares of a whole": (lambda: [offsets().diff()], [Role.OTHER]),
    "a mask": (lambda: [torch.rand(20, 30) < 0.5], [Role.MASK]),
    "a mask of blocks": (lambda: [(torch.rand(5, 30) < 0.5).repeat_interleave(4, 0)], [Role.OTHER]),
    "a mask of ones": (lambda: [(torch.rand(20, 30) < 0.5).float()], [Role.MASK]),
    "a mask of whole numbers": (lambda: [(torch.rand(20, 30) < 0.5).long()], [Role.MASK]),
    "minus infinity": (lambda: [torch.where(torch.rand(20, 30) < 0.5, 0.0, -torch.inf)], [Role.MASK]),
    "one of each row": (lambda: [torch.eye(9)[torch.randint(0, 9, (20,))]], [Role.OTHER]),
    "two classes": (lambda: [torch.randint(0, 2, (50,))], [Role.INDEX]),
    "a padding": (lambda: [padding()], [Role.MASK]),
    "ids and their counts": (with_counts, [Role.OTHER, Role.OTHER]),
    "ids and their order": (with_its_order, [Role.OTHER, Role.OTHER]),
    "lengths and their mask": (with_its_mask, [Role.OTHER, Role.OTHER]),
    "beginnings and ends": (ranges, [Role.OTHER, Role.OTHER]),
}


@pytest.mark.parametrize("name", KINDS)
def test_several_draws_show_what_a_tensor_is(name):
    make, wanted = KINDS[name]
    assert [kind.role for kind in kinds_of(*drawn(make))] == wanted


def test_a_number_that_varies_with_the_tensors_says_that_they_depend_on_something():
    def make():
        lengths = torch.randint(1, 31, (20,))
        return [lengths, int(lengths.max())]

    with seeded(1):
        draws = [make() for _ in range(DRAWS)]
    assert [kind.role for kind in kinds_of(draws, [InputInvariant(False)])] == [Role.OTHER]


@pytest.mark.parametrize("name", [name for name, (_, roles) in KINDS.items() if set(roles) != {Role.OTHER}])
def test_a_structure_keeps_what_all_draws_have_in_common(name):
    make, _ = KINDS[name]
    draws, found = drawn(make)
    kinds = kinds_of(draws, found)
    seen = set(torch.cat([one.flatten() for made in draws for one in made]).tolist())
    for number in range(20):
        for structure in structures_for(kinds):
            with seeded(number):
                made = make()
                changed = structure.of(made, kinds)
            for before, after in zip(made, changed, strict=True):
                assert (before.shape, before.dtype, before.stride()) == (after.shape, after.dtype, after.stride())
                assert structure.role is Role.OFFSETS or set(after.tolist() if after.dim() == 1 else []) <= seen
                if structure.role in (Role.IDS, Role.OFFSETS):
                    assert bool((after.diff() >= 0).all())
                    assert (after[0], after[-1]) == (before[0], before[-1])
                if structure.role is Role.OFFSETS:
                    assert int(after.diff().max()) <= int(before.diff().max())
                if structure.role is Role.ROWS:
                    assert bool((after.sort(-1).values.diff(dim=-1) > 0).all())
                if name == "a padding":
                    assert bool((after.int().diff(dim=1) <= 0).all())


def test_groups_are_emptied_at_both_ends_and_one_index_stands_for_all():
    draws, found = drawn(lambda: [offsets(), torch.randint(0, 9, (50,))])
    kinds = kinds_of(draws, found)
    by_name = {(one.name, one.role): one for one in structures_for(kinds)}
    empty = by_name["empty groups", Role.OFFSETS].of(draws[0], kinds)[0].diff()
    assert empty[0] == empty[-1] == 0
    assert int((empty == 0).sum()) > int((draws[0][0].diff() == 0).sum())
    assert by_name["repeated indices", Role.INDEX].of(draws[0], kinds)[1].unique().numel() == 1
    assert by_name["sorted indices", Role.INDEX].of(draws[0], kinds)[1].diff().min() >= 0
    few = by_name["empty groups", Role.INDEX].of(draws[0], kinds)[1]
    assert few.diff().max() <= 0 and not {0, 8} & set(few.tolist())


def test_rows_of_a_mask_show_one_element_at_an_end_all_or_none():
    draws, found = drawn(lambda: [torch.rand(40, 30) < 0.5])
    kinds = kinds_of(draws, found)
    whole, one = (structure.of(draws[0], kinds)[0] for structure in structures_for(kinds))
    assert {0, 1, 29, 30} <= set(whole.sum(1).tolist())
    assert {1, 29} <= set(one.sum(1).tolist()) and not {0, 30} & set(one.sum(1).tolist())
    alone = one[one.sum(1) == 1]
    assert bool((alone[:, 0] | alone[:, -1]).all())


ADDS = "return torch.zeros(9, x.shape[1], dtype=x.dtype).index_add_(0, i, x)"
INDEX = "torch.randn(64, 7), torch.randint(0, 9, (64,))"
ASKED = {
    "a sum by index": (INDEX, ADDS, {"repeated indices", "empty groups", "sorted indices"}),
    "the last one written stays": (
        INDEX,
        "return torch.zeros(9, x.shape[1], dtype=x.dtype).index_copy(0, i, x)",
        set(),
    ),
    "the last one put stays": (INDEX, "out = x.new_zeros(9, 7); out[i] = x; return out", set()),
    "a mean of what may be nothing": (
        INDEX,
        f"{ADDS[7:].join(('total = ', ''))}; return total / torch.bincount(i, minlength=9)[:, None]",
        {"sorted indices"},
    ),
    "a mean that is never of nothing": (
        INDEX,
        f"{ADDS[7:].join(('total = ', ''))}; return total / torch.bincount(i, minlength=9).clamp(min=1)[:, None]",
        {"repeated indices", "empty groups", "sorted indices"},
    ),
    "sums of masked rows": (
        "torch.randn(20, 30), torch.rand(20, 30) < 0.6",
        "return (x * i).sum(1)",
        {"masked rows"},
    ),
    "a row with nothing is NaN, and never is": (
        "torch.randn(20, 30), torch.rand(20, 30) < 0.6",
        "return x.masked_fill(~i, -torch.inf).softmax(-1)",
        {"masked rows", "clustered maxima"},
    ),
    "a recurrence": (
        "torch.rand(4, 40), torch.randn(4, 40)",
        "h, out = i[:, 0] * 0, []\n        for t in range(40):\n            h = x[:, t] * h + i[:, t]; out.append(h)\n"
        "        return torch.stack(out)",
        {"decays near one", "decays near zero"},
    ),
    "an argmax": ("torch.randn(20, 30), 3", "return x.argmax(-1)", {"clustered maxima"}),
}
STRUCTURES = {"repeated indices", "empty groups", "sorted indices", "masked rows", "clustered maxima"}
STRUCTURES |= {"decays near one", "decays near zero"}


@pytest.mark.parametrize("name", ASKED)
def test_a_structure_is_asked_where_the_answer_to_it_is_defined(name):
    inputs, body, wanted = ASKED[name]
    made = reference(inputs, body)
    assert asked(made) & STRUCTURES == wanted
    assert all(bool(torch.isfinite(one.oracle).all()) for draw in made.draws for one in draw.expected)


@pytest.mark.parametrize("rows", [1, 20])
def test_what_hangs_on_the_order_of_equals_is_not_judged(rows):
    body = "return i.gather(1, x.softmax(-1).argmax(-1, keepdim=True))"
    for _ in range(4):
        made = reference(f"torch.randn({rows}, 30), torch.randn({rows}, 30)", body)
        for draw in made.draws:
            if draw.distribution.startswith("clustered"):
                x, values = draw.inputs
                last = 29 - x.softmax(-1).flip(-1).argmax(-1, keepdim=True)
                assert not draw.compare([values.gather(1, last)], 1.0)[0].wrong


def test_structures_share_sets_of_inputs_with_distributions():
    with_index = reference(INDEX, ADDS)
    without = reference("torch.randn(64, 7), torch.arange(64) % 9", ADDS)
    assert len(with_index.draws) <= len(without.draws) + 1


WRITES = {
    "index_put": ("out[torch.tensor([1, 1])] = torch.randn(2, 3)", True),
    "index_put of one value": ("out[torch.tensor([1, 1])] = 2.0", False),
    "index_put apart": ("out[torch.tensor([1, 2])] = torch.randn(2, 3)", False),
    "index_put in two dimensions": ("out[torch.tensor([1, 1]), torch.tensor([0, 1])] = torch.randn(2)", False),
    "index_put behind a slice": ("out[:, torch.tensor([1, 1])] = torch.randn(5, 2)", True),
    "accumulated": ("out.index_put_((torch.tensor([1, 1]),), torch.randn(2, 3), accumulate=True)", False),
    "scatter": ("out.scatter_(0, torch.tensor([[1, 2, 2], [1, 1, 0]]), torch.randn(2, 3))", True),
    "scatter apart": ("out.scatter_(0, torch.tensor([[1, 2, 2], [0, 1, 0]]), torch.randn(2, 3))", False),
    "scatter_add": ("out.scatter_add_(0, torch.tensor([[1, 2, 2], [1, 1, 0]]), torch.randn(2, 3))", False),
    "index_copy": ("out.index_copy_(0, torch.tensor([1, 1]), torch.randn(2, 3))", True),
    "put": ("out.put_(torch.tensor([1, 1]), torch.randn(2))", True),
}


@pytest.mark.parametrize("name", WRITES)
def test_several_writes_to_one_place_are_seen(name):
    statement, wanted = WRITES[name]
    with Overwriting() as writes:
        exec(statement, {"torch": torch, "out": torch.zeros(5, 3)})
    assert writes.found is wanted
