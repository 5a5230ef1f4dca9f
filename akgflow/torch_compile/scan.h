// Running sums or products along one dimension: [outer, length, inner], contiguous; sums are kept in double.
template <typename T> static void scan_rows(int64_t outer, int64_t length, int64_t inner, const T* from, T* to, bool product) {
#pragma omp parallel for collapse(2) num_threads(team()) schedule(static)
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      double running = product ? 1.0 : 0.0;
      for (int64_t k = 0; k < length; ++k) {
        const int64_t at = (o * length + k) * inner + i;
        running = product ? running * from[at] : running + from[at];
        to[at] = static_cast<T>(running);
      }
    }
}

void scan(tvm::ffi::TensorView x, tvm::ffi::TensorView out, int64_t outer, int64_t length, int64_t inner, bool product) {
  if (x.dtype().bits == 64) scan_rows(outer, length, inner, static_cast<const double*>(x.data_ptr()), static_cast<double*>(out.data_ptr()), product);
  else scan_rows(outer, length, inner, static_cast<const float*>(x.data_ptr()), static_cast<float*>(out.data_ptr()), product);
}
