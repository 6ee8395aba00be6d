// The largest value of each window, and its gradient, which goes back to the cell that held it.
//
// Images are (batch, height, width, channels); y's shape says how many places the window has. Padding never counts: it
// lies outside of the image, where nothing is larger than −∞.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "largest.h"
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

// Where a place's cells lie from its first one on, in floats: the same at each place that sees no padding.
std::vector<int64_t> offsets(const Axes& axes, int64_t channels) {
  std::vector<int64_t> found;
  for (int64_t k = 0; k < axes.y.cells; ++k) {
    for (int64_t l = 0; l < axes.x.cells; ++l) {
      found.push_back((k * axes.y.dilation * axes.x.length + l * axes.x.dilation) * channels);
    }
  }
  return found;
}

// Calls `work(image)` for every image, shared among the threads.
template <class Work>
void by_images(ffi::ThreadPool& pool, const Axes& axes, int64_t channels, Work work) {
  const int64_t worth = axes.places() * axes.y.cells * axes.x.cells * channels / (1 << 16) + 1;
  const int64_t parts = std::min(worth, axes.batch);
  in_parallel(pool, parts, [=](int64_t part) {
    for (int64_t i = axes.batch * part / parts; i < axes.batch * (part + 1) / parts; ++i) work(i);
  });
}

// Calls `work(place, number)` for every place of an image.
template <class Work>
void by_places(const Axes& axes, int64_t image, Work work) {
  const int64_t each = axes.y.places * axes.x.places;
  if (each == 0) return;
  Place place(axes, image * each);
  for (int64_t i = image * each; i < (image + 1) * each; ++i, place.next(axes)) work(place, i);
}

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
  const auto apart = offsets(axes, channels);
  const int64_t *steps = apart.data(), count = apart.size();
  by_images(pool, axes, channels, [=](int64_t image) {
    by_places(axes, image, [=](const Place& place, int64_t i) {
      const bool inside = axes.y.inside(place.row) && axes.x.inside(place.column);
      const int64_t corner = axes.pixel(image, axes.y.seen(place.row, 0), axes.x.seen(place.column, 0)) * channels;
      by_vectors(channels, [&](int64_t c, auto some) {
        Largest largest;
        if (inside) {
          largest.value = load_some(from + corner + c, some), largest.cell = Integers{};
          for (int64_t number = 1; number < count; ++number) {
            largest.see(load_some(from + corner + steps[number] + c, some), number);
          }
        } else {
          seen(axes, place,
               [&](int64_t number, int64_t at) { largest.see(load_some(from + at * channels + c, some), number); });
        }
        store_some(to + i * channels + c, largest.value, some);
        store_cells(held + i * channels + c, largest.cell, some);
      });
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
  const int64_t channels = dy.dimensions()[3], whole = axes.y.length * axes.x.length * channels;
  const float* outer = dy.typed_data();
  const uint8_t* held = cells.typed_data();
  float* to = dx->typed_data();
  const auto apart = offsets(axes, channels);
  const int64_t *steps = apart.data(), count = apart.size();
  const bool beside = axes.y.beside() && axes.x.beside();
  const bool all = axes.y.places * axes.x.places * count == axes.y.length * axes.x.length;
  by_images(pool, axes, channels, [=](int64_t image) {
    if (!beside || !all) std::fill_n(to + image * whole, whole, 0.0f);
    by_places(axes, image, [=](const Place& place, int64_t i) {
      const int64_t corner = axes.pixel(image, axes.y.seen(place.row, 0), axes.x.seen(place.column, 0)) * channels;
      by_vectors(channels, [&](int64_t c, auto some) {
        const Vector slope = load_some(outer + i * channels + c, some);
        const Integers cell = load_cells(held + i * channels + c, some);
        const auto share = [&](int64_t number) { return cell == static_cast<int32_t>(number) ? slope : Vector{}; };
        for (int64_t number = 0; beside && number < count; ++number) {
          store_some(to + corner + steps[number] + c, share(number), some);
        }
        if (beside) return;
        seen(axes, place, [&](int64_t number, int64_t at) {
          float* sum = to + at * channels + c;
          store_some(sum, load_some(sum, some) + share(number), some);
        });
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
