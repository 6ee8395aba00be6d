// Recurrent layers over all of time: each thread takes some of the batch's examples through every step alone.
//
// a, x's part of the gates with the bias, is (time, batch, gates · units); the kernel, for h's part, (units, gates ·
// units). A cell adds h's part to a's for its first `kShared` gates. For the others both stand side by side, a's first;
// or, where `kResets`, the first gate says how much of h their part sees.

#include <cstdint>
#include <vector>

#include "functions.h"
#include "threads.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

struct Elman {
  static constexpr int kGates = 1, kShared = 1, kStates = 1, kSums = 1;
  static constexpr bool kResets = false;
  static void step(const Vector* gates, const Vector*, Vector* next) { next[0] = tanh(gates[0]); }
  static void pull(const Vector* gates, const Vector*, const Vector* d_next, Vector* d_gates, Vector* d_last) {
    d_gates[0] = d_next[0] * tanh_slope(gates[0]);
    d_last[0] = Vector{};
  }
};

struct LSTM {  // gates i, f, g, o; states h, c
  static constexpr int kGates = 4, kShared = 4, kStates = 2, kSums = 4;
  static constexpr bool kResets = false;
  static void step(const Vector* gates, const Vector* last, Vector* next) {
    next[1] = sigmoid(gates[1]) * last[1] + sigmoid(gates[0]) * tanh(gates[2]);
    next[0] = sigmoid(gates[3]) * tanh(next[1]);
  }
  static void pull(const Vector* gates, const Vector* last, const Vector* d_next, Vector* d_gates, Vector* d_last) {
    const Vector i = sigmoid(gates[0]), f = sigmoid(gates[1]), g = tanh(gates[2]), o = sigmoid(gates[3]);
    const Vector c = f * last[1] + i * g;
    const Vector d_c = d_next[1] + d_next[0] * o * tanh_slope(c);
    d_gates[0] = d_c * g * sigmoid_slope(gates[0]);
    d_gates[1] = d_c * last[1] * sigmoid_slope(gates[1]);
    d_gates[2] = d_c * i * tanh_slope(gates[2]);
    d_gates[3] = d_next[0] * tanh(c) * sigmoid_slope(gates[3]);
    d_last[0] = Vector{};
    d_last[1] = d_c * f;
  }
};

struct PublishedGRU {  // gates r, z, n
  static constexpr int kGates = 3, kShared = 2, kStates = 1, kSums = 3;
  static constexpr bool kResets = true;
  static void step(const Vector* gates, const Vector* last, Vector* next) {
    const Vector n = tanh(gates[2]);
    next[0] = n + sigmoid(gates[1]) * (last[0] - n);
  }
  static void pull(const Vector* gates, const Vector* last, const Vector* d_next, Vector* d_gates, Vector* d_last) {
    d_gates[1] = d_next[0] * (last[0] - tanh(gates[2])) * sigmoid_slope(gates[1]);
    d_gates[2] = d_next[0] * sigmoid(-gates[1]) * tanh_slope(gates[2]);
    d_last[0] = d_next[0] * sigmoid(gates[1]);
  }
};

struct GRU {  // gates r, z, n; n's two parts stay apart, since r comes after the product
  static constexpr int kGates = 3, kShared = 2, kStates = 1, kSums = 4;
  static constexpr bool kResets = false;
  static void step(const Vector* gates, const Vector* last, Vector* next) {
    const Vector z = sigmoid(gates[1]), n = tanh(gates[2] + sigmoid(gates[0]) * gates[3]);
    next[0] = n + z * (last[0] - n);
  }
  static void pull(const Vector* gates, const Vector* last, const Vector* d_next, Vector* d_gates, Vector* d_last) {
    const Vector r = sigmoid(gates[0]), z = sigmoid(gates[1]), sum = gates[2] + r * gates[3];
    const Vector d_sum = d_next[0] * sigmoid(-gates[1]) * tanh_slope(sum);
    d_gates[0] = d_sum * gates[3] * sigmoid_slope(gates[0]);
    d_gates[1] = d_next[0] * (last[0] - tanh(sum)) * sigmoid_slope(gates[1]);
    d_gates[2] = d_sum;
    d_gates[3] = d_sum * r;
    d_last[0] = d_next[0] * z;
  }
};

using Row = ffi::Buffer<ffi::F32, 1>;
using Matrix = ffi::Buffer<ffi::F32, 2>;
using Block = ffi::Buffer<ffi::F32, 3>;
using States = ffi::Buffer<ffi::F32, 4>;  // each of the cell's states after each step: (states, time, batch, units)

struct Sizes {
  int64_t time, batch, units;
  int64_t at(int64_t step, int64_t example) const { return (step * batch + example) * units; }
};

// Calls `work(first, count)` for each thread's share of the batch.
template <class Work>
void by_examples(ffi::ThreadPool& pool, const Sizes& n, int64_t wide, Work work) {
  const int64_t worth = std::max<int64_t>(1, n.batch * n.time * n.units * wide / (1 << 18));
  const int64_t shares = std::min({pool.num_threads(), worth, std::max<int64_t>(n.batch / 2, 1)});
  in_parallel(pool, shares, [=](int64_t share) {
    const int64_t first = n.batch * share / shares;
    work(first, n.batch * (share + 1) / shares - first);
  });
}

template <class Cell>
ffi::Error forward(ffi::ThreadPool pool, Block a, Matrix kernel, Row bias, Matrix keep, Block start, Matrix mask,
                   ffi::Result<Block> gates, ffi::Result<States> states) {
  constexpr int kGates = Cell::kGates, kShared = Cell::kShared, kStates = Cell::kStates, kSums = Cell::kSums;
  const Sizes n{a.dimensions()[0], a.dimensions()[1], kernel.dimensions()[0]};
  const int64_t units = n.units, columns = kGates * units, shared = kShared * units, sums = kSums * units;
  if (n.time < 1 || a.element_count() != n.time * n.batch * columns || kernel.element_count() != units * columns ||
      bias.element_count() != columns || keep.element_count() != n.batch * units ||
      start.element_count() != kStates * n.batch * units || mask.element_count() != n.time * n.batch ||
      gates->element_count() != n.time * n.batch * sums ||
      states->element_count() != kStates * n.time * n.batch * units) {
    return ffi::Error::InvalidArgument("recurrence: the shapes of gates, kernel, states and mask do not fit.");
  }
  std::vector<float> packed(packed_size(units, shared) + packed_size(units, columns - shared));
  const float *weights = kernel.typed_data(), *right = packed.data(), *rest = right + packed_size(units, shared);
  pack(units, shared, {weights, columns}, packed.data());
  pack(units, columns - shared, {weights + shared, columns}, packed.data() + packed_size(units, shared));
  const float *in = a.typed_data(), *from = start.typed_data(), *live = mask.typed_data();
  const float *factors = keep.typed_data(), *added = bias.typed_data();
  float *out = states->typed_data(), *kept = gates->typed_data();
  by_examples(pool, n, columns, [=](int64_t first, int64_t count) {
    float* seen = scratch((count + kRows) * units, 0);
    for (int64_t t = 0; t < n.time; ++t) {
      const float* last = t ? out + n.at(t - 1, first) : from + first * units;
      const int64_t apart = t ? n.time * n.batch * units : n.batch * units;  // from one state's array to the next
      float* now = kept + (t * n.batch + first) * sums;
      for (int64_t i = 0; i < count; ++i) {
        const float* part = in + (t * n.batch + first + i) * columns;
        for (int64_t j = 0; j < units; ++j)
          seen[i * units + j] = last[i * units + j] * factors[(first + i) * units + j];
        for (int64_t j = 0; j < shared; ++j) now[i * sums + j] = part[j] + added[j];
        for (int64_t j = shared; j < columns; ++j) now[i * sums + j] = part[j];
        for (int64_t j = columns; j < sums; ++j) now[i * sums + j] = added[j - columns + shared];
      }
      product<A::kUpright>(count, shared, units, {seen, units}, right, {now, sums}, true);
      if constexpr (Cell::kResets) {
        for (int64_t i = 0; i < count; ++i) {
          by_vectors(units, [&](int64_t unit, int64_t some) {
            float* h = seen + i * units + unit;
            store_some(h, load_some(h, some) * sigmoid(load_some(now + i * sums + unit, some)), some);
          });
        }
        product<A::kUpright>(count, columns - shared, units, {seen, units}, rest, {now + shared, sums}, true);
      } else if (shared < columns) {
        product<A::kUpright>(count, columns - shared, units, {seen, units}, rest, {now + columns, sums}, true);
      }
      for (int64_t i = 0; i < count; ++i) {
        const bool padding = live[t * n.batch + first + i] == 0.0f;
        by_vectors(units, [&](int64_t unit, int64_t some) {
          Vector gate[kSums], before[kStates], after[kStates];
          for (int g = 0; g < kSums; ++g) gate[g] = load_some(now + i * sums + g * units + unit, some);
          for (int s = 0; s < kStates; ++s) before[s] = load_some(last + s * apart + i * units + unit, some);
          if (!padding) Cell::step(gate, before, after);
          for (int s = 0; s < kStates; ++s) {
            store_some(out + s * n.time * n.batch * units + n.at(t, first + i) + unit, padding ? before[s] : after[s],
                       some);
          }
        });
      }
    }
  });
  return ffi::Error::Success();
}

// From the gradients of the states after each step to those of the gates and of the first states. `turned` is the
// kernel transposed, (gates · units, units).
template <class Cell>
ffi::Error backward(ffi::ThreadPool pool, Block gates, Matrix turned, Matrix keep, Block start, Matrix mask,
                    States states, States d_states, ffi::Result<Block> d_gates, ffi::Result<Block> d_start) {
  constexpr int kGates = Cell::kGates, kShared = Cell::kShared, kStates = Cell::kStates, kSums = Cell::kSums;
  const Sizes n{gates.dimensions()[0], gates.dimensions()[1], turned.dimensions()[1]};
  const int64_t units = n.units, columns = kGates * units, shared = kShared * units, sums = kSums * units;
  const int64_t size = n.time * n.batch * units;
  if (n.time < 1 || gates.element_count() != n.time * n.batch * sums || turned.element_count() != units * columns ||
      keep.element_count() != n.batch * units || start.element_count() != kStates * n.batch * units ||
      mask.element_count() != n.time * n.batch || states.element_count() != kStates * size ||
      d_states.element_count() != kStates * size || d_gates->element_count() != gates.element_count() ||
      d_start->element_count() != start.element_count()) {
    return ffi::Error::InvalidArgument("recurrence_gradient: the shapes of gates, kernel, states and mask do not fit.");
  }
  std::vector<float> packed(packed_size(shared, units) + packed_size(columns - shared, units));
  const float *weights = turned.typed_data(), *right = packed.data(), *rest = right + packed_size(shared, units);
  pack(shared, units, {weights, units}, packed.data());
  pack(columns - shared, units, {weights + shared * units, units}, packed.data() + packed_size(shared, units));
  const float *kept = gates.typed_data(), *from = start.typed_data(), *live = mask.typed_data();
  const float *factors = keep.typed_data(), *out = states.typed_data(), *outer = d_states.typed_data();
  float *to = d_gates->typed_data(), *later = d_start->typed_data();
  std::fill_n(later, d_start->element_count(), 0.0f);
  by_examples(pool, n, columns, [=](int64_t first, int64_t count) {
    float* back = scratch(count * units, 0);
    float* rows = scratch((count + kRows) * sums, 1);
    for (int64_t t = n.time - 1; t >= 0; --t) {
      const float* last = t ? out + n.at(t - 1, first) : from + first * units;
      const int64_t apart = t ? size : n.batch * units;
      const float* now = kept + (t * n.batch + first) * sums;
      for (int64_t i = 0; i < count; ++i) {
        const bool padding = live[t * n.batch + first + i] == 0.0f;
        by_vectors(units, [&](int64_t unit, int64_t some) {
          Vector gate[kSums], before[kStates], d_next[kStates], d_gate[kSums] = {}, d_last[kStates];
          for (int g = 0; g < kSums; ++g) gate[g] = load_some(now + i * sums + g * units + unit, some);
          for (int s = 0; s < kStates; ++s) {
            before[s] = load_some(last + s * apart + i * units + unit, some);
            d_next[s] = load_some(later + (s * n.batch + first + i) * units + unit, some) +
                        load_some(outer + s * size + n.at(t, first + i) + unit, some);
            d_last[s] = d_next[s];
          }
          if (!padding) Cell::pull(gate, before, d_next, d_gate, d_last);
          for (int g = 0; g < kSums; ++g) store_some(rows + i * sums + g * units + unit, d_gate[g], some);
          for (int s = 0; s < kStates; ++s) {
            store_some(later + (s * n.batch + first + i) * units + unit, d_last[s], some);
          }
        });
      }
      if constexpr (Cell::kResets) {
        product<A::kUpright>(count, units, columns - shared, {rows + shared, sums}, rest, {back, units}, false);
        for (int64_t i = 0; i < count; ++i) {
          by_vectors(units, [&](int64_t unit, int64_t some) {
            const int64_t at = i * units + unit;
            const Vector d_seen = load_some(back + at, some), gate = load_some(now + i * sums + unit, some);
            const Vector h = load_some(last + at, some) * load_some(factors + first * units + at, some);
            store_some(rows + i * sums + unit, d_seen * h * sigmoid_slope(gate), some);
            store_some(back + at, d_seen * sigmoid(gate), some);
          });
        }
      }
      std::copy_n(rows, count * sums, to + (t * n.batch + first) * sums);
      product<A::kUpright>(count, units, shared, {rows, sums}, right, {back, units}, Cell::kResets);
      if (!Cell::kResets && shared < columns) {
        product<A::kUpright>(count, units, columns - shared, {rows + columns, sums}, rest, {back, units}, true);
      }
      for (int64_t j = 0; j < count * units; ++j) later[first * units + j] += back[j] * factors[first * units + j];
    }
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

namespace cr = chainrule;

#define CHAINRULE_RECURRENCE(name, Cell)                                             \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name, cr::forward<cr::Cell>,             \
                                ffi::Ffi::Bind()                                     \
                                    .Ctx<ffi::ThreadPool>()                          \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Row>()                                  \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::Matrix>()                               \
                                    .Ret<cr::Block>()                                \
                                    .Ret<cr::States>());                             \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name##_gradient, cr::backward<cr::Cell>, \
                                ffi::Ffi::Bind()                                     \
                                    .Ctx<ffi::ThreadPool>()                          \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::States>()                               \
                                    .Arg<cr::States>()                               \
                                    .Ret<cr::Block>()                                \
                                    .Ret<cr::Block>())

CHAINRULE_RECURRENCE(elman, Elman);
CHAINRULE_RECURRENCE(lstm, LSTM);
CHAINRULE_RECURRENCE(gru, GRU);
CHAINRULE_RECURRENCE(published_gru, PublishedGRU);
