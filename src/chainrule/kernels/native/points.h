// Functions of numbers that move: each gives its value and, by the chain rule, its slope. In double to its last digits,
// as slopes pass through 0, where only these are left; a slope that nobody asks for the compiler leaves out.
#pragma once

#include <cmath>

#include "doubles.h"

namespace chainrule {

inline Wide all(double value) { return value - Wide{}; }
inline Wide abs(Wide x) { return (Wide)((Bits)x & INT64_MAX); }
inline Wide sqrt(Wide x) {
  for (int i = 0; i < kWide; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
}

// c₀ + c₁ x + c₂ x² + …
template <class Number, int kCount>
Number polynomial(const double (&coefficients)[kCount], Number x) {
  Number sum = coefficients[kCount - 1] * x + coefficients[kCount - 2];
#pragma GCC unroll 32
  for (int n = kCount - 3; n >= 0; --n) sum = sum * x + coefficients[n];
  return sum;
}

// 1 + s/3 + s²/5 + …, up to s^(kTerms − 1): artanh √s / √s, and of −s arctan √s / √s.
template <int kTerms>
Wide odd_parts(Wide s) {
  Wide sum{};
#pragma GCC unroll 32
  for (int n = 2 * kTerms - 1; n > 0; n -= 2) sum = sum * s + 1.0 / n;
  return sum;
}

// A number x, and how fast it moves; what is a constant is a double or a Wide.
struct Point {
  Wide value, slope;
};

inline Point operator-(Point p) { return {-p.value, -p.slope}; }
inline Point operator+(Point p, Point q) { return {p.value + q.value, p.slope + q.slope}; }
inline Point operator-(Point p, Point q) { return {p.value - q.value, p.slope - q.slope}; }
inline Point operator*(Point p, Point q) { return {p.value * q.value, p.slope * q.value + p.value * q.slope}; }
inline Point operator/(Point p, Point q) {
  const Wide share = 1.0 / q.value, value = p.value * share;
  return {value, (p.slope - value * q.slope) * share};
}

template <class Constant>
Point operator+(Constant c, Point p) {
  return {c + p.value, p.slope};
}
template <class Constant>
Point operator+(Point p, Constant c) {
  return {p.value + c, p.slope};
}
template <class Constant>
Point operator-(Point p, Constant c) {
  return {p.value - c, p.slope};
}
template <class Constant>
Point operator*(Constant c, Point p) {
  return {c * p.value, c * p.slope};
}
template <class Constant>
Point operator*(Point p, Constant c) {
  return c * p;
}
template <class Constant>
Point operator/(Point p, Constant c) {
  return 1.0 / c * p;
}
template <class Constant>
Point operator/(Constant c, Point p) {
  const Wide share = 1.0 / p.value, value = c * share;
  return {value, -value * share * p.slope};
}

inline Wide number(Wide c) { return c; }
inline Wide number(Point p) { return p.value; }

inline Wide choose(Bits condition, Wide c, Wide d) { return condition ? c : d; }
inline Point choose(Bits condition, Point p, Point q) {
  return {condition ? p.value : q.value, condition ? p.slope : q.slope};
}

// x from `low` to `high`; at a bend the slope is that of the left.
inline Point clip(Point x, double low, double high) {
  const Point above = choose(x.value > high, {all(high), Wide{}}, x);
  return choose(x.value <= low, {all(low), Wide{}}, above);
}

// x, infinities held where no float is: 0 times one is 0.
inline Wide held(Wide x) {
  const double far = 1e39;
  return x > far ? all(far) : x < -far ? all(-far) : x;
}
inline Point held(Point x) { return {held(x.value), x.slope}; }

inline Point abs(Point x) { return choose(x.value > 0.0, x, -x); }
inline Point relu(Point x) { return choose(x.value > 0.0, x, {x.value <= 0.0 ? Wide{} : x.value, Wide{}}); }

inline Point sqrt(Point x) {
  const Wide root = sqrt(x.value);
  return {root, x.slope / (2.0 * root)};
}

inline Point exp(Point x) {
  const Wide e = Exponential(x.value).value();
  return {e, e * x.slope};
}

inline Point expm1(Point x) {  // eˣ − 1
  const Exponential e(x.value);
  return {e.minus_1(), e.value() * x.slope};
}

inline Point log1p(Point e) {  // ln(1 + e) = 2 artanh(e / (2 + e)), for 0 ≤ e ≤ 1
  const Wide share = 1.0 / ((1.0 + e.value) * (2.0 + e.value)), s = e.value * (1.0 + e.value) * share;
  return {2.0 * s * odd_parts<10>(s * s), (2.0 + e.value) * share * e.slope};
}

// ln(1 + x), for x > −1: with 1 + x = 2ᵏ m it is k ln 2 + 2 artanh((m − 1) / (m + 1)), and what 1 + x lost in rounding.
inline Point log_of_1_plus(Point x) {
  const Wide sum = 1.0 + x.value, lost = x.value - (sum - 1.0);
  const Bits of = (Bits)(sum > 0.0 ? sum : all(1.0)), k = (of - 0x3fe6a09e667f3bcd) >> 52;  // m from √½ on
  const double shift = 6755399441055744.0;  // as in Exponential: of a whole number between, the last bits
  const Wide m = (Wide)(of - (k << 52)), power = (Wide)((Bits)all(shift) + k) - shift;
  const Wide from_1 = k == 0 ? x.value : m - 1.0, z = from_1 / (2.0 + from_1),
             lost_share = k == 0 ? Wide{} : lost / sum;
  const Wide inside = 2.0 * z * odd_parts<12>(z * z) + lost_share + power * 0.6931471805599453;
  const Wide value = sum > 0.0 ? inside : sum == 0.0 ? all(-HUGE_VAL) : all(NAN);
  return {sum > 1e300 ? sum : value, x.slope / sum};
}

inline Point tanh(Point x) {  // (e²ˣ − 1) / (e²ˣ + 1)
  const Exponential e(2.0 * x.value);
  const Wide share = 1.0 / (2.0 + e.minus_1());
  return {e.minus_1() * share, 4.0 * (e.value() * share) * share * x.slope};
}

inline Point sigmoid(Point x) {  // 1 / (1 + e⁻ˣ)
  const Wide e = Exponential(-x.value).value(), share = 1.0 / (1.0 + e);
  return {share, (e * share) * share * x.slope};
}

inline Point softplus(Point x) { return relu(x) + log1p(exp(-abs(x))); }  // ln(1 + eˣ), without overflow

// Φ(x), the part of a normal distribution that is below x. For a = |x| the part beyond a is e^(−a²/2) / (a + 4) times
// a polynomial of (a − 4) / (a + 4), which is interpolated in Chebyshev's points up to a = 15, to 2e-16 of the value.
inline Point normal(Point x) {
  constexpr double kMills[] = {
      0.7552851304157515,     -0.6078966419718925,     0.3871374007422175,     -0.18652185795959808,
      0.060396574890866125,   -0.00754018896904994,    -0.0034796923688420085, 0.0016308184968227707,
      0.00013334437512829087, -0.00023109525803806166, -1.909050566321494e-06, 3.5145899763406634e-05,
      7.215030116629526e-07,  -5.920702719825637e-06,  -6.448216969930317e-07, 1.0107949846380055e-06,
      2.9255513179639736e-07, -1.2291949587051425e-07, -8.575590621003969e-08, -1.4925681198696117e-08};
  const Wide a = abs(x.value), share = 1.0 / (a + 4.0), e = Exponential(-0.5 * a * a).value();
  const Wide beyond = e * share * polynomial(kMills, 1.0 - 8.0 * share);
  return {x.value > 0.0 ? 1.0 - beyond : beyond, 0.3989422804014327 * e * x.slope};
}

// atan x: up to tan π/8 by its series, up to tan 3π/8 from π/4 on, and from π/2 on further out.
inline Point atan(Point x) {
  const Wide size = abs(x.value);
  const Bits middle = size > 0.4142135623730950, far = size > 2.414213562373095;
  const Wide up = far ? all(-1.0) : middle ? size - 1.0 : size, down = far ? size : middle ? size + 1.0 : all(1.0);
  const Wide start = far ? all(1.5707963267948966) : middle ? all(0.7853981633974483) : Wide{};
  const Wide t = up / down, angle = start + t * odd_parts<15>(-t * t);
  return {x.value < 0.0 ? -angle : angle, x.slope / (1.0 + x.value * x.value)};
}

// Sine and cosine.
struct Wave {
  Wide sine, cosine;

  explicit Wave(Wide x) {
    constexpr double kSine[] = {1.0,          -1.0 / 6,          1.0 / 120,         -1.0 / 5040,
                                1.0 / 362880, -1.0 / 39916800.0, 1.0 / 6227020800.0};
    constexpr double kCosine[] = {1.0,           -1.0 / 2,         1.0 / 24,          -1.0 / 720,
                                  1.0 / 40320.0, -1.0 / 3628800.0, 1.0 / 479001600.0, -1.0 / 87178291200.0};
    const double limit = 1 << 20, shift = 6755399441055744.0;  // as in Exponential
    const Wide shifted = x * 0.6366197723675814 + shift, quarters = shifted - shift;
    // less quarters of a turn, π/2 in three parts, of which the first two have 33 bits: whole multiples are exact
    const Wide r =
        ((x - quarters * 1.5707963267341256) - quarters * 6.077100506303966e-11) - quarters * 2.0222662487959506e-21;
    const Wide square = r * r, s = r * polynomial(kSine, square), c = polynomial(kCosine, square);
    const Bits quarter = (Bits)shifted, odd = (quarter & 1) != 0;
    sine = with_sign(odd ? c : s, quarter);
    cosine = with_sign(odd ? s : c, quarter + 1);
    const Bits beyond = ~(abs(x) <= limit);
    for (int i = 0; i < kWide; ++i) {
      if (beyond[i]) sine[i] = std::sin(x[i]), cosine[i] = std::cos(x[i]);
    }
  }

 private:
  // Of the second and the third quarter of a turn, counted from 0, the other sign.
  static Wide with_sign(Wide y, Bits quarter) { return (Wide)((Bits)y ^ ((quarter & 2) << 62)); }
};

inline Point sin(Point x) {
  const Wave wave(x.value);
  return {wave.sine, wave.cosine * x.slope};
}

}  // namespace chainrule
