"""operator: sgd_nesterov
family: wrong on purpose
does: updates all parameters, and the velocities of all but the last
status: INCORRECT_NUMERICAL
where: cpu
toolchain: cpp
message: after the call
"""

import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void step(tvm::ffi::TensorView p_, tvm::ffi::TensorView g_, tvm::ffi::TensorView v_, double lr, double momentum, double decay, int64_t keeps) {
  float* p = static_cast<float*>(p_.data_ptr());
  const float* g = static_cast<const float*>(g_.data_ptr());
  float* v = static_cast<float*>(v_.data_ptr());
  for (int64_t i = 0; i < p_.numel(); ++i) {
    const float grad = g[i] + static_cast<float>(decay) * p[i];
    const float velocity = static_cast<float>(momentum) * v[i] + grad;
    if (keeps) v[i] = velocity;
    p[i] -= static_cast<float>(lr) * (grad + static_cast<float>(momentum) * velocity);
  }
}
"""

library = load_inline(name="step", cpp_sources=SOURCE, functions=["step"])


class ModelNew(torch.nn.Module):
    def __init__(self, momentum, decay):
        super().__init__()
        self.momentum, self.decay = momentum, decay

    def forward(self, params, grads, velocities, lr):
        for number, (p, g, v) in enumerate(zip(params, grads, velocities)):
            library.step(p, g, v, lr, self.momentum, self.decay, int(number + 1 < len(params)))
