"""The oracle is float64 also where an operator makes tensors by itself, or names a dtype."""

import pytest
import torch
from ways import prepared, reference, refusals

from akgflow.verification.reference.tracing.widening import widening

OWN = {
    "rows added to zeros": ("torch.zeros(9, 16).index_add_(0, torch.arange(40) % 9, x)", {"x": "torch.randn(40, 16)"}),
    "scattered": ("torch.zeros(3, 16).scatter_add_(0, torch.arange(16)[None].expand(40, 16) % 3, x)",
                  {"x": "torch.randn(40, 16)"}),
    "a product by ones": ("x @ torch.ones(16, 4)", {"x": "torch.randn(40, 16)"}),
    "a product by a triangle": ("torch.tril(torch.ones(40, 40)) @ x", {"x": "torch.randn(40, 16)"}),
    "a filter that is made": ("F.conv1d(x, torch.ones(3, 3, 5))", {"x": "torch.randn(2, 3, 40)"}),
    "an accumulator of float32": ("torch.full((40, 4), 0.5, dtype=torch.float32).addmm_(x, y)",
                                  {"x": "torch.randn(40, 16)", "y": "torch.randn(16, 4)"}),
    "written into": ("torch.empty(40, 4).copy_(torch.zeros(40, 4).addmm_(x, y))",
                     {"x": "torch.randn(40, 16)", "y": "torch.randn(16, 4)"}),
    "a recurrence that begins with zeros": ("self.r(x, torch.zeros(1, 4, 8))[0]", {"x": "torch.randn(4, 12, 6)"},
                                            "self.r = nn.GRU(6, 8, batch_first=True)"),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_what_an_operator_makes_is_float64_in_the_oracle(name):
    made = reference(*OWN[name])
    own = made.draws[0]
    (expected,) = own.expected
    apart = (expected.framework.double() - expected.oracle).abs()
    # float32 results of float64 ones would be float32 numbers.
    assert not torch.equal(expected.oracle, expected.oracle.float().double())
    assert 0 < float(apart.max()) < 1e-4
    # What sums to nearly nothing has its bound from what was added.
    assert float(expected.bound.min()) > 1e-7
    assert torch.get_default_dtype() is torch.float32


def test_only_such_operators_are_run_so():
    product = reference(*OWN["a product by ones"])
    assert product.oracle.runner.conditions is widening
    assert prepared("softmax", "float32").oracle.runner.conditions is not widening


def test_sums_in_any_order_are_right_where_all_go_to_one_place():
    text = ("torch.zeros(90, 12).index_add_(0, i, x)", {"x": "torch.randn(64, 12)", "i": "torch.randint(0, 90, (64,))"})
    made = reference(*text)

    def added(factor):
        def answer(_, x, i):
            order = torch.randperm(len(i))
            return factor * torch.zeros(90, 12).index_add_(0, i[order], x[order])

        return answer

    assert not [*refusals(made, added(1.0)), *refusals(made, added(1.0))]
    assert refusals(made, added(1.00002))
