// Exponential, logistic function and hyperbolic tangent of a vector, and their derivatives from the input; waves.
#pragma once

#include "vectors.h"

namespace chainrule {

typedef int32_t Integers __attribute__((vector_size(4 * kLanes)));

inline Vector abs(Vector x) { return (Vector)((Integers)x & 0x7fffffff); }
inline Vector with_sign_of(Vector x, Vector sign) {
  return (Vector)((Integers)x | ((Integers)sign & (int32_t)0x80000000));
}

inline Vector all(float value) { return value - Vector{}; }

// e^x for x <= 0, and 0 where it is below the smallest normal number: 2^n e^r with |r| <= ln 2 / 2.
inline Vector exp(Vector x) {
  const float lowest = -87.33654f, shift = 12582912.0f;  // adding 1.5 · 2²³ rounds to a whole number
  const Vector inside = x < lowest ? all(lowest) : x;
  const Vector n = (inside * 1.44269504f + shift) - shift;
  const Vector r = (inside - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const Vector power = (Vector)((__builtin_convertvector(n, Integers) + 127) << 23);
  return x < lowest ? Vector{} : p * power;
}

inline Vector sigmoid(Vector x) {
  const Vector e = exp(-abs(x));
  return (x < 0.0f ? e : all(1.0f)) / (1.0f + e);
}

inline Vector sigmoid_slope(Vector x) {
  const Vector e = exp(-abs(x));
  return e / ((1.0f + e) * (1.0f + e));
}

inline Vector tanh(Vector x) {
  const Vector e = exp(-2.0f * abs(x)), far = with_sign_of((1.0f - e) / (1.0f + e), x);
  const Vector s = x * x;  // near 0 an odd polynomial, where 1 − e would lose its digits
  Vector p = s * -5.70498872e-3f + 2.06390887e-2f;
  p = p * s - 5.37397155e-2f;
  p = p * s + 1.33314422e-1f;
  p = p * s - 3.33332819e-1f;
  return abs(x) < 0.625f ? x + x * s * p : far;
}

inline Vector tanh_slope(Vector x) {
  const Vector e = exp(-2.0f * abs(x));
  return 4.0f * e / ((1.0f + e) * (1.0f + e));
}

// Sine and cosine of so many turns, 2π each; from 2²⁰ on, where floats hardly tell parts of one apart, those of 0.
struct Turn {
  Vector sine, cosine;

  explicit Turn(Vector turns) {
    const float shift = 12582912.0f;  // as in exp
    const Vector inside = abs(turns) < 1048576.0f ? turns : turns * 0.0f, shifted = 4.0f * inside + shift;
    const Vector r = (inside - (shifted - shift) * 0.25f) * 6.28318531f, square = r * r;  // up to π/4
    Vector s = square * -1.9515295891e-4f + 8.3321608736e-3f;
    s = (s * square - 1.6666654611e-1f) * square * r + r;
    Vector c = square * 2.443315711809948e-5f - 1.388731625493765e-3f;
    c = (c * square + 4.166664568298827e-2f) * square * square - 0.5f * square + 1.0f;
    const Integers quarter = (Integers)shifted, odd = (quarter & 1) != 0;
    sine = with_sign(odd ? c : s, quarter);
    cosine = with_sign(odd ? s : c, quarter + 1);
  }

 private:
  // Of the second and the third quarter of a turn, counted from 0, the other sign.
  static Vector with_sign(Vector y, Integers quarter) { return (Vector)((Integers)y ^ ((quarter & 2) << 30)); }
};

}  // namespace chainrule
