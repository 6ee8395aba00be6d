// Recurrent layers over all of time: each thread takes some of the batch's examples through every step alone.
//
// a, x's part of the gates, is (time, batch, gates · units), the recurrent kernel, for h's part, (units, gates ·
// units). A cell adds both for its first `kShared` gates. For the others both stand side by side, a's first; or, where
// `kResets`, both are added too, but the first gate says how much of h their part sees.

#include <cstdint>
#include <vector>

#include "functions.h"
#include "product.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

constexpr int64_t kDepth = 256;  // rows of time and batch that a product over all of them takes at once

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

// The lengths, and what lies around the gates. Without dropout `keep` is empty, without padding `live`. Where only the
// states after the last step are kept, each step's take the place of those before.
template <class Cell>
struct Net {
  static constexpr int kGates = Cell::kGates, kShared = Cell::kShared, kStates = Cell::kStates, kSums = Cell::kSums;
  static constexpr int kOwn = kSums - kGates + kShared;  // the first sum that h's part of the other gates belongs to

  int64_t time, steps, batch, units;  // `steps`: after how many the states are kept
  const float *keep, *start, *live, *states;
  bool fits;

  Net(int64_t time, Matrix keep, Block start, Matrix live, States states)
      : time(time),
        steps(states.dimensions()[1]),
        batch(states.dimensions()[2]),
        units(states.dimensions()[3]),
        keep(keep.element_count() ? keep.typed_data() : nullptr),
        start(start.typed_data()),
        live(live.element_count() ? live.typed_data() : nullptr),
        states(states.typed_data()),
        fits(time > 0 && (steps == time || steps == 1) && states.dimensions()[0] == kStates &&
             start.element_count() == kStates * batch * units &&
             (!this->keep || keep.element_count() == batch * units) &&
             (!this->live || live.element_count() == rows())) {}

  int64_t rows() const { return time * batch; }
  int64_t row(int64_t step, int64_t example) const { return step * batch + example; }
  int64_t columns() const { return kGates * units; }
  int64_t shared() const { return kShared * units; }
  int64_t sums() const { return kSums * units; }
  bool padding(int64_t row) const { return live && live[row] == 0.0f; }

  // The first of the states before a step; the next one lies `apart` behind it.
  const float* last(int64_t row) const { return row < batch ? start + row * units : states + after(row - batch); }
  int64_t apart(int64_t row) const { return (row < batch ? batch : steps * batch) * units; }
  // Where the first of those after it begins.
  int64_t after(int64_t row) const { return (steps == time ? row : row % batch) * units; }

  // What the gates see of h before a step.
  Vector seen(int64_t row, int64_t unit, int64_t some) const {
    const Vector h = load_some(last(row) + unit, some);
    return keep ? h * load_some(keep + row % batch * units + unit, some) : h;
  }

  // Calls `work(first, count)` for each thread's share of the batch.
  template <class Work>
  void by_examples(ffi::ThreadPool& pool, Work work) const {
    const int64_t worth = std::max<int64_t>(1, rows() * units * columns() / (1 << 18));
    const int64_t shares = std::min({pool.num_threads(), worth, std::max<int64_t>(batch / 2, 1)});
    in_parallel(pool, shares, [=](int64_t share) {
      const int64_t first = batch * share / shares;
      work(first, batch * (share + 1) / shares - first);
    });
  }
};

// The kernel's columns of the shared gates and those of the others, both packed; or its rows, where it is transposed.
struct Halves {
  std::vector<float> shared, others;
  Halves(int64_t depth, int64_t columns, Rows<const float> first, int64_t more_depth, int64_t more_columns,
         Rows<const float> second)
      : shared(packed_size(depth, columns)), others(packed_size(more_depth, more_columns)) {
    pack(depth, columns, first, shared.data());
    pack(more_depth, more_columns, second, others.data());
  }
};

// Where nobody asks for a gradient, `gates` is empty, and the states are those after the last step or after each.
template <class Cell>
ffi::Error forward(ffi::ThreadPool pool, Block a, Matrix kernel, Row bias, Matrix keep, Block start, Matrix mask,
                   ffi::Result<Block> gates, ffi::Result<States> states, int64_t packed) {
  using Net = Net<Cell>;
  constexpr int kGates = Net::kGates, kShared = Net::kShared, kStates = Net::kStates, kSums = Net::kSums;
  const Net n(a.dimensions()[0], keep, start, mask, *states);
  const int64_t units = n.units, columns = n.columns(), shared = n.shared(), sums = n.sums();
  const bool alone = gates->element_count() == 0;
  if (!n.fits || a.element_count() != n.rows() * columns || kernel.element_count() != units * columns ||
      bias.element_count() != sums || (!alone && gates->element_count() != n.rows() * sums)) {
    return ffi::Error::InvalidArgument("recurrence: the shapes of gates, kernel, states and mask do not fit.");
  }
  const float *weights = kernel.typed_data(), *in = a.typed_data(), *added = bias.typed_data();
  const int64_t depth = packed ? 0 : units;  // which then is packed already, its halves one behind the other
  const Halves halves(depth, shared, {weights, columns}, depth, columns - shared, {weights + shared, columns});
  const float* left = packed ? weights : halves.shared.data();
  const float* right = packed ? weights + units * shared : halves.others.data();
  float *out = states->typed_data(), *kept = alone ? nullptr : gates->typed_data();
  n.by_examples(pool, [=](int64_t first, int64_t count) {
    float* seen = scratch(count * units, 0);
    float* part = scratch(count * columns, 1);  // of the gates, h's
    for (int64_t t = 0; t < n.time; ++t) {
      const int64_t top = n.row(t, first);
      const auto gate = [=](int g, int64_t i, int64_t unit, int64_t some) {
        Vector sum = load_some(added + g * units + unit, some);
        if (g < kGates) sum += load_some(in + (top + i) * columns + g * units + unit, some);
        if (g < kShared) sum += load_some(part + i * columns + g * units + unit, some);
        if (g >= Net::kOwn) sum += load_some(part + i * columns + (g - kSums + kGates) * units + unit, some);
        return sum;
      };
      each_vector(count, units, [=](int64_t i, int64_t unit, auto some) {
        store_some(seen + i * units + unit, n.seen(top + i, unit, some), some);
      });
      product<A::kUpright>(count, shared, units, {seen, units}, left, {part, columns}, false);
      if constexpr (Cell::kResets) {
        each_vector(count, units, [=](int64_t i, int64_t unit, auto some) {
          float* h = seen + i * units + unit;
          store_some(h, load_some(h, some) * sigmoid(gate(0, i, unit, some)), some);
        });
      }
      product<A::kUpright>(count, columns - shared, units, {seen, units}, right, {part + shared, columns}, false);
      each_vector(count, units, [=](int64_t i, int64_t unit, auto some) {
        Vector sum[kSums], before[kStates], after[kStates];
        for (int g = 0; g < kSums; ++g) {
          sum[g] = gate(g, i, unit, some);
          if (kept) store_some(kept + (top + i) * sums + g * units + unit, sum[g], some);
        }
        const float* last = n.last(top + i) + unit;
        for (int s = 0; s < kStates; ++s) before[s] = load_some(last + s * n.apart(top + i), some);
        const bool padding = n.padding(top + i);
        if (!padding) Cell::step(sum, before, after);
        for (int s = 0; s < kStates; ++s) {
          store_some(out + s * n.apart(n.batch) + n.after(top + i) + unit, padding ? before[s] : after[s], some);
        }
      });
    }
  });
  return ffi::Error::Success();
}

// A product of what the gates saw, in so many columns of it, with their gradients from a column on.
struct Product {
  int64_t seen, rows, column, columns;
  float* to;
};

// The gradients of both kernels and of the bias: what the gates saw times their gradients, over all of time and batch.
// Each thread finds some panels of columns, so that the bits are always the same.
template <class Cell>
void weights(ffi::ThreadPool& pool, const Net<Cell>& n, int64_t features, const float* x, const float* gates,
             const float* d_gates, float* d_kernel, float* d_recurrent, float* d_bias) {
  const int64_t units = n.units, columns = n.columns(), shared = n.shared(), sums = n.sums();
  const int64_t resets = Cell::kResets ? units : 0, all = features + units + resets;
  const int64_t step = all + kLanes;  // not a power of 2: rows would fight for the same places of the cache
  const std::vector<Product> products{
      {0, features, 0, columns, d_kernel},
      {features, units, 0, shared, d_recurrent},
      {features + resets, units, Net<Cell>::kOwn * units, columns - shared, d_recurrent + shared}};
  int64_t whole = 0;  // rows of all panels
  for (const Product& p : products) whole += p.rows * (packed_size(1, p.columns) / kPanel);
  const int64_t worth = std::max<int64_t>(1, n.rows() * whole * kPanel / (1 << 18));
  const int64_t shares = std::min(pool.num_threads(), worth);
  const Product* list = products.data();
  in_parallel(pool, shares, [=](int64_t share) {
    float* seen = scratch(kDepth * step, 0);
    float* panel = scratch(kDepth * kPanel, 1);
    const int64_t low = sums * share / shares, high = sums * (share + 1) / shares;
    std::fill(d_bias + low, d_bias + high, 0.0f);
    for (int64_t top = 0; top < n.rows(); top += kDepth) {
      const int64_t depth = std::min(kDepth, n.rows() - top);
      for (int64_t i = 0; i < depth; ++i) {
        float* to = seen + i * step;
        copy(x + (top + i) * features, features, to);
        by_vectors(units, [=](int64_t unit, auto some) {
          const Vector h = n.seen(top + i, unit, some);
          store_some(to + features + unit, h, some);
          if (resets) {
            const Vector reset = sigmoid(load_some(gates + (top + i) * sums + unit, some));
            store_some(to + features + units + unit, h * reset, some);
          }
        });
        by_vectors(high - low, [=](int64_t j, auto some) {
          float* to = d_bias + low + j;
          store_some(to, load_some(to, some) + load_some(d_gates + (top + i) * sums + low + j, some), some);
        });
      }
      int64_t before = 0;
      for (int p = 0; p < 3; ++p) {
        const Product& of = list[p];
        for (int64_t j = 0; j < of.columns; j += kPanel, before += of.rows) {
          if ((before + of.rows / 2) * shares / whole != share) continue;
          const int64_t wide = std::min<int64_t>(kPanel, of.columns - j);
          pack(depth, wide, {d_gates + top * sums + of.column + j, sums}, panel);
          product<A::kTransposed>(of.rows, wide, depth, {seen + of.seen, step}, panel, {of.to + j, columns}, top > 0);
        }
      }
    }
  });
}

// From the gradient of h after each step, or after the last one only, to those of all else. `turned` is the recurrent
// kernel transposed, (gates · units, units).
template <class Cell>
ffi::Error backward(ffi::ThreadPool pool, Block x, Matrix turned, Matrix keep, Block start, Matrix mask, Block gates,
                    States states, Block d_h, ffi::Result<Block> d_gates, ffi::Result<Block> d_start,
                    ffi::Result<Matrix> d_kernel, ffi::Result<Matrix> d_recurrent, ffi::Result<Row> d_bias) {
  using Net = Net<Cell>;
  constexpr int kStates = Net::kStates, kSums = Net::kSums;
  const Net n(x.dimensions()[0], keep, start, mask, states);
  const int64_t units = n.units, columns = n.columns(), shared = n.shared(), sums = n.sums();
  const int64_t features = x.dimensions()[2], own = Net::kOwn * units;
  if (!n.fits || x.element_count() != n.rows() * features || turned.element_count() != units * columns ||
      gates.element_count() != n.rows() * sums || d_gates->element_count() != n.rows() * sums ||
      (d_h.dimensions()[0] != 1 && d_h.dimensions()[0] != n.time) ||
      d_h.element_count() != d_h.dimensions()[0] * n.batch * units ||
      d_start->element_count() != start.element_count() || d_kernel->element_count() != features * columns ||
      d_recurrent->element_count() != units * columns || d_bias->element_count() != sums) {
    return ffi::Error::InvalidArgument("recurrence_gradient: the shapes of gates, kernel, states and mask do not fit.");
  }
  const float* weight = turned.typed_data();
  const Halves packed(shared, units, {weight, units}, columns - shared, units, {weight + shared * units, units});
  const float *left = packed.shared.data(), *right = packed.others.data();
  const float *kept = gates.typed_data(), *outer = d_h.typed_data();
  const int64_t seeds = d_h.dimensions()[0];
  float *to = d_gates->typed_data(), *later = d_start->typed_data();
  std::fill_n(later, d_start->element_count(), 0.0f);
  n.by_examples(pool, [=](int64_t first, int64_t count) {
    float* back = scratch(count * units, 0);
    for (int64_t t = n.time - 1; t >= 0; --t) {
      const int64_t top = n.row(t, first), seed = t - n.time + seeds;
      float* rows = to + top * sums;
      each_vector(count, units, [=](int64_t i, int64_t unit, auto some) {
        Vector sum[kSums], before[kStates], d_next[kStates], d_sum[kSums] = {}, d_last[kStates];
        for (int g = 0; g < kSums; ++g) sum[g] = load_some(kept + (top + i) * sums + g * units + unit, some);
        const float* last = n.last(top + i) + unit;
        for (int s = 0; s < kStates; ++s) {
          before[s] = load_some(last + s * n.apart(top + i), some);
          d_next[s] = load_some(later + (s * n.batch + first + i) * units + unit, some);
        }
        if (seed >= 0) d_next[0] += load_some(outer + (n.row(seed, first) + i) * units + unit, some);
        for (int s = 0; s < kStates; ++s) d_last[s] = d_next[s];
        if (!n.padding(top + i)) Cell::pull(sum, before, d_next, d_sum, d_last);
        for (int g = 0; g < kSums; ++g) store_some(rows + i * sums + g * units + unit, d_sum[g], some);
        for (int s = 0; s < kStates; ++s) {
          store_some(later + (s * n.batch + first + i) * units + unit, d_last[s], some);
        }
      });
      if constexpr (Cell::kResets) {
        product<A::kUpright>(count, units, columns - shared, {rows + own, sums}, right, {back, units}, false);
        each_vector(count, units, [=](int64_t i, int64_t unit, auto some) {
          float* d_seen = back + i * units + unit;
          const Vector d = load_some(d_seen, some), gate = load_some(kept + (top + i) * sums + unit, some);
          store_some(rows + i * sums + unit, d * n.seen(top + i, unit, some) * sigmoid_slope(gate), some);
          store_some(d_seen, d * sigmoid(gate), some);
        });
      }
      product<A::kUpright>(count, units, shared, {rows, sums}, left, {back, units}, Cell::kResets);
      if (!Cell::kResets && shared < columns) {
        product<A::kUpright>(count, units, columns - shared, {rows + own, sums}, right, {back, units}, true);
      }
      each_vector(count, units, [=](int64_t i, int64_t unit, auto some) {
        const int64_t at = (first + i) * units + unit;
        const Vector d_seen = load_some(back + i * units + unit, some);
        const Vector d = n.keep ? d_seen * load_some(n.keep + at, some) : d_seen;
        store_some(later + at, load_some(later + at, some) + d, some);
      });
    }
  });
  weights(pool, n, features, x.typed_data(), kept, to, d_kernel->typed_data(), d_recurrent->typed_data(),
          d_bias->typed_data());
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
                                    .Ret<cr::States>()                               \
                                    .Attr<int64_t>("packed"));                       \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name##_gradient, cr::backward<cr::Cell>, \
                                ffi::Ffi::Bind()                                     \
                                    .Ctx<ffi::ThreadPool>()                          \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::Matrix>()                               \
                                    .Arg<cr::Block>()                                \
                                    .Arg<cr::States>()                               \
                                    .Arg<cr::Block>()                                \
                                    .Ret<cr::Block>()                                \
                                    .Ret<cr::Block>()                                \
                                    .Ret<cr::Matrix>()                               \
                                    .Ret<cr::Matrix>()                               \
                                    .Ret<cr::Row>())

CHAINRULE_RECURRENCE(elman, Elman);
CHAINRULE_RECURRENCE(lstm, LSTM);
CHAINRULE_RECURRENCE(gru, GRU);
CHAINRULE_RECURRENCE(published_gru, PublishedGRU);
