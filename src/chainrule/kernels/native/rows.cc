// Rows of a table by their numbers, alone or mixed by weights, and sums of rows by the number of where they go, which
// is the gradient.

#include <algorithm>
#include <cstdint>

#include "threads.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Table = ffi::Buffer<ffi::F32, 2>;
using Numbers = ffi::Buffer<ffi::S32, 1>;

constexpr int64_t kChunk = 1 << 14;  // floats that are worth a thread

bool fit(Table table, Numbers numbers, Table rows) {
  return table.dimensions()[0] > 0 && table.dimensions()[1] == rows.dimensions()[1] &&
         numbers.dimensions()[0] == rows.dimensions()[0];
}

ffi::Error take(ffi::ThreadPool pool, Table table, Numbers numbers, ffi::Result<Table> rows) {
  if (!fit(table, numbers, *rows))
    return ffi::Error::InvalidArgument("take: shapes of table, numbers and rows do not fit.");
  const int64_t count = numbers.dimensions()[0], wide = table.dimensions()[1], last = table.dimensions()[0] - 1;
  const float* from = table.typed_data();
  const int32_t* which = numbers.typed_data();
  float* to = rows->typed_data();
  const int64_t chunk = kChunk / std::max<int64_t>(wide, 1) + 1;
  in_parallel(pool, (count + chunk - 1) / chunk, [=](int64_t part) {
    for (int64_t i = part * chunk; i < std::min((part + 1) * chunk, count); ++i) {
      std::copy_n(from + std::clamp<int64_t>(which[i], 0, last) * wide, wide, to + i * wide);
    }
  });
  return ffi::Error::Success();
}

// Each part owns some rows of the table, and adds what comes to them in the order of the numbers.
ffi::Error spread(ffi::ThreadPool pool, Table rows, Numbers numbers, ffi::Result<Table> table) {
  if (!fit(*table, numbers, rows))
    return ffi::Error::InvalidArgument("spread: shapes of rows, numbers and table do not fit.");
  const int64_t count = numbers.dimensions()[0], wide = rows.dimensions()[1], all = table->dimensions()[0];
  const float* from = rows.typed_data();
  const int32_t* which = numbers.typed_data();
  float* to = table->typed_data();
  const int64_t parts = std::clamp<int64_t>((all + count) * wide / kChunk, 1, std::max<int64_t>(pool.num_threads(), 1));
  in_parallel(pool, parts, [=](int64_t part) {
    const int64_t first = all * part / parts, end = all * (part + 1) / parts;
    std::fill(to + first * wide, to + end * wide, 0.0f);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = std::clamp<int64_t>(which[i], 0, all - 1);
      if (row < first || row >= end) continue;
      float* sum = to + row * wide;
      by_vectors(wide, [&](int64_t j, int64_t some) {
        store_some(sum + j, load_some(sum + j, some) + load_some(from + i * wide + j, some), some);
      });
    }
  });
  return ffi::Error::Success();
}

// Some rows of a table for each example, with a weight each; those of an example rise, and one beyond the table ends
// them.
struct Mixture {
  const int32_t* numbers;
  const float* weights;
  int64_t examples, places;

  // Calls `work(row, weight)` for an example's rows.
  template <class Work>
  void of(int64_t example, int64_t rows, Work work) const {
    for (int64_t i = example * places; i < (example + 1) * places && numbers[i] < rows; ++i) {
      work(std::max<int64_t>(numbers[i], 0), weights[i]);
    }
  }
};

using Places = ffi::Buffer<ffi::S32, 2>;

bool fit(Table table, Table weights, Places numbers, Table values) {
  return table.dimensions()[1] == values.dimensions()[1] && weights.dimensions() == numbers.dimensions() &&
         numbers.dimensions()[0] == values.dimensions()[0];
}

Mixture mixture(Table weights, Places numbers) {
  return {numbers.typed_data(), weights.typed_data(), numbers.dimensions()[0], numbers.dimensions()[1]};
}

// The sum of each example's rows by their weights.
ffi::Error mix(ffi::ThreadPool pool, Table table, Table weights, Places numbers, ffi::Result<Table> values) {
  if (!fit(table, weights, numbers, *values))
    return ffi::Error::InvalidArgument("mix: shapes of table, weights, numbers and values do not fit.");
  const Mixture mixed = mixture(weights, numbers);
  const int64_t wide = table.dimensions()[1], all = table.dimensions()[0];
  const float* from = table.typed_data();
  float* to = values->typed_data();
  const int64_t chunk = kChunk / std::max<int64_t>(wide * mixed.places, 1) + 1;
  in_parallel(pool, (mixed.examples + chunk - 1) / chunk, [=](int64_t part) {
    for (int64_t example = part * chunk; example < std::min((part + 1) * chunk, mixed.examples); ++example) {
      float* __restrict sum = to + example * wide;
      std::fill_n(sum, wide, 0.0f);
      mixed.of(example, all, [=](int64_t row, float weight) {
        for (int64_t j = 0; j < wide; ++j) sum[j] += weight * from[row * wide + j];
      });
    }
  });
  return ffi::Error::Success();
}

// What comes to each row of the table, of which each part owns some.
ffi::Error mix_gradient(ffi::ThreadPool pool, Table values, Table weights, Places numbers, ffi::Result<Table> table) {
  if (!fit(*table, weights, numbers, values))
    return ffi::Error::InvalidArgument("mix_gradient: shapes of values, weights, numbers and table do not fit.");
  const Mixture mixed = mixture(weights, numbers);
  const int64_t wide = values.dimensions()[1], all = table->dimensions()[0];
  const float* from = values.typed_data();
  float* to = table->typed_data();
  const int64_t work = (all + mixed.examples * mixed.places) * wide;
  const int64_t parts = std::clamp<int64_t>(work / kChunk, 1, std::max<int64_t>(pool.num_threads(), 1));
  in_parallel(pool, parts, [=](int64_t part) {
    const int64_t first = all * part / parts, end = all * (part + 1) / parts;
    std::fill(to + first * wide, to + end * wide, 0.0f);
    for (int64_t example = 0; example < mixed.examples; ++example) {
      const float* value = from + example * wide;
      mixed.of(example, end, [=](int64_t row, float weight) {
        float* __restrict sum = to + row * wide;
        for (int64_t j = 0; row >= first && j < wide; ++j) sum[j] += weight * value[j];
      });
    }
  });
  return ffi::Error::Success();
}

// Exchanges the first two axes.
ffi::Error exchange(ffi::Buffer<ffi::F32> x, ffi::Result<ffi::Buffer<ffi::F32>> y) {
  const auto from = x.dimensions(), to = y->dimensions();
  if (from.size() < 2 || to.size() != from.size() || from[0] != to[1] || from[1] != to[0] ||
      x.element_count() != y->element_count()) {
    return ffi::Error::InvalidArgument("exchange: shapes of input and output do not fit.");
  }
  const int64_t rows = from[0], columns = from[1], size = x.element_count() / std::max<int64_t>(rows * columns, 1);
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      copy(x.typed_data() + (i * columns + j) * size, size, y->typed_data() + (j * rows + i) * size);
    }
  }
  return ffi::Error::Success();
}

// a + b, where b may be one row for all of a's.
ffi::Error add(ffi::Buffer<ffi::F32> a, ffi::Buffer<ffi::F32> b, ffi::Result<ffi::Buffer<ffi::F32>> y) {
  const int64_t count = a.element_count(), wide = b.element_count();
  if (int64_t(y->element_count()) != count || (count && (!wide || count % wide))) {
    return ffi::Error::InvalidArgument("add: shapes of terms and sum do not fit.");
  }
  for (int64_t row = 0; row < count; row += wide) {
    const float *one = a.typed_data() + row, *other = b.typed_data();
    float* to = y->typed_data() + row;
    by_vectors(wide, [=](int64_t i, auto some) {
      store_some(to + i, load_some(one + i, some) + load_some(other + i, some), some);
    });
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    chainrule_add, chainrule::add,
    ffi::Ffi::Bind().Arg<ffi::Buffer<ffi::F32>>().Arg<ffi::Buffer<ffi::F32>>().Ret<ffi::Buffer<ffi::F32>>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_exchange, chainrule::exchange,
                              ffi::Ffi::Bind().Arg<ffi::Buffer<ffi::F32>>().Ret<ffi::Buffer<ffi::F32>>());

#define CHAINRULE_OF_ROWS(name)                                    \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name, chainrule::name, \
                                ffi::Ffi::Bind()                   \
                                    .Ctx<ffi::ThreadPool>()        \
                                    .Arg<chainrule::Table>()       \
                                    .Arg<chainrule::Numbers>()     \
                                    .Ret<chainrule::Table>())

CHAINRULE_OF_ROWS(take);
CHAINRULE_OF_ROWS(spread);

#define CHAINRULE_OF_MIXTURES(name)                                \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name, chainrule::name, \
                                ffi::Ffi::Bind()                   \
                                    .Ctx<ffi::ThreadPool>()        \
                                    .Arg<chainrule::Table>()       \
                                    .Arg<chainrule::Table>()       \
                                    .Arg<chainrule::Places>()      \
                                    .Ret<chainrule::Table>())

CHAINRULE_OF_MIXTURES(mix);
CHAINRULE_OF_MIXTURES(mix_gradient);
