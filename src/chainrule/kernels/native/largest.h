// The largest of some values and the number of the cell that held it, a byte.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "functions.h"

namespace chainrule {

typedef uint8_t Bytes __attribute__((vector_size(kLanes)));
typedef uint16_t Shorts __attribute__((vector_size(2 * kLanes)));

inline Integers load_cells(const uint8_t* from, int64_t count) {
  Bytes bytes = {};
  if (count == kLanes) {
    std::memcpy(&bytes, from, kLanes);
  } else {
    std::memcpy(&bytes, from, count);
  }
  return __builtin_convertvector(__builtin_convertvector(bytes, Shorts), Integers);  // at once GCC goes byte by byte
}

inline void store_cells(uint8_t* to, Integers cells, int64_t count) {
  const Bytes bytes = __builtin_convertvector(cells, Bytes);
  if (count == kLanes) {
    std::memcpy(to, &bytes, kLanes);
  } else {
    std::memcpy(to, &bytes, count);
  }
}

// Whether the next value is larger, NaN before all.
inline Integers exceeds(Vector next, Vector value) { return ~(next <= value) & (value == value); }

// The largest value so far, and the cell that held it first.
struct Largest {
  Vector value = all(-INFINITY);
  Integers cell = Integers{} - 1;  // none yet: padding never counts

  explicit Largest(Vector first) : value(first), cell{} {}
  Largest() = default;

  void see(Vector next, int64_t number) {
    const Integers larger = (cell < 0) | exceeds(next, value);
    value = larger ? next : value;
    cell = larger ? Integers{} + static_cast<int32_t>(number) : cell;
  }

  // ReLU of it, whose gradient reaches no cell where it is 0 or NaN: the cell is then `none`.
  void rectify(int64_t none) {
    cell = value > 0.0f ? cell : Integers{} + static_cast<int32_t>(none);
    value = value <= 0.0f ? Vector{} : value;
  }
};

// The same where nobody asks for the cell.
struct LargestAlone {
  Vector value;

  explicit LargestAlone(Vector first) : value(first) {}
  void see(Vector next, int64_t) { value = exceeds(next, value) ? next : value; }
  void rectify(int64_t) { value = value <= 0.0f ? Vector{} : value; }
};

}  // namespace chainrule
