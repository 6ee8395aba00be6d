// Rows of a table by their numbers, and sums of rows by the number of where they go, which is the gradient.

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
