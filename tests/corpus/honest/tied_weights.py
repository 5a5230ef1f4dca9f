"""operator: tied
family: worker threads
does: keeps one weight under two names, as the operator does
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void tied(tvm::ffi::TensorView tokens, tvm::ffi::TensorView weight, tvm::ffi::TensorView out) {
  const int64_t words = weight.size(0), width = weight.size(1);
  const int64_t* token = static_cast<const int64_t*>(tokens.data_ptr());
  const float* w = static_cast<const float*>(weight.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < tokens.numel(); ++i) {
    for (int64_t v = 0; v < words; ++v) {
      double sum = 0;
      for (int64_t d = 0; d < width; ++d) sum += static_cast<double>(w[token[i] * width + d]) * w[v * width + d];
      to[i * words + v] = static_cast<float>(sum);
    }
  }
}
"""

library = load_inline(name="tied", cpp_sources=SOURCE, functions=["tied"])


class ModelNew(torch.nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embedding = torch.nn.Embedding(words, width)
        self.out = torch.nn.Linear(width, words, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, tokens):
        out = torch.empty(tokens.shape[0], self.out.weight.shape[0])
        library.tied(tokens, self.embedding.weight, out)
        return out
