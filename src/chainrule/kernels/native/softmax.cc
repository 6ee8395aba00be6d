// Softmax of rows of logits, and its surprisal, −ln: computed in double and rounded once. Rows are worked on side by
// side, each in a lane of its own, so that also short ones fill the vectors.

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

// Where the numbers of each lane's row begin; where there are fewer rows than lanes, the last one serves for the rest.
struct Lanes {
  int64_t rows, begin[kWide];

  Lanes(int64_t first, int64_t end, int64_t count) : rows(std::min<int64_t>(end - first, kWide)) {
    for (int64_t lane = 0; lane < kWide; ++lane) begin[lane] = (first + std::min(lane, rows - 1)) * count;
  }
  Wide read(const float* from, int64_t j) const {
    Narrow numbers;
    for (int lane = 0; lane < kWide; ++lane) numbers[lane] = from[begin[lane] + j];
    return __builtin_convertvector(numbers, Wide);
  }
  void round_to(float* to, int64_t j, Wide v) const {
    const Narrow rounded = __builtin_convertvector(v, Narrow);
    for (int lane = 0; lane < rows; ++lane) to[begin[lane] + j] = rounded[lane];
  }
};

// p and, where it is wanted, its surprisal s, of up to kWide rows of `count` logits; d and e have room for each.
void side_by_side(const Lanes& lanes, const float* z, int64_t count, Wide* d, Wide* e, float* p, float* s) {
  Wide top = Wide{} - std::numeric_limits<double>::infinity();
  for (int64_t j = 0; j < count; ++j) {
    d[j] = lanes.read(z, j);
    top = d[j] > top ? d[j] : top;
  }
  Bits found{};
  Wide rest{};  // the sum but for the 1 of one that is the top, which would take the last digits of the others
  for (int64_t j = 0; j < count; ++j) {
    const Bits is_top = d[j] == top;
    d[j] = is_top ? Wide{} : d[j] - top;  // the top is 0 below itself, though it be infinite
    e[j] = Exponential(d[j]).value();
    rest += (is_top & ~found) ? Wide{} : e[j];
    found |= is_top;
  }
  const Wide share = 1.0 / (1.0 + rest);
  for (int64_t j = 0; j < count; ++j) lanes.round_to(p, j, e[j] * share);
  if (!s) return;
  Wide all{};
  for (int lane = 0; lane < lanes.rows; ++lane) all[lane] = std::log1p(rest[lane]);
  for (int64_t j = 0; j < count; ++j) lanes.round_to(s, j, all - d[j]);
}

using Array = ffi::Buffer<ffi::F32>;

constexpr int64_t kChunk = 1 << 13;  // numbers that are worth a thread

ffi::Error by_rows(ffi::ThreadPool& pool, const Array& z, float* p, float* s) {
  const int64_t size = z.element_count();
  if (!size) return ffi::Error::Success();
  const int64_t count = z.dimensions().back(), rows = size / count;
  const int64_t chunk = std::max<int64_t>(kChunk / count / kWide, 1) * kWide;
  const float* from = z.typed_data();
  on_large_pages(p, size);
  if (s) on_large_pages(s, size);
  in_parallel(pool, (rows + chunk - 1) / chunk, [=](int64_t part) {
    std::vector<Wide> d(2 * count);
    for (int64_t row = part * chunk; row < std::min(rows, (part + 1) * chunk); row += kWide) {
      side_by_side(Lanes(row, rows, count), from, count, d.data(), d.data() + count, p, s);
    }
  });
  return ffi::Error::Success();
}

bool fit(const Array& z, ffi::Result<Array>& y) {
  return z.dimensions().size() && y->element_count() == z.element_count();
}

ffi::Error softmax(ffi::ThreadPool pool, Array z, ffi::Result<Array> p) {
  if (!fit(z, p)) return ffi::Error::InvalidArgument("softmax: shapes of input and output do not fit.");
  return by_rows(pool, z, p->typed_data(), nullptr);
}

ffi::Error surprisal(ffi::ThreadPool pool, Array z, ffi::Result<Array> s, ffi::Result<Array> p) {
  if (!fit(z, s) || !fit(z, p)) {
    return ffi::Error::InvalidArgument("surprisal: shapes of input and outputs do not fit.");
  }
  return by_rows(pool, z, p->typed_data(), s->typed_data());
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_softmax, chainrule::softmax,
                              ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<chainrule::Array>().Ret<chainrule::Array>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    chainrule_surprisal, chainrule::surprisal,
    ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<chainrule::Array>().Ret<chainrule::Array>().Ret<chainrule::Array>());
