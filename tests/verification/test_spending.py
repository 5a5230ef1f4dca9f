"""Where eager's time goes, in a verdict that has a time."""

import pytest
from operator_texts import HEAD, NO_INIT

from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.tracing.spending import spending

OPERATORS = {
    # name: (forward, inputs, operators with the largest share first)
    "a product with an epilogue": ("torch.tanh(x @ x) + 1", "torch.randn(384, 384)", ["mm", "tanh", "add"]),
    "one operator": ("torch.softmax(x, -1)", "torch.randn(256, 1024)", ["softmax"]),
    "two calls of one": ("(x @ x) @ x", "torch.randn(128, 128)", ["mm"]),
    "in place": ("x.add_(1).exp_()", "torch.randn(256, 1024)", ["exp_", "add_"]),
}


def operator(forward: str, inputs: str) -> str:
    return (
        f"{HEAD}class Model(nn.Module):\n    def forward(self, x):\n        return {forward}\n"
        f"def get_inputs():\n    return [{inputs}]\n{NO_INIT}"
    )


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", OPERATORS)
def test_where_the_time_of_a_call_goes(name, device):
    forward, inputs, wanted = OPERATORS[name]
    reference = Reference(operator(forward, inputs), "operator.py", {}, None, device)
    reference.prepare()
    before = reference.draws[0].inputs[0].clone()
    found = spending(reference.framework_runner, reference.draws[0].inputs, device)
    assert {one.operator for one in found} == set(wanted), found
    assert device == "cuda" or found[0].operator == wanted[0], found
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert found[0].calls == (2 if name == "two calls of one" else 1)
    assert bool((reference.draws[0].inputs[0] == before).all()), "inputs stay as they are"


@pytest.mark.thorough
def test_a_verdict_says_where_eagers_time_goes(bench):
    text = operator("torch.tanh(x @ x) + 1", "torch.randn(384, 384)")
    both = ("eager", "torch.compile")
    verdict = bench.judge(text.replace("Model(", "ModelNew("), text, time=True, baselines=both)
    assert verdict.passed, verdict.message
    for timing in verdict.timing:
        assert (timing.spending[:1] and timing.spending[0].operator) == ("mm" if timing.baseline == "eager" else ())
    assert verdict.timing or "busy" in verdict.absent["timing"]
