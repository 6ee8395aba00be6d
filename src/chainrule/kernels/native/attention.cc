// Steps of sequences that attend to each other: o = softmax(q kᵀ) v of each head. Some queries are worked on at a time,
// whose softmax never leaves the cache; for the gradients it is computed again.

#include <cfloat>
#include <limits>

#include "functions.h"
#include "pages.h"
#include "product.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Array = ffi::Buffer<ffi::F32>;

constexpr int64_t kScores = 1 << 15;  // numbers of scores that are worked on at a time
constexpr float kNever = -std::numeric_limits<float>::infinity();

// The last three axes are time, heads, features; those before count sequences.
int64_t axis(const Array& array, int64_t from_end) {
  const auto shape = array.dimensions();
  return static_cast<int64_t>(shape.size()) < 3 ? 0 : shape[shape.size() - from_end];
}

float largest(Vector v) {
  float top = v[0];
  for (int i = 1; i < kLanes; ++i) top = std::max(top, v[i]);
  return top;
}

float total(Vector v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

struct Problem {
  int64_t time, heads, key, value, sequences;
  const float *q, *k, *v, *mask, *keep;  // mask and keep null where there are none
  bool causal;
  int64_t wide, rows;  // from a query's scores to the next one's; the queries that are worked on at a time

  Problem(const Array& q, const Array& k, const Array& v, const Array& mask, const Array& keep, int64_t causal)
      : time(axis(q, 3)),
        heads(axis(q, 2)),
        key(axis(q, 1)),
        value(axis(v, 1)),
        sequences(0),
        q(q.typed_data()),
        k(k.typed_data()),
        v(v.typed_data()),
        mask(mask.element_count() ? mask.typed_data() : nullptr),
        keep(keep.element_count() ? keep.typed_data() : nullptr),
        causal(causal) {
    const int64_t each = time * heads * key;
    if (each) sequences = q.element_count() / each;
    wide = (time + kLanes - 1) / kLanes * kLanes + kLanes;  // not a power of 2: these fight for the cache's places
    rows = std::clamp<int64_t>(kScores / wide / kRows, 1, (time + kRows - 1) / kRows) * kRows;
  }
  bool fits(const Array& q, const Array& k, const Array& v, const Array& mask, const Array& keep) const {
    auto has = [](const Array& array, int64_t count) { return static_cast<int64_t>(array.element_count()) == count; };
    const int64_t steps = sequences * time;
    return steps && value && has(q, steps * heads * key) && has(k, steps * heads * key) &&
           has(v, steps * heads * value) && (!this->mask || has(mask, steps)) &&
           (!this->keep || has(keep, steps * heads * time));
  }
  // One head of one sequence in an array of all.
  template <class Float>
  Rows<Float> head(Float* array, int64_t sequence, int64_t head, int64_t size) const {
    return {array + (sequence * time * heads + head) * size, heads * size};
  }
  // How many keys some queries see at most: all, or up to their last one's own.
  int64_t reach(int64_t end) const { return causal ? end : time; }
};

// What one thread works on: one head of one sequence.
struct Head {
  const Problem& all;
  int64_t sequence, number;

  // The scores of some queries, and −∞ where they do not see: y, `all.wide` apart.
  void score(Rows<const float> q, int64_t first, int64_t high, const float* keys, float* y) const {
    const int64_t reach = all.reach(first + high);
    product<A::kUpright>(high, reach, all.key, q.at(first, 0), keys, {y, all.wide}, false);
    for (int64_t i = 0; i < high; ++i) {
      float* row = y + i * all.wide;
      for (int64_t j = 0; all.mask && j < reach; ++j) {
        if (!all.mask[sequence * all.time + j]) row[j] = kNever;
      }
      std::fill(row + all.reach(first + i + 1), row + all.wide, kNever);
    }
  }
  // y (+)= a b, b packed for all steps, of which a has the first `depth`.
  void mixed(int64_t high, int64_t columns, int64_t depth, Rows<const float> a, const float* b, Rows<float> y) const {
    for (int64_t j = 0; j < columns; j += kPanel) {
      product<A::kUpright>(high, std::min<int64_t>(columns - j, kPanel), depth, a, b + j * all.time, y.at(0, j), false);
    }
  }
  const float* kept(int64_t step) const {
    return all.keep ? all.keep + ((sequence * all.heads + number) * all.time + step) * all.time : nullptr;
  }
  int64_t place(int64_t step) const { return (sequence * all.heads + number) * all.time + step; }

  void forwards(float* o, float* top, float* sum) const;
  void backwards(const float* top, const float* sum, const float* d_o, float* d_q, float* d_k, float* d_v) const;
};

void Head::forwards(float* o, float* top, float* sum) const {
  const auto q = all.head(all.q, sequence, number, all.key);
  const auto out = all.head(o, sequence, number, all.value);
  float* keys = scratch(packed_size(all.key, all.time) + packed_size(all.time, all.value) + all.rows * all.wide, 0);
  float* values = keys + packed_size(all.key, all.time);
  float* p = values + packed_size(all.time, all.value);
  pack_turned(all.key, all.time, all.head(all.k, sequence, number, all.key), keys);
  pack(all.time, all.value, all.head(all.v, sequence, number, all.value), values);
  for (int64_t first = 0; first < all.time; first += all.rows) {
    const int64_t high = std::min(all.rows, all.time - first), reach = all.reach(first + high);
    score(q, first, high, keys, p);
    for (int64_t i = 0; i < high; ++i) {
      float* row = p + i * all.wide;
      Vector most = chainrule::all(-FLT_MAX), sums{};  // finite, so that to see nothing at all gives 0
      for (int64_t j = 0; j < reach; j += kLanes) {
        const Vector s = load(row + j);
        most = s > most ? s : most;
      }
      const float high_one = largest(most);
      for (int64_t j = 0; j < reach; j += kLanes) {
        const Vector e = exp(load(row + j) - high_one);
        sums += e;
        store(row + j, e);
      }
      top[place(first + i)] = high_one;
      sum[place(first + i)] = total(sums);
      const float* factors = kept(first + i);
      for (int64_t j = 0; factors && j < reach; ++j) row[j] *= factors[j];
    }
    mixed(high, all.value, reach, {p, all.wide}, values, out.at(first, 0));
    for (int64_t i = first; i < first + high; ++i) {
      const float share = sum[place(i)] ? 1.0f / sum[place(i)] : 0.0f;
      for (int64_t j = 0; j < all.value; ++j) out.at(i, j).data[0] *= share;
    }
  }
}

void Head::backwards(const float* top, const float* sum, const float* d_o, float* d_q, float* d_k, float* d_v) const {
  const int64_t time = all.time, key = all.key, value = all.value, block = all.rows * all.wide;
  const auto q = all.head(all.q, sequence, number, key), k = all.head(all.k, sequence, number, key);
  const auto v = all.head(all.v, sequence, number, value), d_out = all.head(d_o, sequence, number, value);
  const auto to_q = all.head(d_q, sequence, number, key), to_k = all.head(d_k, sequence, number, key);
  const auto to_v = all.head(d_v, sequence, number, value);
  const int64_t sizes[] = {
      packed_size(key, time),     packed_size(time, key),      packed_size(value, time), block, block,
      packed_size(all.rows, key), packed_size(all.rows, value)};
  int64_t needed = 0;
  for (int64_t size : sizes) needed += size;
  float* room[7] = {scratch(needed, 0)};
  for (int n = 1; n < 7; ++n) room[n] = room[n - 1] + sizes[n - 1];
  auto [keys, keys_upright, values, p, d, queries, slopes] = room;
  pack_turned(key, time, k, keys);
  pack(time, key, k, keys_upright);
  pack_turned(value, time, v, values);
  for (int64_t i = 0; i < time; ++i) {
    std::fill_n(to_k.at(i, 0).data, key, 0.0f);
    std::fill_n(to_v.at(i, 0).data, value, 0.0f);
  }
  for (int64_t first = 0; first < time; first += all.rows) {
    const int64_t high = std::min(all.rows, time - first), reach = all.reach(first + high);
    score(q, first, high, keys, p);
    product<A::kUpright>(high, reach, value, d_out.at(first, 0), values, {d, all.wide}, false);
    for (int64_t i = 0; i < high; ++i) {
      float *row = p + i * all.wide, *slope = d + i * all.wide;
      const float* factors = kept(first + i);
      std::fill(slope + reach, slope + all.wide, 0.0f);
      for (int64_t j = 0; factors && j < reach; ++j) slope[j] *= factors[j];
      const float most = top[place(first + i)], of = sum[place(first + i)], share = of ? 1.0f / of : 0.0f;
      Vector sure{}, means{};  // of slopes, as far as they differ from that of the key that is seen by more than half
      for (int64_t j = 0; j < reach; j += kLanes) {
        const Vector each = exp(load(row + j) - most) * share;
        sure += each > 0.5f ? load(slope + j) : Vector{};
        store(row + j, each);
      }
      const float base = total(sure);
      for (int64_t j = 0; j < reach; j += kLanes) means += load(row + j) * (load(slope + j) - base);
      const float mean = total(means);
      for (int64_t j = 0; j < reach; j += kLanes) {
        store(slope + j, load(row + j) * ((load(slope + j) - base) - mean));
      }
      for (int64_t j = 0; factors && j < reach; ++j) row[j] *= factors[j];
    }
    pack(high, key, q.at(first, 0), queries);
    pack(high, value, d_out.at(first, 0), slopes);
    product<A::kTransposed>(reach, value, high, {p, all.wide}, slopes, to_v, true);
    product<A::kTransposed>(reach, key, high, {d, all.wide}, queries, to_k, true);
    mixed(high, key, reach, {d, all.wide}, keys_upright, to_q.at(first, 0));
  }
}

ffi::Error attention(ffi::ThreadPool pool, Array q, Array k, Array v, Array mask, Array keep, ffi::Result<Array> o,
                     ffi::Result<Array> top, ffi::Result<Array> sum, int64_t causal) {
  const Problem all(q, k, v, mask, keep, causal);
  const int64_t queries = all.sequences * all.heads * all.time;
  if (!all.fits(q, k, v, mask, keep) || static_cast<int64_t>(top->element_count()) != queries ||
      sum->element_count() != top->element_count() || o->element_count() != v.element_count()) {
    return ffi::Error::InvalidArgument("attention: shapes of queries, keys, values, mask and results do not fit.");
  }
  float *to = o->typed_data(), *tops = top->typed_data(), *sums = sum->typed_data();
  in_parallel(pool, all.sequences * all.heads,
              [=](int64_t n) { Head{all, n / all.heads, n % all.heads}.forwards(to, tops, sums); });
  return ffi::Error::Success();
}

ffi::Error attention_gradient(ffi::ThreadPool pool, Array q, Array k, Array v, Array mask, Array keep, Array top,
                              Array sum, Array d_o, ffi::Result<Array> d_q, ffi::Result<Array> d_k,
                              ffi::Result<Array> d_v, int64_t causal) {
  const Problem all(q, k, v, mask, keep, causal);
  const int64_t queries = all.sequences * all.heads * all.time;
  if (!all.fits(q, k, v, mask, keep) || static_cast<int64_t>(top.element_count()) != queries ||
      sum.element_count() != top.element_count() || d_o.element_count() != v.element_count() ||
      d_q->element_count() != q.element_count() || d_k->element_count() != k.element_count() ||
      d_v->element_count() != v.element_count()) {
    return ffi::Error::InvalidArgument("attention_gradient: shapes of queries, keys, values and results do not fit.");
  }
  const float *tops = top.typed_data(), *sums = sum.typed_data(), *slopes = d_o.typed_data();
  float *to_q = d_q->typed_data(), *to_k = d_k->typed_data(), *to_v = d_v->typed_data();
  in_parallel(pool, all.sequences * all.heads, [=](int64_t n) {
    Head{all, n / all.heads, n % all.heads}.backwards(tops, sums, slopes, to_q, to_k, to_v);
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_attention, chainrule::attention,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Attr<int64_t>("causal"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_attention_gradient, chainrule::attention_gradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Attr<int64_t>("causal"));
