// Numbers that are computed in double and rounded to float once, and the exponential of a vector of them.
#pragma once

#include <cstdint>
#include <cstring>

#include "vectors.h"

namespace chainrule {

constexpr int kWide = kLanes / 2;
typedef double Wide __attribute__((vector_size(8 * kWide)));
typedef int64_t Bits __attribute__((vector_size(8 * kWide)));
typedef float Narrow __attribute__((vector_size(4 * kWide)));

// e^x as power + power · part, power being 2^k, so that neither it nor e^x − 1 loses digits. Beyond ±708 it is held.
struct Exponential {
  Wide power, part;

  explicit Exponential(Wide x) {
    const double limit = 708.0, shift = 6755399441055744.0;  // adding 1.5 · 2⁵² rounds to a whole number
    const Wide inside = x < -limit ? Wide{} - limit : x > limit ? Wide{} + limit : x;
    const Wide shifted = inside * 1.4426950408889634 + shift;
    const Wide r = inside - (shifted - shift) * 0.6931471805599453;
    power = (Wide)(((Bits)shifted + 1023) << 52);
    part = Wide{};
    double coefficient = 1.0 / 6227020800.0;  // Taylor's series of e^r − 1 up to r¹³ / 13!: all digits, |r| ≤ ln 2 / 2
#pragma GCC unroll 16
    for (int n = 13; n > 0; coefficient *= n--) part = part * r + coefficient;
    part *= r;
  }

  Wide value() const { return power * part + power; }
  Wide minus_1() const { return power * part - (1.0 - power); }  // in this order −0 stays −0
};

// Up to kWide numbers.
inline Wide read(const float* from, int64_t count) {
  Narrow few{};
  count == kWide ? std::memcpy(&few, from, sizeof few) : std::memcpy(&few, from, 4 * count);  // the first is one load
  return __builtin_convertvector(few, Wide);
}

inline void round_to(float* to, Wide v, int64_t count) {
  const Narrow rounded = __builtin_convertvector(v, Narrow);
  count == kWide ? std::memcpy(to, &rounded, sizeof rounded) : std::memcpy(to, &rounded, 4 * count);
}

}  // namespace chainrule
