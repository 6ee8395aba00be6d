// The largest value of each window, and its gradient, which goes back to the cell that held it.
//
// Images are (batch, height, width, channels); y's shape says how many places the window has. Padding never counts: it
// lies outside of the image, where nothing is larger than −∞.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "functions.h"
#include "threads.h"
#include "vectors.h"
#include "window.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Images = ffi::Buffer<ffi::F32, 4>;
using Cells = ffi::Buffer<ffi::U8, 4>;
using Numbers = ffi::Span<const int64_t>;

typedef uint8_t Bytes __attribute__((vector_size(kLanes)));

Integers load_cells(const uint8_t* from, int64_t count) {
  Bytes bytes = {};
  if (count == kLanes) {
    std::memcpy(&bytes, from, kLanes);
  } else {
    std::memcpy(&bytes, from, count);
  }
  return __builtin_convertvector(bytes, Integers);
}

void store_cells(uint8_t* to, Integers cells, int64_t count) {
  const Bytes bytes = __builtin_convertvector(cells, Bytes);
  if (count == kLanes) {
    std::memcpy(to, &bytes, kLanes);
  } else {
    std::memcpy(to, &bytes, count);
  }
}

bool read(Images x, Numbers size, Numbers window, Images y, Cells cells, Axes* axes) {
  const auto in = x.dimensions(), out = y.dimensions(), held = cells.dimensions();
  if (size.size() != 2 || window.size() != 6 || in[0] != out[0] || in[3] != out[3]) return false;
  if (!std::equal(out.begin(), out.end(), held.begin())) return false;
  for (int i = 0; i < 4; ++i) {
    if (window[i] < 1) return false;
  }
  if (size[0] < 1 || size[1] < 1 || size[0] > 256 / size[1]) return false;  // a cell's number is a byte
  *axes = {in[0],
           {in[1], out[1], size[0], window[0], window[2], window[4]},
           {in[2], out[2], size[1], window[1], window[3], window[5]}};
  return true;
}

// Calls `work(place, number)` for every place, the images shared among the threads.
template <class Work>
void by_images(ffi::ThreadPool& pool, const Axes& axes, int64_t channels, Work work) {
  if (axes.places() == 0) return;
  const int64_t each = axes.y.places * axes.x.places;
  const int64_t worth = axes.places() * axes.y.cells * axes.x.cells * channels / (1 << 16) + 1;
  const int64_t parts = std::min(worth, axes.batch);
  in_parallel(pool, parts, [=](int64_t part) {
    const int64_t first = axes.batch * part / parts, end = axes.batch * (part + 1) / parts;
    Place place(axes, first * each);
    for (int64_t i = first * each; i < end * each; ++i, place.next(axes)) work(place, i);
  });
}

// NaN is before all; of equal values the first counts.
ffi::Error max_pool(ffi::ThreadPool pool, Images x, ffi::Result<Images> y, ffi::Result<Cells> cells, Numbers size,
                    Numbers window) {
  Axes axes;
  if (!read(x, size, window, *y, *cells, &axes)) {
    return ffi::Error::InvalidArgument("max_pool: shapes of input and output do not fit the window.");
  }
  const int64_t channels = x.dimensions()[3];
  const float* from = x.typed_data();
  float* to = y->typed_data();
  uint8_t* held = cells->typed_data();
  by_images(pool, axes, channels, [=](const Place& place, int64_t i) {
    by_vectors(channels, [&](int64_t c, auto some) {
      Vector largest = all(-INFINITY);
      Integers cell = Integers{} - 1;  // none yet: padding never counts
      seen(axes, place, [&](int64_t number, int64_t at) {
        const Vector next = load_some(from + at * channels + c, some);
        const Integers larger = (cell < 0) | (~(next <= largest) & (largest == largest));
        largest = larger ? next : largest;
        cell = larger ? Integers{} + static_cast<int32_t>(number) : cell;
      });
      store_some(to + i * channels + c, largest, some);
      store_cells(held + i * channels + c, cell, some);
    });
  });
  return ffi::Error::Success();
}

ffi::Error max_pool_gradient(ffi::ThreadPool pool, Images dy, Cells cells, ffi::Result<Images> dx, Numbers size,
                             Numbers window) {
  Axes axes;
  if (!read(*dx, size, window, dy, cells, &axes)) {
    return ffi::Error::InvalidArgument("max_pool_gradient: shapes of input and output do not fit the window.");
  }
  const int64_t channels = dy.dimensions()[3];
  const int64_t image = axes.y.length * axes.x.length * channels;
  const float* outer = dy.typed_data();
  const uint8_t* held = cells.typed_data();
  float* to = dx->typed_data();
  if (axes.places() == 0) std::fill_n(to, axes.batch * image, 0.0f);
  by_images(pool, axes, channels, [=](const Place& place, int64_t i) {
    if (place.row == 0 && place.column == 0) std::fill_n(to + place.image * image, image, 0.0f);
    by_vectors(channels, [&](int64_t c, auto some) {
      const Vector slope = load_some(outer + i * channels + c, some);
      const Integers cell = load_cells(held + i * channels + c, some);
      seen(axes, place, [&](int64_t number, int64_t at) {
        float* sum = to + at * channels + c;
        store_some(sum, load_some(sum, some) + (cell == static_cast<int32_t>(number) ? slope : Vector{}), some);
      });
    });
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

namespace cr = chainrule;

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_max_pool, cr::max_pool,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<cr::Images>()
                                  .Ret<cr::Images>()
                                  .Ret<cr::Cells>()
                                  .Attr<cr::Numbers>("size")
                                  .Attr<cr::Numbers>("window"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_max_pool_gradient, cr::max_pool_gradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<cr::Images>()
                                  .Arg<cr::Cells>()
                                  .Ret<cr::Images>()
                                  .Attr<cr::Numbers>("size")
                                  .Attr<cr::Numbers>("window"));
