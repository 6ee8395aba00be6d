// Activations of each number, and their derivatives: computed in double and rounded once, to within 0.501 units in the
// last place.

#include <cstdint>
#include <type_traits>

#include "doubles.h"
#include "pages.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

// 2 artanh s = 2 (s + s³/3 + s⁵/5 + …) = ln((1 + s) / (1 − s)), for |s| ≤ 1/3.
inline Wide twice_artanh(Wide s) {
  const Wide square = s * s;
  Wide sum{};
#pragma GCC unroll 16
  for (int n = 19; n > 0; n -= 2) sum = sum * square + 2.0 / n;
  return s * sum;
}

struct Point {
  Wide value, slope;
};

struct Tanh {  // (e²ˣ − 1) / (e²ˣ + 1)
  Point operator()(Wide x) const {
    const Exponential e(2.0 * x);
    const Wide share = 1.0 / (2.0 + e.minus_1());
    return {e.minus_1() * share, 4.0 * (e.value() * share) * share};
  }
};

struct Sigmoid {  // 1 / (1 + e⁻ˣ)
  Point operator()(Wide x) const {
    const Wide e = Exponential(-x).value(), share = 1.0 / (1.0 + e);
    return {share, (e * share) * share};
  }
};

struct Softplus {  // ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)), where ln(1 + e) = 2 artanh(e / (2 + e))
  Point operator()(Wide x) const {
    const Wide e = Exponential(x < 0.0 ? x : -x).value(), share = 1.0 / ((1.0 + e) * (2.0 + e));
    return {(x > 0.0 ? x : Wide{}) + twice_artanh(e * (1.0 + e) * share),
            (x < 0.0 ? e : Wide{} + 1.0) * (2.0 + e) * share};
  }
};

struct ELU {  // x, or alpha (eˣ − 1) up to 0
  double alpha;

  Point operator()(Wide x) const {
    const Exponential e(x);
    return {x > 0.0 ? x : alpha * e.minus_1(), x > 0.0 ? Wide{} + 1.0 : alpha * e.value()};
  }
};

struct ReLU {
  Point operator()(Wide x) const { return {x <= 0.0 ? Wide{} : x, x > 0.0 ? Wide{} + 1.0 : Wide{}}; }
};

struct LeakyReLU {  // x, or slope x up to 0
  double slope;

  Point operator()(Wide x) const { return {x > 0.0 ? x : slope * x, x > 0.0 ? Wide{} + 1.0 : Wide{} + slope}; }
};

template <class Function>
void vector(Function f, const float* x, int64_t count, float* y) {
  round_to(y, f(read(x, count)).value, count);
}

template <class Function>
void vector(Function f, const float* x, int64_t count, float* y, float* slope) {
  const Point point = f(read(x, count));
  round_to(y, point.value, count);
  round_to(slope, point.slope, count);
}

template <class Function, class... To>
void numbers(Function f, const float* x, int64_t count, To... to) {
  int64_t i = 0;
  for (; i + kWide <= count; i += kWide) vector(f, x + i, kWide, (to + i)...);
  if (i < count) vector(f, x + i, count - i, (to + i)...);
}

using Array = ffi::Buffer<ffi::F32>;

constexpr int64_t kChunk = 1 << 14;  // numbers that are worth a thread

// f of each number of x: to y, or to y and the slope. A function that has an alpha is given several, each for an equal
// stretch of x.
template <class Function, class... To>
void elementwise(ffi::ThreadPool pool, Array x, const float* alpha, int64_t alphas, To... to) {
  const int64_t size = x.element_count(), stretch = size / alphas;
  const float* from = x.typed_data();
  (on_large_pages(to, size), ...);
  in_parallel(pool, (size + kChunk - 1) / kChunk, [=](int64_t part) {
    const int64_t end = std::min(size, (part + 1) * kChunk);
    for (int64_t i = part * kChunk, stop; i < end; i = stop) {
      stop = std::min(end, (i / stretch + 1) * stretch);
      if constexpr (std::is_empty_v<Function>) {
        numbers(Function{}, from + i, stop - i, (to + i)...);
      } else {
        numbers(Function{alpha[i / stretch]}, from + i, stop - i, (to + i)...);
      }
    }
  });
}

// Takes x, and alpha where the function has one; gives the values, and the derivatives where these are asked for, too.
template <class Function>
ffi::Error activation(ffi::ThreadPool pool, Array x, ffi::RemainingArgs others, ffi::Result<Array> y,
                      ffi::RemainingRets slopes) {
  const auto alpha = others.get<Array>(0);
  auto slope = slopes.get<Array>(0);
  const float* numbers = alpha ? alpha->typed_data() : nullptr;
  const int64_t count = alpha ? alpha->element_count() : 1, size = x.element_count();
  const bool fits = y->element_count() == size && (!slope || (*slope)->element_count() == size);
  if (!fits || alpha.has_value() == std::is_empty_v<Function> || (size && (!count || size % count))) {
    return ffi::Error::InvalidArgument("activation: shapes of input, alpha and outputs do not fit.");
  }
  if (!size) return ffi::Error::Success();
  if (slope) {
    elementwise<Function>(pool, x, numbers, count, y->typed_data(), (*slope)->typed_data());
  } else {
    elementwise<Function>(pool, x, numbers, count, y->typed_data());
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

#define CHAINRULE_ACTIVATION(name, Function)                                                  \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name, chainrule::activation<chainrule::Function>, \
                                ffi::Ffi::Bind()                                              \
                                    .Ctx<ffi::ThreadPool>()                                   \
                                    .Arg<chainrule::Array>()                                  \
                                    .RemainingArgs()                                          \
                                    .Ret<chainrule::Array>()                                  \
                                    .RemainingRets())

CHAINRULE_ACTIVATION(tanh, Tanh);
CHAINRULE_ACTIVATION(sigmoid, Sigmoid);
CHAINRULE_ACTIVATION(softplus, Softplus);
CHAINRULE_ACTIVATION(elu, ELU);
CHAINRULE_ACTIVATION(relu, ReLU);
CHAINRULE_ACTIVATION(leaky_relu, LeakyReLU);
