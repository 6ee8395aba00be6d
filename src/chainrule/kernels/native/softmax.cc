// Softmax of rows of logits, and its surprisal, −ln: computed in double and rounded once.

#include <cmath>
#include <cstdint>
#include <limits>

#include "doubles.h"
#include "pages.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

float largest(const float* z, int64_t count) {
  Vector tops = Vector{} - std::numeric_limits<float>::infinity();
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) tops = load(z + i) > tops ? load(z + i) : tops;
  float top = tops[0];
  for (int lane = 1; lane < kLanes; ++lane) top = std::max(top, tops[lane]);
  for (; i < count; ++i) top = z[i] > top ? z[i] : top;
  return top;
}

// How far logits are below the top: those that are the top, though it be infinite, are not.
inline Wide below(Wide top, Wide z) { return z == top ? Wide{} : z - top; }

// e^(z − top) of a row into e, for whole vectors; returns their sum but for the 1 of one that is the top, which would
// take the last digits of the others.
double exponentials(const float* z, int64_t count, float top, double* e) {
  for (int64_t i = 0; i < count; i += kWide) {
    const Wide power = Exponential(below(Wide{} + top, read(z + i, std::min<int64_t>(kWide, count - i)))).value();
    std::memcpy(e + i, &power, sizeof power);
  }
  std::fill(e + count, e + (count + kWide - 1) / kWide * kWide, 0.0);
  const int64_t first = std::find(z, z + count, top) - z;
  e[first] -= 1.0;
  Wide sums{};
  for (int64_t i = 0; i < count; i += kWide) {
    Wide power;
    std::memcpy(&power, e + i, sizeof power);
    sums += power;
  }
  e[first] += 1.0;
  double rest = 0.0;
  for (int lane = 0; lane < kWide; ++lane) rest += sums[lane];
  return rest;
}

struct Softmax {
  double share;
  explicit Softmax(double rest) : share(1.0 / (1.0 + rest)) {}
  Wide operator()(Wide, Wide e) const { return e * share; }
};

struct Surprisal {
  double all;
  explicit Surprisal(double rest) : all(std::log1p(rest)) {}
  Wide operator()(Wide d, Wide) const { return all - d; }
};

using Array = ffi::Buffer<ffi::F32>;

template <class Function>
ffi::Error by_rows(ffi::ThreadPool pool, Array z, ffi::Result<Array> y) {
  const int64_t size = z.element_count();
  if (static_cast<int64_t>(y->element_count()) != size || z.dimensions().size() == 0) {
    return ffi::Error::InvalidArgument("softmax: shapes of input and output do not fit.");
  }
  if (!size) return ffi::Error::Success();
  const int64_t count = z.dimensions().back(), rows = size / count, chunk = std::max<int64_t>((1 << 14) / count, 1);
  const float* from = z.typed_data();
  float* to = y->typed_data();
  on_large_pages(to, size);
  in_parallel(pool, (rows + chunk - 1) / chunk, [=](int64_t part) {
    double* e = reinterpret_cast<double*>(scratch(2 * (count + kWide), 0));
    for (int64_t row = part * chunk; row < std::min(rows, (part + 1) * chunk); ++row) {
      const float* z = from + row * count;
      const float top = largest(z, count);
      const Function f(exponentials(z, count, top, e));
      for (int64_t i = 0; i < count; i += kWide) {
        const int64_t some = std::min<int64_t>(kWide, count - i);
        Wide power;
        std::memcpy(&power, e + i, sizeof power);
        round_to(to + row * count + i, f(below(Wide{} + top, read(z + i, some)), power), some);
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

#define CHAINRULE_BY_ROWS(name, Function)                        \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(                                 \
      chainrule_##name, chainrule::by_rows<chainrule::Function>, \
      ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<chainrule::Array>().Ret<chainrule::Array>())

CHAINRULE_BY_ROWS(softmax, Softmax);
CHAINRULE_BY_ROWS(surprisal, Surprisal);
