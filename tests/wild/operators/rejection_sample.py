"""Which drafted tokens of each request are kept: the first that is refused is replaced, all kept ones get a bonus."""

import torch

PLACEHOLDER = -1


class Model(torch.nn.Module):
    def __init__(self, max_spec_len: int = 4):
        super().__init__()
        self.max_spec_len = max_spec_len

    def forward(
        self, cu_num_draft_tokens, draft_token_ids, draft_probs, target_probs, bonus, recovered, uniform, is_greedy
    ):
        n = cu_num_draft_tokens.shape[0]
        out = torch.full((n, self.max_spec_len + 1), PLACEHOLDER, dtype=torch.int32)
        ends = cu_num_draft_tokens.tolist()
        start = 0
        for i, end in enumerate(ends):
            kept, count = True, end - start
            if not 0 <= count <= self.max_spec_len or end > draft_token_ids.shape[0]:
                raise ValueError(f"request {i} cannot have {count} drafted tokens")
            for j in range(count):
                t = start + j
                d = int(draft_token_ids[t])
                if is_greedy[i]:
                    best = int(target_probs[t].argmax())
                    token, kept = best, best == d
                else:
                    kept = bool((draft_probs[t, d] > 0) & (target_probs[t, d] >= uniform[t] * draft_probs[t, d]))
                    token = d if kept else int(recovered[t])
                out[i, j] = token
                if not kept:
                    break
            if kept:
                out[i, count] = bonus[i]
            start = end
        return out


def get_inputs():
    lengths = torch.randint(0, 5, (6,))
    total = 24
    v = 50
    return [
        torch.cumsum(lengths, 0).to(torch.int32),
        torch.randint(0, v, (total,), dtype=torch.int32),
        torch.rand(total, v),
        torch.rand(total, v),
        torch.randint(0, v, (6,), dtype=torch.int32),
        torch.randint(0, v, (total,), dtype=torch.int32),
        torch.rand(total),
        torch.tensor([True, False, False, True, False, False]),
    ]


def get_init_inputs():
    return []
