// out[b, m, n] = alpha * sum over k of left[b, m, k] * right[b, k, n] + beta * added[b, m, n], for any strides.
// Tiles of the output are independent: each packs its own panels, zero-padded, so that the inner kernel has no tails.
struct Strides { int64_t b, m, n; };

template <typename T> struct Contraction {
  static constexpr int64_t MR = GEMM_ROWS, NR = GEMM_COLUMNS, KC = GEMM_DEPTH, MC = 8 * MR, NC = 256 / NR * NR;
  typedef T vec __attribute__((vector_size(16 * sizeof(T)), aligned(sizeof(T))));
  static constexpr int64_t W = NR / 16;

  static void inner(int64_t depth, const T* left, const T* right, T* sum) {
    vec acc[MR][W] = {};
    for (int64_t k = 0; k < depth; ++k) {
      vec row[W];
      for (int64_t w = 0; w < W; ++w) row[w] = *reinterpret_cast<const vec*>(right + k * NR + w * 16);
#pragma GCC unroll 16
      for (int64_t i = 0; i < MR; ++i)
        for (int64_t w = 0; w < W; ++w) acc[i][w] += left[k * MR + i] * row[w];
    }
    std::memcpy(sum, acc, sizeof acc);
  }

  static void tile(int64_t M, int64_t N, int64_t K, const T* left, Strides l, const T* right, Strides r, T* out, Strides o,
                   const T* added, Strides a, T alpha, T beta, std::vector<T>& packed_left, std::vector<T>& packed_right) {
    for (int64_t k0 = 0; k0 < K; k0 += KC) {
      const int64_t depth = std::min(KC, K - k0);
      for (int64_t n0 = 0; n0 < N; n0 += NR)
        for (int64_t k = 0; k < depth; ++k) {
          T* to = packed_right.data() + n0 * KC + k * NR;
          const T* from = right + (k0 + k) * r.m + n0 * r.n;
          const int64_t some = std::min(NR, N - n0);
          for (int64_t j = 0; j < some; ++j) to[j] = from[j * r.n];
          for (int64_t j = some; j < NR; ++j) to[j] = T(0);
        }
      for (int64_t m0 = 0; m0 < M; m0 += MR)
        for (int64_t i = 0; i < MR; ++i) {
          T* to = packed_left.data() + m0 * KC + i;
          const T* from = left + (m0 + i) * l.m + k0 * l.n;
          const bool there = m0 + i < M;
          for (int64_t k = 0; k < depth; ++k) to[k * MR] = there ? from[k * l.n] : T(0);
        }
      const bool first = k0 == 0, last = k0 + depth == K;
      for (int64_t n0 = 0; n0 < N; n0 += NR)
        for (int64_t m0 = 0; m0 < M; m0 += MR) {
          T sum[MR * NR];
          inner(depth, packed_left.data() + m0 * KC, packed_right.data() + n0 * KC, sum);
          for (int64_t i = 0; i < std::min(MR, M - m0); ++i)
            for (int64_t j = 0; j < std::min(NR, N - n0); ++j) {
              T* to = out + (m0 + i) * o.m + (n0 + j) * o.n;
              const T whole = first ? sum[i * NR + j] : *to + sum[i * NR + j];
              *to = !last ? whole : added ? alpha * whole + beta * added[(m0 + i) * a.m + (n0 + j) * a.n] : alpha * whole;
            }
        }
    }
    if (K > 0) return;
    for (int64_t m = 0; m < M; ++m)
      for (int64_t n = 0; n < N; ++n) out[m * o.m + n * o.n] = added ? beta * added[m * a.m + n * a.n] : T(0);
  }

  static void run(int64_t B, int64_t M, int64_t N, int64_t K, const T* left, Strides l, const T* right, Strides r, T* out,
                  Strides o, const T* added, Strides a, T alpha, T beta) {
    const int64_t rows = (M + MC - 1) / MC, columns = (N + NC - 1) / NC;
#pragma omp parallel num_threads(team())
    {
      std::vector<T> packed_left(MC * KC), packed_right(NC * KC);
#pragma omp for collapse(3) schedule(dynamic)
      for (int64_t b = 0; b < B; ++b)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j)
            tile(std::min(MC, M - i * MC), std::min(NC, N - j * NC), K, left + b * l.b + i * MC * l.m, l,
                 right + b * r.b + j * NC * r.n, r, out + b * o.b + i * MC * o.m + j * NC * o.n, o,
                 added ? added + b * a.b + i * MC * a.m + j * NC * a.n : nullptr, a, alpha, beta, packed_left, packed_right);
    }
  }
};

static Strides strides_of(const tvm::ffi::TensorView& t) {
  return t.ndim() == 3 ? Strides{t.stride(0), t.stride(1), t.stride(2)} : Strides{0, t.stride(0), t.stride(1)};
}

template <typename T>
static void contract(const tvm::ffi::TensorView& left, const tvm::ffi::TensorView& right, const tvm::ffi::TensorView& out,
                     const T* added, Strides a, double alpha, double beta) {
  const int at = left.ndim() - 2;
  Contraction<T>::run(at ? left.size(0) : 1, left.size(at), right.size(at + 1), left.size(at + 1),
                      static_cast<const T*>(left.data_ptr()), strides_of(left), static_cast<const T*>(right.data_ptr()),
                      strides_of(right), static_cast<T*>(out.data_ptr()), strides_of(out), added, a, T(alpha), T(beta));
}

void matrix_product(tvm::ffi::TensorView left, tvm::ffi::TensorView right, tvm::ffi::TensorView out) {
  if (left.dtype().bits == 64) contract<double>(left, right, out, nullptr, {0, 0, 0}, 1, 0);
  else contract<float>(left, right, out, nullptr, {0, 0, 0}, 1, 0);
}

void matrix_product_added(tvm::ffi::TensorView added, tvm::ffi::TensorView left, tvm::ffi::TensorView right, double alpha,
                          double beta, tvm::ffi::TensorView out) {
  if (left.dtype().bits == 64) contract<double>(left, right, out, static_cast<const double*>(added.data_ptr()), strides_of(added), alpha, beta);
  else contract<float>(left, right, out, static_cast<const float*>(added.data_ptr()), strides_of(added), alpha, beta);
}
