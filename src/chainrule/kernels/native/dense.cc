// The product of a few rows with a matrix, which reads the matrix once and where it lies: prediction of single
// examples.

#include "threads.h"
#include "vectors.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Matrix = ffi::Buffer<ffi::F32, 2>;
using Row = ffi::Buffer<ffi::F32, 1>;

constexpr int kSums = 16;                   // vectors of sums that stay in registers
constexpr int64_t kWorthAThread = 1 << 18;  // numbers of the matrix

// y = x w + b for R rows and up to kSums / R vectors of columns, of which the last has `some` lanes.
template <int R, int V>
void strip(Rows<const float> x, Rows<const float> w, const float* b, Rows<float> y, int64_t depth, int64_t some) {
  Vector sums[R][V] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const float* right = w.data + k * w.step;
    for (int v = 0; v < V; ++v) {
      const Vector column = load_some(right + v * kLanes, v < V - 1 ? kLanes : some);
      for (int i = 0; i < R; ++i) sums[i][v] += x.data[i * x.step + k] * column;
    }
  }
  for (int v = 0; v < V; ++v) {
    const int64_t count = v < V - 1 ? kLanes : some;
    const Vector bias = load_some(b + v * kLanes, count);
    for (int i = 0; i < R; ++i) store_some(y.data + i * y.step + v * kLanes, sums[i][v] + bias, count);
  }
}

// The same for any number of columns up to V vectors.
template <int R, int V>
void fitting_strip(Rows<const float> x, Rows<const float> w, const float* b, Rows<float> y, int64_t depth,
                   int64_t columns) {
  if constexpr (V > 1) {
    if (columns <= (V - 1) * kLanes) return fitting_strip<R, V - 1>(x, w, b, y, depth, columns);
  }
  strip<R, V>(x, w, b, y, depth, columns - (V - 1) * kLanes);
}

template <int R>
void rows(Rows<const float> x, Rows<const float> w, const float* b, Rows<float> y, int64_t depth, int64_t first,
          int64_t last) {
  constexpr int V = kSums / R;
  for (int64_t j = first; j < last; j += V * kLanes) {
    fitting_strip<R, V>(x, w.at(0, j), b + j, y.at(0, j), depth, std::min<int64_t>(last - j, V * kLanes));
  }
}

ffi::Error dense(ffi::ThreadPool pool, Matrix x, Matrix w, Row b, ffi::Result<Matrix> y) {
  const int64_t count = x.dimensions()[0], depth = x.dimensions()[1], columns = w.dimensions()[1];
  if (w.dimensions()[0] != depth || b.dimensions()[0] != columns || y->dimensions()[0] != count ||
      y->dimensions()[1] != columns) {
    return ffi::Error::InvalidArgument("dense: shapes of input, kernel, bias and output do not fit.");
  }
  const Rows<const float> from{x.typed_data(), depth}, kernel{w.typed_data(), columns};
  const Rows<float> to{y->typed_data(), columns};
  const float* bias = b.typed_data();
  const int64_t vectors = (columns + kLanes - 1) / kLanes;
  const int64_t shares = std::clamp<int64_t>(depth * columns / kWorthAThread, 1,
                                             std::max<int64_t>(std::min(pool.num_threads(), vectors), 1));
  in_parallel(pool, shares, [=](int64_t share) {
    const int64_t first = vectors * share / shares * kLanes;
    const int64_t last = std::min(vectors * (share + 1) / shares * kLanes, columns);
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) rows<4>(from.at(i, 0), kernel, bias, to.at(i, 0), depth, first, last);
    for (; i < count; ++i) rows<1>(from.at(i, 0), kernel, bias, to.at(i, 0), depth, first, last);
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_dense, chainrule::dense,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Matrix>()
                                  .Arg<chainrule::Matrix>()
                                  .Arg<chainrule::Row>()
                                  .Ret<chainrule::Matrix>());
