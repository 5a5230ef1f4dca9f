"""Texts of small operators, and of candidates that are these themselves."""

import textwrap

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"
NO_INIT = "\n\ndef get_init_inputs():\n    return []\n"


def operator(text, init=NO_INIT):
    """The module of what ``text`` defines, with its imports."""
    return HEAD + textwrap.dedent(text).strip() + init


def candidate(text):
    """The operator itself as its candidate."""
    return text.replace("class Model(", "class ModelNew(").replace("class Model:", "class ModelNew:")
