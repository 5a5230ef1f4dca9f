"""Random rounding: forwards that err as sound float32 kernels do, neither less nor much more."""

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from ways import reference

from akgflow.verification.reference.tracing.accumulation import ROWS, drift_of, scale_of, some_sums
from akgflow.verification.reference.tracing.rounding import UNIT, Rounding

CLASSES = torch.randint(0, 50, (40,))
IGNORED = torch.where(torch.arange(40) % 7 == 0, -100, CLASSES)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def chance(*shape):
    return torch.rand(*shape, dtype=torch.float64)


COMPOSED = {
    "softmax": lambda x: torch.softmax(x, 1),
    "log softmax": lambda x: torch.log_softmax(x, 1),
    "logsumexp": lambda x: torch.logsumexp(x, (0, 1)),
    "logsumexp of what is hidden": lambda x: torch.logsumexp(x.masked_fill(x > 0, -torch.inf), 1),
    "layer norm": lambda x: F.layer_norm(x, (50,), x[0], x[1]),
    "layer norm without weights": lambda x: F.layer_norm(x, (40, 50)),
    "RMS norm": lambda x: F.rms_norm(x, (50,), x[0]),
    "group norm": lambda x: F.group_norm(x.view(2, 20, 5, 10), 4, x[0, :20], x[1, :20]),
    "batch norm": lambda x: F.batch_norm(x, x[0], x[1] ** 2, x[2], x[3]),
    "batch norm in training": lambda x: F.batch_norm(x, x[0].clone(), x[1] ** 2, x[2], x[3], training=True),
    "instance norm": lambda x: F.instance_norm(x.view(2, 20, 50)),
    "attention": lambda x: F.scaled_dot_product_attention(*x.view(1, 2, 20, 50).expand(3, 2, 20, 50)),
    "causal attention": lambda x: F.scaled_dot_product_attention(*x.view(1, 2, 20, 50).expand(3, 2, 20, 50),
                                                                 is_causal=True, scale=0.3),
    "masked attention": lambda x: F.scaled_dot_product_attention(*x.view(1, 2, 20, 50).expand(3, 2, 20, 50),
                                                                 attn_mask=torch.ones(20, 20, dtype=torch.bool).tril()),
    "grouped attention": lambda x: F.scaled_dot_product_attention(
        x.view(1, 8, 5, 50), *x[:10].view(1, 1, 2, 5, 50).expand(2, 1, 2, 5, 50), enable_gqa=True
    ),
    "cross entropy": lambda x: F.cross_entropy(x, IGNORED, label_smoothing=0.1),
    "cross entropy with weights": lambda x: F.cross_entropy(x, IGNORED, weight=x[0].abs()),
    "cross entropy of rows": lambda x: F.cross_entropy(x, CLASSES, weight=x[0].abs(), reduction="none"),
    "cross entropy in a plane": lambda x: F.cross_entropy(x.view(2, 50, 4, 5), IGNORED.view(2, 4, 5), reduction="sum"),
    "Huber": lambda x: F.huber_loss(x, x.flip(0), delta=0.7),
    "smooth L1": lambda x: F.smooth_l1_loss(x, x.flip(0), beta=0.7, reduction="sum"),
    "squares": lambda x: F.mse_loss(x, x.flip(0), reduction="none"),
    "soft margin": lambda x: F.soft_margin_loss(x, x.sign()),
    "binary cross entropy": lambda x: F.binary_cross_entropy(x.sigmoid(), (x > 0).double(), weight=x.abs()),
    "with logits": lambda x: F.binary_cross_entropy_with_logits(x, (x > 0).double(), pos_weight=x[0].abs()),
    "divergence": lambda x: F.kl_div(torch.log_softmax(x, 1), torch.softmax(x.flip(0), 1), reduction="batchmean"),
    "distances": lambda x: F.triplet_margin_loss(x, x.flip(0), x.roll(1, 0)),
    "cosines": lambda x: F.cosine_similarity(x, x.flip(0)),
    "norms": lambda x: x.norm() + x.norm(dim=1) + torch.linalg.vector_norm(x, 1, dim=1) + x.norm(torch.inf, dim=1),
    "deviations": lambda x: torch.stack([*torch.std_mean(x, 1), *torch.var_mean(x, 1), x.std(1), x.var(1)]),
    "products": lambda x: torch.addmm(x[:, :40], x, x.T) @ x[:, 0] + torch.dot(x[0], x[1]),
    "batched products": lambda x: torch.einsum("bij,bkj->bik", x.view(4, 10, 50), x.view(4, 10, 50)),
    "convolution": lambda x: F.conv2d(x.view(1, 2, 20, 50), x[:6, :18].reshape(6, 2, 3, 3), x[0, :6], padding=1),
    "transposed convolution": lambda x: F.conv_transpose1d(x.view(1, 40, 50), x[:, :30].reshape(40, 10, 3)),
    "pooling": lambda x: F.avg_pool2d(x.view(1, 40, 50), 3, 2) + F.max_pool2d(x.view(1, 40, 50), 3, 2),
    "adaptive pooling": lambda x: F.adaptive_avg_pool2d(x.view(1, 40, 50), (4, 3)),
    "running sums": lambda x: x.cumsum(-1),
    "sums by index": lambda x: torch.zeros(50, 50).double().index_add_(0, CLASSES, x),
    "functions": lambda x: F.gelu(x) + torch.tanh(x).exp() + F.silu(x) + torch.expm1(x) + x.abs().sqrt() + x.sigmoid(),
    "recurrence": nn.GRU(50, 8).double(),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSED)
def test_a_forward_with_errors_is_the_operation_itself(name):
    given, rounding = normal(40, 50), Rounding()

    def results():
        with torch.no_grad():
            found = COMPOSED[name](given.clone())
        return found if isinstance(found, tuple) else (found,)

    exact = results()
    with rounding.again():
        first = results()
    with rounding.again():
        second = results()
    assert rounding.rounds
    assert rounding.unknown == set()
    for a, b, c in zip(exact, first, second, strict=True):
        near = 1e-5 * float(a.abs().nan_to_num(0.0, 0.0, 0.0).max())
        torch.testing.assert_close(b, a, rtol=1e-5, atol=near)
        torch.testing.assert_close(c, a, rtol=1e-5, atol=near)
        assert not torch.equal(a, b)
        assert not torch.equal(b, c)


@pytest.mark.parametrize(
    "body",
    [
        "x.T.flip(0)",
        "torch.relu(x).amax(1)",
        "F.max_pool2d(x[None], 2)",
        "torch.where(x > 0, x, -1.0)",
        "x.sort(1).values",
    ],
)
def test_what_moves_and_compares_is_exact(body):
    made = reference(body, {"x": "torch.randn(20, 40)"})
    for draw in made.draws:
        (expected,) = draw.expected
        assert bool((expected.bound <= 1.001 * (2**-23 * expected.oracle.abs() + 2**-126)).all())


def one_by_one(values):
    return float(numpy.add.accumulate(values.numpy().astype(numpy.float32))[-1])


SUMS = {
    "of either sign": lambda: normal(4000),
    "of one sign": lambda: chance(4000),
    "of one sign, very many": lambda: chance(200_000),
    "squares": lambda: normal(200_000).square(),
    "of a constant": lambda: torch.full((50_000,), 0.1).double(),
    "small ones behind large ones": lambda: torch.cat([normal(100) * 1e4, normal(5000) * 1e-3]),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_err_as_sequential_ones_do(name):
    """Of 24 sums one by one in float32 the largest error is near the spread: below four and above a third of it."""
    errors, spreads = [], []
    for _ in range(24):
        values = SUMS[name]()
        rounding = Rounding()
        exact = float(values.sum())
        errors.append(abs(one_by_one(values) - exact))
        for _ in range(8):
            with rounding.again():
                spreads.append(abs(float(values.sum()) - exact))
    typical = (sum(one * one for one in spreads) / len(spreads)) ** 0.5
    assert typical / 4 < max(errors) < 5 * typical


def test_a_sum_of_sums_errs_as_one_over_all_terms():
    values = chance(300, 1000)
    exact, spreads = float(values.mean()), []
    for _ in range(30):
        with Rounding():
            spreads.append((float((values.sum(1) / 1000).mean()) - exact) / (UNIT * exact))
    whole = abs(one_by_one(values.flatten()) / 300_000 - exact) / (UNIT * exact)
    assert whole < 5 * torch.tensor(spreads).square().mean().sqrt() < 5 * 500


def test_errors_that_are_averaged_are_smaller():
    def errors(rows):
        scores, exact = normal(rows, 1000), None
        with torch.no_grad():
            exact = F.cross_entropy(scores, torch.zeros(rows, dtype=torch.int64), reduction="sum") / rows
            found = []
            for _ in range(20):
                with Rounding():
                    losses = torch.logsumexp(scores, 1)
                found.append(float((losses - torch.logsumexp(scores, 1)).mean() / exact))
        return torch.tensor(found).std()

    assert errors(1024) < errors(1) / 2


def test_operations_that_are_not_known_are_bounded_by_length():
    made = reference("torch.fft.rfft(x).abs()", {"x": "torch.randn(8, 256)"})
    assert not made.oracle.spread.covered
    for draw in made.draws:
        (expected,) = draw.expected
        assert bool((expected.bound >= 14 * UNIT * expected.oracle).all())


def test_errors_are_not_taken_for_random_numbers_of_the_operator():
    """It would be asked everything twice."""
    made = reference("torch.softmax(x, -1) @ x.T", {"x": "torch.randn(8, 256)"})
    assert made.oracle.spread.covered and not made.oracle.runner.draws
    assert reference("x + 0 * torch.randn(256)", {"x": "torch.randn(8, 256)"}).oracle.runner.draws


@pytest.mark.parametrize("shape", [(32, 200), (7, 300, 50), (2, 3, 20)])
def test_the_sums_of_the_largest_terms_are_among_those_that_are_tried(shape):
    """Beside such terms small ones are lost, and where there are only few such sums, each is wrong by more."""
    for _ in range(10):
        x = normal(*shape)
        x[(*(size // 2 for size in shape[:-1]), 3)] = 1e6
        found = some_sums(x, [len(shape) - 1])
        assert int((found.abs().amax(1) == 1e6).sum()) >= 1
        rows = {tuple(row.tolist()) for row in x.reshape(-1, shape[-1])}
        assert all(tuple(row.tolist()) in rows for row in found)
        assert len(found) == min(ROWS, len(rows))
        if len(rows) <= ROWS:
            assert {tuple(row.tolist()) for row in found} == rows
    transposed = normal(40, 60)
    transposed[3, 50] = -1e6
    assert bool((some_sums(transposed, [0]) == -1e6).any())


def test_a_sum_is_tried_from_either_end():
    """A large term that comes first takes the small ones after it; from the back they are added up before it."""
    terms = torch.full((1, 3000), 1e-4, dtype=torch.float64)
    terms[0, 0] = 2.0**12
    both = [drift_of(some, scale_of(some.sum(1), some.norm(dim=1))) for some in (terms, terms.flip(1))]
    assert both[0].random == pytest.approx(both[1].random)
    assert both[0].random > 100
    assert both[0].shared == both[1].shared == 0, "one sum shows nothing that all have in common"
