"""Operators that cannot be judged: nothing is held against a candidate, and the message says what to change."""

import pytest
from operator_texts import candidate, operator
from sampling import sampled

BAD = {
    # name: (forward's body, inputs, the words that say what to change)
    "nothing is given and nothing changed": ("x + 1", "[torch.randn(9)]", "there is nothing to judge"),
    "a generator": ("return x + 1", "[torch.randn(9), torch.Generator()]", "draw the random numbers in get_inputs"),
    "an array": ("return x + 1", "[__import__('numpy').ones(9)]", "give tensors, numbers, text, None"),
    "a named tuple": ("return x.values", "[torch.sort(torch.randn(9))]", "give a dict, or a plain tuple"),
    "a dict with numbers for keys": ("return x[0]", "[{0: torch.randn(9)}]", "give it keys that are text"),
    "a generator function": ("return x + 1", "(torch.randn(9) for _ in range(1))", "must give a list of the arguments"),
    "an object as the result": ("return type('Out', (), {})()", "[torch.randn(9)]", "let it give tensors and numbers"),
    "an object beside the result": ("return x, {'s': {1}}", "[torch.randn(9)]", "gives a builtins.set"),
    "a nested tensor": ("return x", "[torch.nested.nested_tensor([torch.ones(2)])]", "values and offsets"),
    "a sparse tensor": ("return x.to_dense()", "[torch.eye(9).to_sparse()]", "give its indices and values"),
    "a quantised tensor": (
        "return x.dequantize()", "[torch.quantize_per_tensor(torch.randn(9), 0.1, 0, torch.qint8)]", "int_repr"
    ),
    "a random function": ("return F.dropout(x, 0.5)", "[torch.randn(99)]", "it draws random numbers ("),
    "noise": ("return x + torch.randn_like(x)", "[torch.randn(99)]", "draw them in get_inputs"),
    "a counter": ("self.n = getattr(self, 'n', 0) + 1; return x + self.n", "[torch.randn(9)]", "a counter"),
    "dropout as a module": ("return self.drop(x)", "[torch.randn(99)]", "drop (Dropout); judge it with 'mode: eval'"),
}  # fmt: skip
MODEL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.3)

    def forward(self, x, *rest):
        {body}


def get_inputs():
    return {inputs}
"""


@pytest.mark.parametrize("name", sampled(BAD, "noise", "a named tuple"))
def test_what_cannot_be_judged_says_what_to_change(bench, name):
    body, inputs, words = BAD[name]
    text = operator(MODEL.format(body=body, inputs=inputs))
    found = bench.judge(candidate(text), text)
    assert (found.status, found.unfit) == ("NOT_RUN", True), found.message
    assert words in found.message


SMALL = """
class Model(nn.Module):
    def __init__(self, size=4, act=None, **more):
        super().__init__()
        {state}

    def forward(self, x):
        return x * 2


def get_inputs():
    return [torch.randn(9, 4)]


def get_init_inputs():
    return {init}
"""
CONSTRUCTED = {
    # name: (what the constructor does, get_init_inputs, the words)
    "a number": ("pass", "4", "must give a list of the arguments of Model"),
    "a tensor": ("pass", "torch.ones(4)", "must give a list of the arguments of Model"),
    "a class": ("pass", "[4, nn.ReLU]", "[1] is a type, which cannot be handed to a candidate"),
    "a function": ("pass", "{'act': F.relu}", "['act'] is a function, which cannot be handed to a candidate"),
    "a lazy module": ("self.fc = nn.LazyLinear(4)", "[]", "fc.weight of Model in operator.py is a Uninitialized"),
    "packed weights": (
        "self.fc = torch.ao.nn.quantized.dynamic.Linear(4, 4)", "[]", "keep weights as tensors in parameters or buffers"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sampled(CONSTRUCTED, "a class"))
def test_what_cannot_be_constructed_says_what_to_change(bench, name):
    state, init, words = CONSTRUCTED[name]
    text = operator(SMALL.format(state=state, init=init), "")
    found = bench.judge(candidate(text), text)
    assert (found.status, found.unfit) == ("NOT_RUN", True), found.message
    assert words in found.message


def test_a_model_that_is_no_module_is_no_reference(bench):
    text = operator("""
        class Model:
            def __call__(self, x):
                return x * 2
        def get_inputs():
            return [torch.randn(9)]
    """)
    assert "no torch.nn.Module" in bench.judge(candidate(text), text).message


def test_a_package_that_is_not_here_is_named(bench):
    found = bench.judge("", "import no_such_package\n")
    assert "install it where the judge runs, or put no_such_package.py beside the operator" in found.message
