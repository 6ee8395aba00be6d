// Vectors as wide as the machine's registers, and the product of small matrices that the kernels are built on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace chainrule {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRows = 14;  // 28 of 32 registers hold the sums
#elif defined(__AVX2__)
constexpr int kLanes = 8, kRows = 6;  // 12 of 16
#elif defined(__aarch64__)
constexpr int kLanes = 4, kRows = 12;
#else
constexpr int kLanes = 4, kRows = 6;
#endif

typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef float Unaligned __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vector v) { *reinterpret_cast<Unaligned*>(to) = v; }

// The first `count` lanes; the others are 0.
inline Vector load_some(const float* from, int64_t count) {
  if (count == kLanes) return load(from);
  float values[kLanes] = {};
  std::memcpy(values, from, count * sizeof(float));
  return load(values);
}

inline void store_some(float* to, Vector v, int64_t count) {
  if (count == kLanes) return store(to, v);
  std::memcpy(to, &v, count * sizeof(float));
}

// Calls `work(first, count)` for each vector of a row; the count of a whole one is known when `work(…, auto)` is
// compiled.
template <class Work>
void by_vectors(int64_t columns, Work work) {
  int64_t first = 0;
  for (; first + kLanes <= columns; first += kLanes) work(first, std::integral_constant<int64_t, kLanes>{});
  if (first < columns) work(first, columns - first);
}

// Calls `work(row, first, count)` for each vector of each row.
template <class Work>
void each_vector(int64_t rows, int64_t columns, Work work) {
  for (int64_t i = 0; i < rows; ++i) {
    by_vectors(columns, [=](int64_t first, auto count) { work(i, first, count); });
  }
}

constexpr int kPanel = 2 * kLanes;  // columns that are worked on together

// Some floats, often only a few: a call of memcpy would cost more.
inline void copy(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  for (; i < count; ++i) {
    to[i] = from[i];
    asm volatile("" ::: "memory");  // or the compiler calls memcpy after all
  }
}

// A matrix by the distance between its rows; each is `step` floats behind the last.
template <class Float>
struct Rows {
  Float* data;
  int64_t step;
  Rows at(int64_t row, int64_t column) const { return {data + row * step + column, step}; }
};

enum class A { kUpright, kTransposed };  // whether a is (rows, depth) or (depth, rows)

// A matrix cut into panels of kPanel columns, each (depth, kPanel) in one piece of memory, filled up with zeros: rows
// far apart would fight for the same places of the cache.
constexpr int64_t packed_size(int64_t depth, int64_t columns) {
  return (columns + kPanel - 1) / kPanel * kPanel * depth;
}

inline void pack(int64_t depth, int64_t columns, Rows<const float> from, float* to) {
  for (int64_t j = 0; j < columns; j += kPanel) {
    const int64_t wide = std::min<int64_t>(columns - j, kPanel);
    for (int64_t k = 0; k < depth; ++k, to += kPanel) {
      copy(from.data + k * from.step + j, wide, to);
      std::fill(to + wide, to + kPanel, 0.0f);
    }
  }
}

// a's and b's numbers from the kFirst-th on by turns.
template <int kFirst, size_t... kI>
Vector zipped(Vector a, Vector b, std::index_sequence<kI...>) {
  return Vector{(kI % 2 ? b : a)[kFirst + kI / 2]...};
}

// Turns a square of as many vectors as each has lanes: rows half the square apart are zipped until all have met.
inline void turn(Vector* rows) {
  constexpr std::make_index_sequence<kLanes> kAll;
  constexpr int kHalf = kLanes / 2;
  for (int met = 1; met < kLanes; met *= 2) {
    Vector old[kLanes];
    std::copy_n(rows, kLanes, old);
    for (int i = 0; i < kHalf; ++i) {
      rows[2 * i] = zipped<0>(old[i], old[i + kHalf], kAll);
      rows[2 * i + 1] = zipped<kHalf>(old[i], old[i + kHalf], kAll);
    }
  }
}

// The same of a matrix that lies turned, (columns, depth).
inline void pack_turned(int64_t depth, int64_t columns, Rows<const float> from, float* to) {
  for (int64_t j = 0; j < packed_size(1, columns); j += kLanes) {
    const int64_t wide = std::clamp<int64_t>(columns - j, 0, kLanes);
    float* panel = to + j / kPanel * kPanel * depth + j % kPanel;
    for (int64_t k = 0; k < depth; k += kLanes) {
      const int64_t some = std::min<int64_t>(depth - k, kLanes);
      Vector square[kLanes] = {};
      for (int64_t i = 0; i < wide; ++i) square[i] = load_some(from.at(j + i, k).data, some);
      turn(square);
      for (int64_t i = 0; i < some; ++i) store(panel + (k + i) * kPanel, square[i]);
    }
  }
}

// What a product sums over: `count` runs, each of `length` values one behind the other, which start at `starts` in a.
struct Runs {
  const int64_t* starts;
  int64_t count, length;
};

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

// y = start + a b, b packed. All rows of `start` may be one, a bias, its step then 0; without data they are zero.
template <A kA>
void product(int64_t rows, int64_t columns, Runs runs, Rows<const float> a, const float* b, Rows<const float> start,
             Rows<float> y) {
  const int64_t tiles = (rows + kRows - 1) / kRows;  // as even as can be
  for (int64_t j = 0; j < columns; j += kPanel, b += runs.count * runs.length * kPanel) {
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

// y (+)= a b.
template <A kA>
void product(int64_t rows, int64_t columns, int64_t depth, Rows<const float> a, const float* b, Rows<float> y,
             bool add) {
  const int64_t start = 0;
  product<kA>(rows, columns, Runs{&start, 1, depth}, a, b, {add ? y.data : nullptr, y.step}, y);
}

}  // namespace chainrule
