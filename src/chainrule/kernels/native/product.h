// The product of small matrices that dense layers, convolutions and recurrences are built on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "vectors.h"

namespace chainrule {

constexpr int kPanel = 2 * kLanes;  // columns that are worked on together

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

// Turns a matrix (rows, columns), filled up with rows of zeros: `put(j, i, v)` takes its column j from row i on.
template <class Put>
void turned(int64_t rows, int64_t filled, int64_t columns, Rows<const float> from, Put put) {
  for (int64_t i = 0; i < filled; i += kLanes) {
    const int64_t high = std::clamp<int64_t>(rows - i, 0, kLanes);
    for (int64_t j = 0; j < columns; j += kLanes) {
      const int64_t some = std::min<int64_t>(columns - j, kLanes);
      Vector square[kLanes] = {};
      for (int64_t n = 0; n < high; ++n) square[n] = load_some(from.at(i + n, j).data, some);
      turn(square);
      for (int64_t n = 0; n < some; ++n) put(j + n, i, square[n]);
    }
  }
}

// Packs a matrix that lies turned, (columns, depth).
inline void pack_turned(int64_t depth, int64_t columns, Rows<const float> from, float* to) {
  turned(columns, packed_size(1, columns), depth, from,
         [=](int64_t k, int64_t j, Vector v) { store(to + (j / kPanel * depth + k) * kPanel + j % kPanel, v); });
}

// What a product sums over: `count` runs, each of `length` values one behind the other, which start at `starts` in a.
struct Runs {
  const int64_t* starts;
  int64_t count, length;
};

// y = start + a b, b packed. All rows of `start` may be one, a bias, its step then 0; without data they are zero.
template <A kA>
void product(int64_t rows, int64_t columns, Runs runs, Rows<const float> a, const float* b, Rows<const float> start,
             Rows<float> y);

// y (+)= a b.
template <A kA>
void product(int64_t rows, int64_t columns, int64_t depth, Rows<const float> a, const float* b, Rows<float> y,
             bool add) {
  const int64_t start = 0;
  product<kA>(rows, columns, Runs{&start, 1, depth}, a, b, {add ? y.data : nullptr, y.step}, y);
}

}  // namespace chainrule
