// Products of matrices: of a few rows, which reads the kernel once and where it lies, for the prediction of single
// examples; and of many, for one network or several at once.

#include "product.h"
#include "threads.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Matrix = ffi::Buffer<ffi::F32, 2>;
using Row = ffi::Buffer<ffi::F32, 1>;

constexpr int kSums = 16;                    // vectors of sums that stay in registers
constexpr int64_t kWorthAThread = 1 << 18;   // numbers of the matrix
constexpr int64_t kWorthOneAwake = 1 << 16;  // multiplications

// y = x w + b for R rows and up to kSums / R vectors of columns, of which the last has `some` lanes.
template <int R, int V, class Some>
void strip(Rows<const float> x, Rows<const float> w, const float* b, Rows<float> y, int64_t depth, Some some) {
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
  if (columns == V * kLanes) return strip<R, V>(x, w, b, y, depth, std::integral_constant<int64_t, kLanes>{});
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

ffi::Error dense(ffi::ThreadPool pool, Matrix x, Matrix w, Row b, ffi::Result<Matrix> y, int64_t packed,
                 int64_t rectified) {
  const int64_t count = x.dimensions()[0], depth = x.dimensions()[1], columns = w.dimensions()[1];
  if (w.dimensions()[0] != depth || b.dimensions()[0] != columns || y->dimensions()[0] != count ||
      y->dimensions()[1] != columns || (rectified && !packed)) {
    return ffi::Error::InvalidArgument("dense: shapes of input, kernel, bias and output do not fit.");
  }
  const Rows<const float> from{x.typed_data(), depth}, kernel{w.typed_data(), columns};
  const Rows<float> to{y->typed_data(), columns};
  const float* bias = b.typed_data();
  const int64_t unit = packed ? kPanel : kLanes, units = (columns + unit - 1) / unit;
  const int64_t worth = packed ? count * depth * columns / kWorthOneAwake : depth * columns / kWorthAThread;
  const int64_t shares = std::clamp<int64_t>(worth, 1, std::max<int64_t>(std::min(pool.num_threads(), units), 1));
  in_parallel(pool, shares, [=](int64_t share) {
    const int64_t first = units * share / shares * unit;
    const int64_t last = std::min(units * (share + 1) / shares * unit, columns), wide = last - first;
    if (packed) {
      const Rows<float> result = to.at(0, first);
      product<A::kUpright>(count, wide, depth, from, kernel.data + first * depth, result, false);
      return each_vector(count, wide, [=](int64_t i, int64_t j, auto some) {
        float* const here = result.at(i, j).data;
        const Vector sum = load_some(here, some) + load_some(bias + first + j, some);
        store_some(here, rectified ? (sum <= 0.0f ? Vector{} : sum) : sum, some);
      });
    }
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) rows<4>(from.at(i, 0), kernel, bias, to.at(i, 0), depth, first, last);
    for (; i < count; ++i) rows<1>(from.at(i, 0), kernel, bias, to.at(i, 0), depth, first, last);
  });
  return ffi::Error::Success();
}

using Array = ffi::Buffer<ffi::F32>;

constexpr int64_t kWorth = 1 << 18;   // multiplications, from which on a part may be another thread's
constexpr int64_t kPacked = 1 << 16;  // numbers of b that stay in the cache
constexpr int64_t kTall = 4 * kRows;  // rows of a part, for which it is worth to pack what they are multiplied with
constexpr int64_t kLow = 2;           // times as many columns as rows in a part: then the rows are packed,
constexpr int64_t kDeep = 128;        // if they are so long that the result can be turned back for less

// The last two axes, either order, behind one that counts the networks; without it, all networks share the matrix.
struct Matrices {
  const float* data;
  int64_t rows, columns, networks;
  bool turned;  // the memory holds (columns, rows)

  Matrices(const float* data, ffi::Span<const int64_t> shape, bool turned) : data(data), turned(turned) {
    const size_t rank = shape.size();
    networks = rank == 3 ? shape[0] : rank == 2 ? 1 : -1;
    rows = rank < 2 ? 0 : shape[rank - (turned ? 1 : 2)], columns = rank < 2 ? 0 : shape[rank - (turned ? 2 : 1)];
  }
  Rows<const float> of(int64_t network) const {
    return {data + (networks == 1 ? 0 : network * rows * columns), turned ? rows : columns};
  }
};

ffi::Error multiply(ffi::ThreadPool pool, Array left, Array right, ffi::Result<Array> y, int64_t left_turned,
                    int64_t right_turned, int64_t packed) {
  const Matrices a(left.typed_data(), left.dimensions(), left_turned);
  const Matrices b(right.typed_data(), right.dimensions(), right_turned);
  const Matrices out(y->typed_data(), y->dimensions(), false);
  const int64_t networks = out.networks, height = a.rows, depth = a.columns, columns = b.columns;
  auto serves = [=](const Matrices& m) { return m.networks == 1 || m.networks == networks; };
  if (b.rows != depth || out.rows != height || out.columns != columns || !serves(a) || !serves(b) || networks < 0) {
    return ffi::Error::InvalidArgument("product: shapes of factors and result do not fit.");
  }
  if (!out.rows || !columns || !networks) return ffi::Error::Success();
  // A part is some networks, or some columns and rows of one: columns first, since b is packed again for each part of
  // the rows; but rows if a is turned, since there are many then.
  if (packed) {
    product<A::kUpright>(height, columns, depth, a.of(0), b.data, {y->typed_data(), columns}, false);
    return ffi::Error::Success();
  }
  const int64_t work = height * std::max<int64_t>(depth, 16) * columns, panels = packed_size(1, columns) / kPanel;
  const int64_t shares = std::min(pool.num_threads(), std::max<int64_t>(work / kWorth, 1));
  const bool low = b.turned && !a.turned && kLow * packed_size(1, height) * shares <= columns && depth >= kDeep;
  const int64_t most = low ? shares : a.turned ? depth * columns / kPacked : work / kWorth;
  const int64_t across = std::clamp<int64_t>(most, 1, panels);
  const int64_t enough = low ? 1 : std::min(4 * pool.num_threads() / networks, work / kWorth) / across;
  const int64_t down = std::clamp<int64_t>(enough, 1, std::max<int64_t>(height / kTall, 1));
  const int64_t together = std::max<int64_t>(kWorth / work, 1);
  float* to = y->typed_data();
  auto share = [=](int64_t network, int64_t part) {
    const int64_t j = panels * (part / down) / across * kPanel;
    const int64_t wide = std::min(panels * (part / down + 1) / across * kPanel, columns) - j;
    const int64_t i = height * (part % down) / down, high = height * (part % down + 1) / down - i;
    const Rows<float> result{to + (network * height + i) * columns + j, columns};
    if (low) {  // y' = b' a'
      float* packed = scratch(packed_size(depth, high), 0);
      pack_turned(depth, high, a.of(network).at(i, 0), packed);
      const Rows<float> back{scratch(wide * high, 1), high};
      product<A::kUpright>(wide, high, depth, b.of(network).at(j, 0), packed, back, false);
      return turned(wide, wide, high, {back.data, high}, [=](int64_t row, int64_t column, Vector v) {
        store_some(result.at(row, column).data, v, std::min<int64_t>(wide - column, kLanes));
      });
    }
    float* packed = scratch(packed_size(depth, wide), 0);
    if (b.turned) {
      pack_turned(depth, wide, b.of(network).at(j, 0), packed);
    } else {
      pack(depth, wide, b.of(network).at(0, j), packed);
    }
    if (a.turned) {
      auto some = a.of(network).at(0, i);
      if (down > 1) {  // close together, since places far apart fight for the same lines of the cache
        const Rows<float> near{scratch(depth * high, 1), high};
        for (int64_t k = 0; k < depth; ++k) std::copy_n(some.at(k, 0).data, high, near.at(k, 0).data);
        some = {near.data, high};
      }
      product<A::kTransposed>(high, wide, depth, some, packed, result, false);
    } else {
      product<A::kUpright>(high, wide, depth, a.of(network).at(i, 0), packed, result, false);
    }
  };
  const int64_t parts = across * down;
  in_parallel(pool, (networks * parts + together - 1) / together, [=](int64_t number) {
    for (int64_t i = number * together; i < std::min((number + 1) * together, networks * parts); ++i) {
      share(i / parts, i % parts);
    }
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_product, chainrule::multiply,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Attr<int64_t>("left_turned")
                                  .Attr<int64_t>("right_turned")
                                  .Attr<int64_t>("packed"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_dense, chainrule::dense,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Matrix>()
                                  .Arg<chainrule::Matrix>()
                                  .Arg<chainrule::Row>()
                                  .Ret<chainrule::Matrix>()
                                  .Attr<int64_t>("packed")
                                  .Attr<int64_t>("rectified"));

// Packs a matrix that stays as it is, for `packed` products; the number of floats that this takes.
extern "C" int64_t chainrule_pack(int64_t depth, int64_t columns, const float* from, float* to) {
  if (to) chainrule::pack(depth, columns, {from, columns}, to);
  return chainrule::packed_size(depth, columns);
}
