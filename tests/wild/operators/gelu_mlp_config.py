"""A gated MLP as transformers have it: a config, an activation by name, projections without biases."""

from dataclasses import dataclass, field

import torch
from torch import nn

ACT2FN = {"silu": nn.functional.silu, "gelu_new": lambda x: nn.functional.gelu(x, approximate="tanh")}


@dataclass
class MLPConfig:
    hidden_size: int = 48
    intermediate_size: int = 80
    hidden_act: str = "silu"
    extras: dict = field(default_factory=dict)


class MLP(nn.Module):
    def __init__(self, config: MLPConfig):
        super().__init__()
        self.config = config
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, x):
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


class Model(nn.Module):
    def __init__(self, hidden_size=48, intermediate_size=80):
        super().__init__()
        self.mlp = MLP(MLPConfig(hidden_size, intermediate_size))

    def forward(self, hidden_states):
        return {"last_hidden_state": self.mlp(hidden_states), "attentions": None}


def get_inputs():
    torch.manual_seed(0)
    return [torch.randn(2, 15, 48)]


def get_init_inputs():
    return {}
