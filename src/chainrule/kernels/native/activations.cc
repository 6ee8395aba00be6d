// Activations of each number, and their derivatives: computed in double and rounded once, to within 0.501 units in the
// last place.

#include <cstdint>
#include <type_traits>

#include "pages.h"
#include "points.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

// Each formula is written as a book writes it, where that keeps its digits; the numbers that it has are its members.

struct Exp {
  Point operator()(Point x) const { return exp(x); }
};

struct Tanh {
  Point operator()(Point x) const { return tanh(x); }
};

struct Sigmoid {
  Point operator()(Point x) const { return sigmoid(x); }
};

struct Softplus {
  Point operator()(Point x) const { return softplus(x); }
};

struct LogSigmoid {
  Point operator()(Point x) const { return -softplus(-x); }
};

struct ReLU {
  Point operator()(Point x) const { return relu(x); }
};

struct LeakyReLU {
  Wide slope;

  Point operator()(Point x) const { return choose(x.value > 0.0, x, slope * x); }
};

struct ELU {
  Wide alpha;

  Point operator()(Point x) const { return choose(x.value > 0.0, x, alpha * expm1(x)); }
};

struct SELU {
  Point operator()(Point x) const {
    return 1.0507009873554805 * choose(x.value > 0.0, x, 1.6732632423543772 * expm1(x));
  }
};

struct CELU {
  Wide alpha;

  Point operator()(Point x) const { return choose(x.value > 0.0, x, alpha * expm1(1.0 / alpha * x)); }
};

struct ISRLU {
  Wide alpha;

  Point operator()(Point x) const {
    x = held(x);
    const Wide share = 1.0 / sqrt(1.0 + alpha * x.value * x.value);
    return choose(x.value > 0.0, x, {x.value * share, share * share * share});
  }
};

struct GELU {
  Point operator()(Point x) const { return held(x) * normal(x); }
};

struct GELUByTanh {  // where 1 + tanh u is 2 σ(2u)
  Point operator()(Point x) const {
    x = held(x);
    return x * sigmoid(1.5957691216057308 * (x + 0.044715 * (x * x * x)));
  }
};

struct SiLU {
  Wide beta;

  Point operator()(Point x) const {
    x = held(x);
    return x * sigmoid(beta * x);
  }
};

struct Mish {  // tanh ln(1 + eˣ) is w / (w + 2) where w is eˣ (eˣ + 2)
  Point operator()(Point x) const {
    const Point e = exp(clip(x, -250.0, 150.0)), w = e * (e + 2.0);
    return held(x) * (w / (w + 2.0));
  }
};

struct TanhExp {
  Point operator()(Point x) const { return held(x) * tanh(exp(clip(x, -250.0, 150.0))); }
};

struct LiSHT {
  Point operator()(Point x) const {
    x = held(x);
    return x * tanh(x);
  }
};

struct ELiSH {
  Point operator()(Point x) const {
    x = held(x);
    return choose(x.value > 0.0, x, expm1(x)) * sigmoid(x);
  }
};

struct HardELiSH {
  Point operator()(Point x) const {
    x = held(x);
    return choose(x.value > 0.0, x, expm1(x)) * clip(0.5 * (x + 1.0), 0.0, 1.0);
  }
};

struct TanhShrink {
  Point operator()(Point x) const {  // near 0, where x − tanh x cancels, Taylor's series
    constexpr double kSeries[] = {1.0 / 3,         -2.0 / 15,          17.0 / 315,          -62.0 / 2835,
                                  1382.0 / 155925, -21844.0 / 6081075, 929569.0 / 638512875};
    const Point square = x * x;
    return choose(abs(x.value) < 0.25, x * square * polynomial(kSeries, square), x - tanh(x));
  }
};

struct Softsign {
  Point operator()(Point x) const {
    x = held(x);
    const Wide share = 1.0 / (1.0 + abs(x.value));
    return {x.value * share, share * share * x.slope};
  }
};

struct ISRU {
  Wide alpha;

  Point operator()(Point x) const {
    x = held(x);
    const Wide share = 1.0 / sqrt(1.0 + alpha * x.value * x.value);
    return {x.value * share, share * share * share * x.slope};
  }
};

struct ArcTan {
  Point operator()(Point x) const { return atan(held(x)); }
};

struct SobolevaTanh {  // seen from 0, so that nothing grows
  Wide a, b, c, d;

  Point operator()(Point x) const {
    const Bits right = x.value >= 0.0;
    const Point t = held(choose(right, x, -x));
    const Wide rise = right ? a : b, fall = right ? b : a, down = right ? c : d;
    const Point size = -expm1(-(rise + fall) * t) * exp((rise - down) * t) / (1.0 + exp(-(c + d) * t));
    return choose(right, size, -size);
  }
};

struct SoftClipping {  // the difference of two softplus: each a line, and what is added to it near its bend
  Wide alpha;

  Point operator()(Point x) const {
    const Point bends = log1p(exp(-abs(alpha * x))) - log1p(exp(-abs(alpha * (x - 1.0))));
    return clip(x, 0.0, 1.0) + 1.0 / alpha * bends;
  }
};

struct Sinusoid {
  Point operator()(Point x) const { return sin(x); }
};

struct Sinc {  // near 0, where x cos x − sin x cancels, Taylor's series
  Point operator()(Point x) const {
    constexpr double kSeries[] = {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880};
    const Bits near = abs(x.value) < 0.0625;
    const Point far = held(choose(near, 1.0 + 0.0 * x, x));
    return choose(near, polynomial(kSeries, x * x), sin(far) / far);
  }
};

struct Gaussian {
  Point operator()(Point x) const {
    x = held(x);
    return exp(-(x * x));
  }
};

struct BentIdentity {  // (√(x² + 1) − 1) / 2 + x, without that difference, which cancels near 0
  Point operator()(Point x) const {
    x = held(x);
    return x * (1.0 + x / (2.0 * (sqrt(x * x + 1.0) + 1.0)));
  }
};

// Of a number that is learned, too: X and A are a Point and a Wide, whichever moves.

struct Snake {  // x + sin²t / α, t being αx: by sine and cosine of 2t, of which no sum cancels
  static Wide squared(Wave twice) {
    const Wide by_sine = twice.sine * twice.sine / (1.0 + twice.cosine);
    return 0.5 * (twice.cosine > 0.0 ? by_sine : 1.0 - twice.cosine);
  }

  static Wide value(Wide x, Wide alpha, Wave twice) {
    const Wide wave = squared(twice) / alpha;
    return x + (alpha == 0.0 || abs(x) > 1e38 * 4 ? Wide{} : wave);
  }

  Point operator()(Point x, Wide alpha) const {
    const Wave twice(2.0 * alpha * x.value);
    const Wide near = twice.cosine * twice.cosine / (1.0 - twice.sine);
    return {value(x.value, alpha, twice), (twice.sine > 0.0 ? 1.0 + twice.sine : near) * x.slope};
  }

  Point operator()(Wide x, Point alpha) const {
    const Wide t = alpha.value * x;
    const Wave twice(2.0 * t);
    const Wide slope = (t * twice.sine - squared(twice)) / (alpha.value * alpha.value);
    return {value(x, alpha.value, twice), (alpha.value == 0.0 ? x * x : slope) * alpha.slope};
  }
};

struct SoftExponential {  // either case as x times a smooth function of alpha, which passes through 0
  template <class X, class A>
  Point operator()(X x, A alpha) const {
    constexpr double kExpm1[] = {1.0,       1.0 / 2,    1.0 / 6,     1.0 / 24,     1.0 / 120,
                                 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800};
    constexpr double kLog1p[] = {1.0,      -1.0 / 2, 1.0 / 3,  -1.0 / 4, 1.0 / 5,
                                 -1.0 / 6, 1.0 / 7,  -1.0 / 8, 1.0 / 9,  -1.0 / 10};
    const double small = 1.0 / 64;
    x = choose(number(alpha) == 0.0, held(x), x);
    const Point u = alpha * x, w = x + alpha, v = -(alpha * w);
    const Point near = choose(abs(u.value) < small, x * polynomial(kExpm1, u), expm1(u) / alpha) + alpha;
    const Point grown = choose(u.value < -0.5, (exp(u) + (alpha - 1.0) * (alpha + 1.0)) / alpha, near);
    const Point shrunk = choose(abs(v.value) < small, w * polynomial(kLog1p, v), -log_of_1_plus(v) / alpha);
    return choose(number(alpha) < 0.0, shrunk, grown);
  }
};

template <class Function>
void vector(Function f, const float* x, int64_t count, float* y) {
  round_to(y, f({read(x, count), all(1.0)}).value, count);
}

template <class Function>
void vector(Function f, const float* x, int64_t count, float* y, float* slope) {
  const Point point = f({read(x, count), all(1.0)});
  round_to(y, point.value, count);
  round_to(slope, point.slope, count);
}

// Flat, since a compiler that has many formulas to inline leaves some out, and their vectors go through memory.
template <class Function, class... To>
[[gnu::flatten]] void numbers(Function f, const float* x, int64_t count, To... to) {
  for (int64_t i = 0; i < count; i += kWide) vector(f, x + i, std::min<int64_t>(kWide, count - i), (to + i)...);
}

using Array = ffi::Buffer<ffi::F32>;

constexpr int64_t kChunk = 1 << 14;  // numbers that are worth a thread

template <class Function>
constexpr int kNumbers = std::is_empty_v<Function> ? 0 : sizeof(Function) / sizeof(Wide);

// The numbers that a formula has: of each one, or several, each for an equal stretch of x.
template <class Function>
struct Numbers {
  const float* data[kNumbers<Function> + 1];
  int64_t stretch[kNumbers<Function> + 1];

  // The formula for some numbers of x from i on, and where these end.
  Function at(int64_t i, int64_t* end) const {
    Wide each[kNumbers<Function> + 1] = {};
    for (int n = 0; n < kNumbers<Function>; ++n) {
      const int64_t place = i / stretch[n];
      each[n] = all(data[n][place]);
      *end = std::min(*end, (place + 1) * stretch[n]);
    }
    Function f;
    std::memcpy(&f, each, kNumbers<Function> * sizeof(Wide));
    return f;
  }
};

// f of each number of x: to y, or to y and the slope.
template <class Function, class... To>
void elementwise(ffi::ThreadPool pool, Array x, Numbers<Function> its, To... to) {
  const int64_t size = x.element_count();
  const float* from = x.typed_data();
  (on_large_pages(to, size), ...);
  in_parallel(pool, (size + kChunk - 1) / kChunk, [=](int64_t part) {
    const int64_t end = std::min(size, (part + 1) * kChunk);
    for (int64_t i = part * kChunk, stop; i < end; i = stop) {
      const Function f = its.at(i, &(stop = end));
      numbers(f, from + i, stop - i, (to + i)...);
    }
  });
}

// Takes x, and the formula's numbers; gives the values, and the derivatives where these are asked for, too.
template <class Function>
ffi::Error activation(ffi::ThreadPool pool, Array x, ffi::RemainingArgs others, ffi::Result<Array> y,
                      ffi::RemainingRets slopes) {
  const int64_t size = x.element_count();
  auto slope = slopes.get<Array>(0);
  bool fits = y->element_count() == size && (!slope || (*slope)->element_count() == size);
  fits = fits && others.size() == kNumbers<Function>;
  Numbers<Function> its;
  for (int n = 0; fits && n < kNumbers<Function>; ++n) {
    const auto number = others.get<Array>(n);
    const int64_t count = number ? number->element_count() : 0;
    fits = !size || (count && size % count == 0);
    if (fits && size) its.data[n] = number->typed_data(), its.stretch[n] = size / count;
  }
  if (!fits) return ffi::Error::InvalidArgument("activation: shapes of input, numbers and outputs do not fit.");
  if (!size) return ffi::Error::Success();
  if (slope) {
    elementwise(pool, x, its, y->typed_data(), (*slope)->typed_data());
  } else {
    elementwise(pool, x, its, y->typed_data());
  }
  return ffi::Error::Success();
}

// f of each number of x and of the learned number that it has: to y, and to the slope by x, and to that by the number.
template <class Function>
[[gnu::flatten]] void learned_numbers(const float* x, const float* numbers, int64_t size, float* y, float* by_x,
                                      float* by_number) {
  const Function f;
  for (int64_t i = 0; i < size; i += kWide) {
    const int64_t count = std::min<int64_t>(kWide, size - i);
    const Wide at = read(x + i, count), number = read(numbers + i, count);
    const Point moved = f(Point{at, all(1.0)}, number);
    round_to(y + i, moved.value, count);
    if (by_x) round_to(by_x + i, moved.slope, count);
    if (by_number) round_to(by_number + i, f(at, Point{number, all(1.0)}).slope, count);
  }
}

template <class Function>
ffi::Error learned(ffi::ThreadPool pool, Array x, Array numbers, ffi::Result<Array> y, ffi::RemainingRets slopes) {
  const int64_t size = x.element_count();
  float* to[] = {y->typed_data(), nullptr, nullptr};
  bool fits = numbers.element_count() == size && y->element_count() == size && slopes.size() <= 2;
  for (size_t n = 0; fits && n < slopes.size(); ++n) {
    auto slope = slopes.get<Array>(n);
    fits = slope && (*slope)->element_count() == size;
    if (fits) to[n + 1] = (*slope)->typed_data();
  }
  if (!fits) return ffi::Error::InvalidArgument("activation: shapes of input, numbers and outputs do not fit.");
  for (float* each : to) {
    if (each && size) on_large_pages(each, size);
  }
  const float *from = x.typed_data(), *its = numbers.typed_data();
  in_parallel(pool, (size + kChunk - 1) / kChunk, [=](int64_t part) {
    const int64_t i = part * kChunk;
    learned_numbers<Function>(from + i, its + i, std::min(kChunk, size - i), to[0] + i, to[1] ? to[1] + i : nullptr,
                              to[2] ? to[2] + i : nullptr);
  });
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

CHAINRULE_ACTIVATION(exp, Exp);
CHAINRULE_ACTIVATION(tanh, Tanh);
CHAINRULE_ACTIVATION(sigmoid, Sigmoid);
CHAINRULE_ACTIVATION(softplus, Softplus);
CHAINRULE_ACTIVATION(log_sigmoid, LogSigmoid);
CHAINRULE_ACTIVATION(relu, ReLU);
CHAINRULE_ACTIVATION(leaky_relu, LeakyReLU);
CHAINRULE_ACTIVATION(elu, ELU);
CHAINRULE_ACTIVATION(selu, SELU);
CHAINRULE_ACTIVATION(celu, CELU);
CHAINRULE_ACTIVATION(isrlu, ISRLU);
CHAINRULE_ACTIVATION(gelu, GELU);
CHAINRULE_ACTIVATION(gelu_by_tanh, GELUByTanh);
CHAINRULE_ACTIVATION(silu, SiLU);
CHAINRULE_ACTIVATION(mish, Mish);
CHAINRULE_ACTIVATION(tanh_exp, TanhExp);
CHAINRULE_ACTIVATION(lisht, LiSHT);
CHAINRULE_ACTIVATION(elish, ELiSH);
CHAINRULE_ACTIVATION(hard_elish, HardELiSH);
CHAINRULE_ACTIVATION(tanh_shrink, TanhShrink);
CHAINRULE_ACTIVATION(softsign, Softsign);
CHAINRULE_ACTIVATION(isru, ISRU);
CHAINRULE_ACTIVATION(arctan, ArcTan);
CHAINRULE_ACTIVATION(soboleva_tanh, SobolevaTanh);
CHAINRULE_ACTIVATION(soft_clipping, SoftClipping);
CHAINRULE_ACTIVATION(sinusoid, Sinusoid);
CHAINRULE_ACTIVATION(sinc, Sinc);
CHAINRULE_ACTIVATION(gaussian, Gaussian);
CHAINRULE_ACTIVATION(bent_identity, BentIdentity);

#define CHAINRULE_LEARNED(name, Function)                                                  \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name, chainrule::learned<chainrule::Function>, \
                                ffi::Ffi::Bind()                                           \
                                    .Ctx<ffi::ThreadPool>()                                \
                                    .Arg<chainrule::Array>()                               \
                                    .Arg<chainrule::Array>()                               \
                                    .Ret<chainrule::Array>()                               \
                                    .RemainingRets())

CHAINRULE_LEARNED(snake, Snake);
CHAINRULE_LEARNED(soft_exponential, SoftExponential);
