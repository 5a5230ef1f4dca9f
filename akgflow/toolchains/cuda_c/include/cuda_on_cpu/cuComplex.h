// Complex numbers as pairs.
#pragma once
#include "impl/device.h"

using cuFloatComplex = float2;
using cuDoubleComplex = double2;
using cuComplex = cuFloatComplex;
#define CUDA_ON_CPU_COMPLEX(pair, part, make, f, absolute)                                             \
  inline pair make_##make(part x, part y) { return {x, y}; }                                           \
  inline part cuCreal##f(pair a) { return a.x; }                                                       \
  inline part cuCimag##f(pair a) { return a.y; }                                                       \
  inline pair cuConj##f(pair a) { return {a.x, -a.y}; }                                                \
  inline pair cuCadd##f(pair a, pair b) { return {a.x + b.x, a.y + b.y}; }                             \
  inline pair cuCsub##f(pair a, pair b) { return {a.x - b.x, a.y - b.y}; }                             \
  inline pair cuCmul##f(pair a, pair b) { return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x}; }     \
  inline pair cuCfma##f(pair a, pair b, pair c) { return cuCadd##f(cuCmul##f(a, b), c); }              \
  inline part cuCabs##f(pair a) { return absolute(a.x, a.y); }                                         \
  inline pair cuCdiv##f(pair a, pair b) {                                                              \
    const part scale = (b.x < 0 ? -b.x : b.x) + (b.y < 0 ? -b.y : b.y);                                \
    const pair p{a.x / scale, a.y / scale}, q{b.x / scale, b.y / scale};                               \
    const part size = q.x * q.x + q.y * q.y;                                                           \
    return {(p.x * q.x + p.y * q.y) / size, (p.y * q.x - p.x * q.y) / size};                           \
  }
CUDA_ON_CPU_COMPLEX(cuFloatComplex, float, cuFloatComplex, f, hypotf)
CUDA_ON_CPU_COMPLEX(cuDoubleComplex, double, cuDoubleComplex, , hypot)
#undef CUDA_ON_CPU_COMPLEX
inline cuComplex make_cuComplex(float x, float y) { return {x, y}; }
