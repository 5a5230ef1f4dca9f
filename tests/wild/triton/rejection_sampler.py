"""operator: rejection_sample
dsl: triton
does: one program a request walks along its drafted tokens, until one is refused
cpu: PASSED
nvidia_h200: PASSED
device: PASSED
"""

import torch
import triton
import triton.language as tl

PLACEHOLDER_TOKEN_ID: tl.constexpr = tl.constexpr(-1)
GREEDY_TEMPERATURE: tl.constexpr = 0
MAX_SPEC_LEN = 128


@triton.jit
def argmax_kernel(probs, out, V, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    x = tl.load(probs + row * stride + cols, mask=cols < V, other=float("-inf"))
    tl.store(out + row, tl.argmax(x, axis=0, tie_break_left=True))


@triton.jit(do_not_specialize=["max_spec_len"])
def rejection_greedy_sample_kernel(
    output_token_ids_ptr, cu_num_draft_tokens_ptr, draft_token_ids_ptr, target_argmax_ptr, bonus_token_ids_ptr,
    is_greedy_ptr, max_spec_len,
):  # fmt: skip
    req_idx = tl.program_id(0)
    is_greedy = True if is_greedy_ptr is None else tl.load(is_greedy_ptr + req_idx)
    if not is_greedy:
        return
    start_idx = 0 if req_idx == 0 else tl.load(cu_num_draft_tokens_ptr + req_idx - 1)
    end_idx = tl.load(cu_num_draft_tokens_ptr + req_idx)
    num_draft_tokens = end_idx - start_idx
    rejected = False
    for pos in range(num_draft_tokens):
        if not rejected:
            draft_token_id = tl.load(draft_token_ids_ptr + start_idx + pos)
            target_argmax_id = tl.load(target_argmax_ptr + start_idx + pos)
            tl.store(output_token_ids_ptr + req_idx * (max_spec_len + 1) + pos, target_argmax_id)
            if draft_token_id != target_argmax_id:
                rejected = True
    if not rejected:
        bonus_token_id = tl.load(bonus_token_ids_ptr + req_idx)
        tl.store(output_token_ids_ptr + req_idx * (max_spec_len + 1) + num_draft_tokens, bonus_token_id)


@triton.jit(do_not_specialize=["max_spec_len"])
def rejection_random_sample_kernel(
    output_token_ids_ptr, cu_num_draft_tokens_ptr, draft_token_ids_ptr, draft_probs_ptr, target_probs_ptr,
    bonus_token_ids_ptr, recovered_token_ids_ptr, uniform_probs_ptr, is_greedy_ptr, max_spec_len, vocab_size,
    NO_DRAFT_PROBS: tl.constexpr,
):  # fmt: skip
    req_idx = tl.program_id(0)
    is_greedy = tl.load(is_greedy_ptr + req_idx)
    if is_greedy:
        return
    start_idx = 0 if req_idx == 0 else tl.load(cu_num_draft_tokens_ptr + req_idx - 1)
    end_idx = tl.load(cu_num_draft_tokens_ptr + req_idx)
    num_draft_tokens = end_idx - start_idx
    rejected = False
    for pos in range(num_draft_tokens):
        if not rejected:
            draft_token_id = tl.load(draft_token_ids_ptr + start_idx + pos)
            if NO_DRAFT_PROBS:
                draft_prob = 1
            else:
                draft_prob = tl.load(draft_probs_ptr + (start_idx + pos) * vocab_size + draft_token_id)
            target_prob = tl.load(target_probs_ptr + (start_idx + pos) * vocab_size + draft_token_id)
            uniform_prob = tl.load(uniform_probs_ptr + start_idx + pos)
            if draft_prob > 0 and target_prob >= uniform_prob * draft_prob:
                token_id = draft_token_id
            else:
                rejected = True
                token_id = tl.load(recovered_token_ids_ptr + start_idx + pos)
            tl.store(output_token_ids_ptr + req_idx * (max_spec_len + 1) + pos, token_id)
    if not rejected:
        bonus_token_id = tl.load(bonus_token_ids_ptr + req_idx)
        tl.store(output_token_ids_ptr + req_idx * (max_spec_len + 1) + num_draft_tokens, bonus_token_id)


class ModelNew(torch.nn.Module):
    def __init__(self, max_spec_len: int = 4):
        super().__init__()
        assert max_spec_len <= MAX_SPEC_LEN
        self.max_spec_len = max_spec_len

    def forward(
        self, cu_num_draft_tokens, draft_token_ids, draft_probs, target_probs, bonus, recovered, uniform, is_greedy
    ):
        batch_size = cu_num_draft_tokens.shape[0]
        device = target_probs.device
        vocab_size = target_probs.shape[-1]
        assert draft_probs is None or draft_probs.is_contiguous()
        output_token_ids = torch.empty((batch_size, self.max_spec_len + 1), dtype=torch.int32, device=device)
        output_token_ids.fill_(PLACEHOLDER_TOKEN_ID.value if isinstance(PLACEHOLDER_TOKEN_ID, tl.constexpr) else -1)
        target_argmax = torch.empty(target_probs.shape[0], dtype=torch.int32, device=device)
        argmax_kernel[(target_probs.shape[0],)](
            target_probs, target_argmax, vocab_size, target_probs.stride(0), BLOCK=triton.next_power_of_2(vocab_size)
        )
        rejection_greedy_sample_kernel[(batch_size,)](
            output_token_ids, cu_num_draft_tokens, draft_token_ids, target_argmax, bonus, is_greedy, self.max_spec_len,
            num_warps=1,
        )  # fmt: skip
        rejection_random_sample_kernel[(batch_size,)](
            output_token_ids, cu_num_draft_tokens, draft_token_ids, draft_probs, target_probs, bonus, recovered, uniform,
            is_greedy, self.max_spec_len, vocab_size, NO_DRAFT_PROBS=draft_probs is None, num_warps=1,
        )  # fmt: skip
        return output_token_ids
