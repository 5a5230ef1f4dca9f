"""operator: contrastive_loss
family: operators as they are
does: takes a dict as its only argument and gives one back
status: PASSED
where: cpu
toolchain: cpp
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <vector>
void contrast(tvm::ffi::TensorView z_, tvm::ffi::TensorView label_, tvm::ffi::TensorView loss_, tvm::ffi::TensorView kept_, double temperature) {
  const float* z = static_cast<const float*>(z_.data_ptr());
  const int64_t* label = static_cast<const int64_t*>(label_.data_ptr());
  bool* kept = static_cast<bool*>(kept_.data_ptr());
  const int64_t rows = z_.size(0), width = z_.size(1);
  std::vector<double> norm(rows), score(rows);
  for (int64_t r = 0; r < rows; ++r) {
    double square = 0;
    for (int64_t w = 0; w < width; ++w) square += static_cast<double>(z[r * width + w]) * z[r * width + w];
    norm[r] = std::fmax(std::sqrt(square), 1e-12);
  }
  double total = 0;
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double top = -INFINITY, sum = 0, near = 0;
    int64_t pairs = 0;
    for (int64_t o = 0; o < rows; ++o) {
      double dot = 0;
      for (int64_t w = 0; w < width; ++w) dot += static_cast<double>(z[r * width + w]) * z[o * width + w];
      score[o] = dot / (norm[r] * norm[o] * temperature);
      if (o != r) top = score[o] > top ? score[o] : top;
    }
    for (int64_t o = 0; o < rows; ++o) if (o != r) sum += std::exp(score[o] - top);
    for (int64_t o = 0; o < rows; ++o)
      if (o != r && label[o] == label[r]) near += score[o] - top - std::log(sum), ++pairs;
    kept[r] = pairs > 0;
    if (pairs) total -= near / pairs, ++count;
  }
  static_cast<float*>(loss_.data_ptr())[0] = static_cast<float>(total / (count ? count : 1));
}
"""

library = load_inline(name="contrast", cpp_sources=SOURCE, functions=["contrast"])


class ModelNew(torch.nn.Module):
    def forward(self, batch, temperature=0.1):
        z, label = batch["z"].contiguous(), batch["label"].contiguous()
        loss, kept = torch.empty(()), torch.empty(len(z), dtype=torch.bool)
        library.contrast(z, label, loss, kept, temperature)
        return {"loss": loss, "kept": kept}
