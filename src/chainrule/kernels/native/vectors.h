// Vectors as wide as the machine's registers, and matrices by their rows.
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

}  // namespace chainrule
