// Optimizers: parameters and slots brought forward in one pass over memory, all arrays of a network in one call.

#include <cmath>

#include "threads.h"
#include "vectors.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

// Numbers of an array that one thread takes at a time: many of a large network, since memory flows best then, and fewer
// towards the end, so that all threads end together.
constexpr int64_t kShortest = 1 << 15, kLongest = 1 << 20;

inline Vector sqrt(Vector x) {
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}

// A rule gives the step from the gradient g and the parameter w, and leaves in s what its slots become. The slots and
// the constants c are those of the rule in optimizers/, by its names and in its order.
struct GradientDescent {
  enum Slot { kSlots };
  enum Constant { eta, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) { return -c[eta] * g; }
};

struct Momentum {
  enum Slot { v, kSlots };
  enum Constant { eta, momentum, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) {
    s[v] = c[momentum] * s[v] + c[eta] * g;
    return -s[v];
  }
};

struct Nesterov {
  enum Slot { v, kSlots };
  enum Constant { eta, momentum, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) {
    s[v] = c[momentum] * s[v] + c[eta] * g;
    return -c[momentum] * s[v] - c[eta] * g;
  }
};

struct Adagrad {
  enum Slot { G, kSlots };
  enum Constant { eta, epsilon, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) {
    s[G] += g * g;
    return -c[eta] * g / sqrt(s[G] + c[epsilon]);
  }
};

struct Adadelta {
  enum Slot { G, D, kSlots };
  enum Constant { eta, rho, rest, epsilon, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) {
    s[G] = c[rho] * s[G] + c[rest] * g * g;
    const Vector delta = -sqrt((s[D] + c[epsilon]) / (s[G] + c[epsilon])) * g;
    s[D] = c[rho] * s[D] + c[rest] * delta * delta;
    return c[eta] * delta;
  }
};

struct RMSprop {
  enum Slot { G, kSlots };
  enum Constant { eta, rho, rest, epsilon, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) {
    s[G] = c[rho] * s[G] + c[rest] * g * g;
    return -c[eta] * g / sqrt(s[G] + c[epsilon]);
  }
};

struct Adam {
  enum Slot { m, v, kSlots };
  enum Constant { eta_hat, root_hat, beta1, rest1, beta2, rest2, epsilon, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) {
    s[m] = c[beta1] * s[m] + c[rest1] * g;
    s[v] = c[beta2] * s[v] + c[rest2] * g * g;
    return -c[eta_hat] * s[m] / (sqrt(s[v]) * c[root_hat] + c[epsilon]);
  }
};

struct AdamW {
  enum Slot { m, v, kSlots };
  enum Constant { eta_hat, root_hat, beta1, rest1, beta2, rest2, epsilon, decay, kConstants };
  static Vector step(Vector g, Vector w, Vector* s, const float* c) { return Adam::step(g, w, s, c) - c[decay] * w; }
};

// An array's parameters, gradient and slots, and where the new ones go, which may be the same places.
template <int kSlots>
struct Leaf {
  const float *theta, *g, *slots[kSlots + 1];
  float *new_theta, *new_slots[kSlots + 1];
};

// What one thread does at a time: some of an array.
template <int kSlots>
struct Part {
  Leaf<kSlots> leaf;
  int64_t first, end;
  const float* constants;
};

template <class Rule>
void bring_forward(const Part<Rule::kSlots>& part) {
  const auto leaf = part.leaf;
  float c[Rule::kConstants];
  std::copy_n(part.constants, Rule::kConstants, c);
  for (int64_t i = part.first; i < part.end; i += kLanes) {
    const int64_t some = std::min<int64_t>(part.end - i, kLanes);
    Vector s[Rule::kSlots + 1];
    for (int k = 0; k < Rule::kSlots; ++k) s[k] = load_some(leaf.slots[k] + i, some);
    const Vector theta = load_some(leaf.theta + i, some);
    store_some(leaf.new_theta + i, theta + Rule::step(load_some(leaf.g + i, some), theta, s, c), some);
    for (int k = 0; k < Rule::kSlots; ++k) store_some(leaf.new_slots[k] + i, s[k], some);
  }
}

// From the constants, all parameters, all arrays of each slot and all gradients to all parameters and slots. Several
// networks at once have a row of constants each, and arrays whose first axis counts the networks.
template <class Rule>
ffi::Error update(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> constants, ffi::RemainingArgs from,
                  ffi::RemainingRets to) {
  constexpr int kSlots = Rule::kSlots;
  const int64_t arrays = to.size() / (1 + kSlots), networks = constants.element_count() / Rule::kConstants;
  bool fits = static_cast<int64_t>(constants.element_count()) == networks * Rule::kConstants &&
              static_cast<int64_t>(to.size()) == arrays * (1 + kSlots) &&
              static_cast<int64_t>(from.size()) == arrays * (2 + kSlots);
  int64_t numbers = 0;
  for (int64_t n = 0; n < arrays && fits; ++n) numbers += (**to.template get<ffi::AnyBuffer>(n)).element_count();
  std::vector<Part<kSlots>> parts;
  for (int64_t n = 0; n < arrays && fits; ++n) {
    Leaf<kSlots> leaf;
    int64_t size = -1;
    auto data = [&](auto array) -> float* {
      fits =
          fits && array.element_type() == ffi::F32 && (size < 0 || size == static_cast<int64_t>(array.element_count()));
      size = array.element_count();
      return fits ? array.template typed_data<float>() : nullptr;
    };
    auto given = [&](int64_t kind) { return data(*from.template get<ffi::AnyBuffer>(kind * arrays + n)); };
    auto wanted = [&](int64_t kind) { return data(**to.template get<ffi::AnyBuffer>(kind * arrays + n)); };
    leaf.theta = given(0), leaf.g = given(1 + kSlots), leaf.new_theta = wanted(0);
    for (int k = 0; k < kSlots; ++k) leaf.slots[k] = given(1 + k), leaf.new_slots[k] = wanted(1 + k);
    fits = fits && networks > 0 && size % networks == 0;
    for (int64_t network = 0; network < networks && fits; ++network) {
      const int64_t own = size / networks, end = (network + 1) * own;
      const float* c = constants.typed_data() + network * Rule::kConstants;
      for (int64_t first = network * own, last; first < end; numbers -= last - first, first = last) {
        last = std::min(end, first + std::clamp(numbers / (4 * pool.num_threads()), kShortest, kLongest));
        parts.push_back({leaf, first, last, c});
      }
    }
  }
  if (!fits)
    return ffi::Error::InvalidArgument("optimizer: parameters, gradients and slots are not of the same sizes.");
  in_parallel(pool, parts.size(), [&parts](int64_t number) { bring_forward<Rule>(parts[number]); });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

#define CHAINRULE_OPTIMIZER(name, Rule)                     \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(                            \
      chainrule_##name, chainrule::update<chainrule::Rule>, \
      ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<ffi::Buffer<ffi::F32>>().RemainingArgs().RemainingRets())

CHAINRULE_OPTIMIZER(gradient_descent, GradientDescent);
CHAINRULE_OPTIMIZER(momentum, Momentum);
CHAINRULE_OPTIMIZER(nesterov, Nesterov);
CHAINRULE_OPTIMIZER(adagrad, Adagrad);
CHAINRULE_OPTIMIZER(adadelta, Adadelta);
CHAINRULE_OPTIMIZER(rmsprop, RMSprop);
CHAINRULE_OPTIMIZER(adam, Adam);
CHAINRULE_OPTIMIZER(adamw, AdamW);
