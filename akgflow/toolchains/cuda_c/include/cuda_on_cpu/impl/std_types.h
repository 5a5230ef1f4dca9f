// Pairs, tuples and functors of thrust, and complex numbers of cuComplex.h.
#pragma once
#include <tuple>

#include "device.h"

namespace thrust {
using std::get; using std::make_pair; using std::make_tuple; using std::pair; using std::tuple;
template <class T = void> struct plus { T operator()(const T& a, const T& b) const { return a + b; } };
template <class T = void> struct maximum { T operator()(const T& a, const T& b) const { return a < b ? b : a; } };
template <class T = void> struct minimum { T operator()(const T& a, const T& b) const { return b < a ? b : a; } };
}  // namespace thrust
