// The product of small matrices, compiled once for all kernels: its tiles are what takes a compiler longest.

#include "product.h"

namespace chainrule {
namespace {

// y = start + a b for R rows and V vectors of a panel's columns, the sums kept in registers.
template <int R, int V, A kA>
void tile(Runs runs, Rows<const float> a, const float* b, Rows<const float> start, Rows<float> y) {
  Vector sums[R][V] = {};
  if (start.data) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      for (int v = 0; v < V; ++v) sums[i][v] = load(start.data + i * start.step + v * kLanes);
    }
  }
  for (int64_t run = 0; run < runs.count; ++run) {
    const float* from = a.data + runs.starts[run];
    for (int64_t k = 0; k < runs.length; ++k, b += kPanel) {
      Vector right[V];
      for (int v = 0; v < V; ++v) right[v] = load(b + v * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        const float left = kA == A::kUpright ? from[i * a.step + k] : from[k * a.step + i];
        for (int v = 0; v < V; ++v) sums[i][v] += left * right[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {
    for (int v = 0; v < V; ++v) store(y.data + i * y.step + v * kLanes, sums[i][v]);
  }
}

// The same for R rows, so few that they would wait for their own sums, and P panels at once, `apart` floats from one to
// the next.
template <int R, int P, A kA>
void wide_tile(Runs runs, Rows<const float> a, const float* b, int64_t apart, Rows<const float> start, Rows<float> y) {
  constexpr int V = kPanel / kLanes;
  Vector sums[R][P * V] = {};
  for (int i = 0; start.data && i < R; ++i) {
    for (int v = 0; v < P * V; ++v) sums[i][v] = load(start.data + i * start.step + v * kLanes);
  }
  for (int64_t run = 0; run < runs.count; ++run) {
    const float* from = a.data + runs.starts[run];
    for (int64_t k = 0; k < runs.length; ++k, b += kPanel) {
      for (int i = 0; i < R; ++i) {
        const float left = kA == A::kUpright ? from[i * a.step + k] : from[k * a.step + i];
#pragma GCC unroll 16
        for (int v = 0; v < P * V; ++v) sums[i][v] += left * load(b + v / V * apart + v % V * kLanes);
      }
    }
  }
  for (int i = 0; i < R; ++i) {
    for (int v = 0; v < P * V; ++v) store(y.data + i * y.step + v * kLanes, sums[i][v]);
  }
}

// The tile of so many rows.
template <int R, int V, A kA>
void fitting_tile(int64_t rows, Runs runs, Rows<const float> a, const float* b, Rows<const float> start,
                  Rows<float> y) {
  if constexpr (R > 1) {
    if (rows < R) return fitting_tile<R - 1, V, kA>(rows, runs, a, b, start, y);
  }
  tile<R, V, kA>(runs, a, b, start, y);
}

// The same for up to V vectors of columns: where they do not fill them, whole ones elsewhere are worked on.
template <int V, A kA>
void some_columns(int64_t rows, int64_t columns, Runs runs, Rows<const float> a, const float* b,
                  Rows<const float> start, Rows<float> y) {
  constexpr int64_t whole = V * kLanes;
  if (columns == whole) return fitting_tile<kRows, V, kA>(rows, runs, a, b, start, y);
  float sums[kRows * whole] = {};
  for (int64_t i = 0; start.data && i < rows; ++i) copy(start.data + i * start.step, columns, sums + i * whole);
  fitting_tile<kRows, V, kA>(rows, runs, a, b, {sums, whole}, {sums, whole});
  for (int64_t i = 0; i < rows; ++i) copy(sums + i * whole, columns, y.data + i * y.step);
}

}  // namespace

template <A kA>
void product(int64_t rows, int64_t columns, Runs runs, Rows<const float> a, const float* b, Rows<const float> start,
             Rows<float> y) {
  const int64_t tiles = (rows + kRows - 1) / kRows;  // as even as can be
  const int64_t apart = runs.count * runs.length * kPanel;
  const int64_t together = rows == 1 ? 4 : rows == 2 ? 2 : 0;  // panels
  for (int64_t j = 0; j < columns; j += kPanel, b += apart) {
    for (; together && j + together * kPanel <= columns; j += together * kPanel, b += together * apart) {
      const auto tile = rows == 1 ? wide_tile<1, 4, kA> : wide_tile<2, 2, kA>;
      tile(runs, a, b, apart, start.data ? start.at(0, j) : start, y.at(0, j));
    }
    if (j >= columns) break;
    const int64_t wide = std::min<int64_t>(columns - j, kPanel);
    for (int64_t n = 0; n < tiles; ++n) {
      const int64_t i = rows * n / tiles, high = rows * (n + 1) / tiles - i;
      const auto left = kA == A::kUpright ? a.at(i, 0) : a.at(0, i);
      const auto first = start.data ? start.at(i, j) : start;
      if (wide > kLanes) {
        some_columns<2, kA>(high, wide, runs, left, b, first, y.at(i, j));
      } else {
        some_columns<1, kA>(high, wide, runs, left, b, first, y.at(i, j));
      }
    }
  }
}

template void product<A::kUpright>(int64_t, int64_t, Runs, Rows<const float>, const float*, Rows<const float>,
                                   Rows<float>);
template void product<A::kTransposed>(int64_t, int64_t, Runs, Rows<const float>, const float*, Rows<const float>,
                                      Rows<float>);

}  // namespace chainrule
