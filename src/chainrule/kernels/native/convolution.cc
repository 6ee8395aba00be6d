// Convolution and its kernel's gradient, as products with the patches that the window sees.
//
// Images are (batch, height, width, channels), kernels (height, width, channels / groups, filters). What lies outside
// of an image is zero; y's shape says how many places the window has. The input's gradient is a convolution of dy.

#include <cstdint>
#include <vector>

#include "threads.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Array = ffi::Buffer<ffi::F32, 4>;
using Integers = ffi::Span<const int64_t>;

struct Axis {
  int64_t length, places, cells, stride, dilation, low;
};

struct Geometry {
  int64_t batch, channels, filters, groups;  // channels and filters of one group
  Axis y, x;

  int64_t places() const { return batch * y.places * x.places; }
  int64_t depth() const { return y.cells * x.cells * channels; }
  bool depthwise() const { return channels == 1 && filters == 1 && groups > 1; }

  // How many places are worked on at a time: patches that stay in the second-level cache, and work worth a thread.
  int64_t chunk() const {
    const int64_t fits = 48 * 1024 / std::max<int64_t>(depth(), 1), worth = (1 << 17) / (depth() * filters) + 1;
    return std::max<int64_t>(std::min(fits, std::max(worth, places() / 16)) / kRows, 1) * kRows;
  }
};

bool read(Array x, Integers kernel, Integers window, int64_t groups, Array y, Geometry* g) {
  const auto in = x.dimensions(), out = y.dimensions();
  if (window.size() != 6 || groups < 1 || in[0] != out[0]) return false;
  if (in[3] != kernel[2] * groups || out[3] != kernel[3] || out[3] % groups) return false;
  for (int i = 0; i < 4; ++i) {
    if (window[i] < 1) return false;
  }
  *g = {in[0],
        kernel[2],
        kernel[3] / groups,
        groups,
        {in[1], out[1], kernel[0], window[0], window[2], window[4]},
        {in[2], out[2], kernel[1], window[1], window[3], window[5]}};
  return true;
}

// A place of the window, walked in the order of memory.
struct Place {
  int64_t image, row, column;

  Place(const Geometry& g, int64_t number)
      : image(number / g.x.places / g.y.places), row(number / g.x.places % g.y.places), column(number % g.x.places) {}

  void next(const Geometry& g) {
    if (++column < g.x.places) return;
    column = 0;
    if (++row < g.y.places) return;
    row = 0, ++image;
  }
};

// What the window sees at `count` places from the first on, in one group: (count, depth).
void patches(const Geometry& g, const float* x, int64_t group, int64_t first, int64_t count, float* to) {
  const int64_t all = g.channels * g.groups;
  const bool contiguous = g.groups == 1 && g.x.dilation == 1;
  Place place(g, first);
  for (int64_t i = 0; i < count; ++i, place.next(g)) {
    const int64_t top = place.row * g.y.stride - g.y.low, left = place.column * g.x.stride - g.x.low;
    const bool inside = left >= 0 && left + (g.x.cells - 1) * g.x.dilation < g.x.length;
    for (int64_t cell = 0; cell < g.y.cells; ++cell) {
      const int64_t row = top + cell * g.y.dilation;
      const int64_t wide = g.x.cells * g.channels;
      if (row < 0 || row >= g.y.length) {
        std::fill(to, to + wide, 0.0f);
        to += wide;
        continue;
      }
      const float* line = x + (place.image * g.y.length + row) * g.x.length * all + group * g.channels;
      if (inside && contiguous) {
        copy(line + left * all, wide, to);
        to += wide;
        continue;
      }
      for (int64_t k = 0; k < g.x.cells; ++k, to += g.channels) {
        const int64_t column = left + k * g.x.dilation;
        if (column >= 0 && column < g.x.length) {
          copy(line + column * all, g.channels, to);
        } else {
          std::fill(to, to + g.channels, 0.0f);
        }
      }
    }
  }
}

// Calls `cell(number, x)` for each cell of the window that lies inside the image, x being what it sees.
template <class Cell>
void seen(const Geometry& g, const float* x, const Place& place, Cell cell) {
  for (int64_t k = 0; k < g.y.cells; ++k) {
    const int64_t row = place.row * g.y.stride - g.y.low + k * g.y.dilation;
    if (row < 0 || row >= g.y.length) continue;
    for (int64_t l = 0; l < g.x.cells; ++l) {
      const int64_t column = place.column * g.x.stride - g.x.low + l * g.x.dilation;
      if (column < 0 || column >= g.x.length) continue;
      cell(k * g.x.cells + l, x + ((place.image * g.y.length + row) * g.x.length + column) * g.groups);
    }
  }
}

ffi::Error convolve(ffi::ThreadPool pool, Array x, Array kernel, ffi::Result<Array> y, Integers window,
                    int64_t groups) {
  Geometry g;
  if (!read(x, kernel.dimensions(), window, groups, *y, &g)) {
    return ffi::Error::InvalidArgument("convolve: shapes of input, kernel and output do not fit the window.");
  }
  const float *from = x.typed_data(), *weights = kernel.typed_data();
  float* to = y->typed_data();
  const int64_t places = g.places(), chunk = g.chunk(), parts = (places + chunk - 1) / chunk;
  if (g.depthwise()) {
    in_parallel(pool, parts, [=](int64_t part) {
      Place place(g, part * chunk);
      for (int64_t i = part * chunk; i < std::min(places, (part + 1) * chunk); ++i, place.next(g)) {
        float* out = to + i * g.groups;
        std::fill(out, out + g.groups, 0.0f);
        seen(g, from, place, [&](int64_t cell, const float* in) {
          for (int64_t c = 0; c < g.groups; ++c) out[c] += in[c] * weights[cell * g.groups + c];
        });
      }
    });
    return ffi::Error::Success();
  }
  const int64_t depth = g.depth(), filters = g.filters * groups, packed = packed_size(depth, g.filters);
  std::vector<float> panels(groups * packed);
  for (int64_t group = 0; group < groups; ++group) {
    pack(depth, g.filters, {weights + group * g.filters, filters}, panels.data() + group * packed);
  }
  const float* right = panels.data();
  in_parallel(pool, parts, [=](int64_t part) {
    const int64_t first = part * chunk, count = std::min(chunk, places - first);
    float* rows = scratch(chunk * depth, 0);
    for (int64_t group = 0; group < groups; ++group) {
      patches(g, from, group, first, count, rows);
      product<A::kUpright>(count, g.filters, depth, {rows, depth}, right + group * packed,
                           {to + first * filters + group * g.filters, filters}, false);
    }
  });
  return ffi::Error::Success();
}

ffi::Error kernel_gradient(ffi::ThreadPool pool, Array x, Array dy, ffi::Result<Array> dk, Integers window,
                           int64_t groups) {
  Geometry g;
  if (!read(x, dk->dimensions(), window, groups, dy, &g)) {
    return ffi::Error::InvalidArgument("kernel_gradient: shapes of input, kernel and output do not fit the window.");
  }
  const float *from = x.typed_data(), *outer = dy.typed_data();
  const int64_t places = g.places(), chunk = g.chunk(), depth = g.depth(), filters = g.filters * groups;
  const int64_t size = depth * filters;
  // A sum of its own for each thread's share of the places; added up in one order, so that the bits are always the
  // same.
  const int64_t shares = std::max<int64_t>(std::min(pool.num_threads(), places / chunk), 1);
  std::vector<float> sums(shares * size);
  float* all = sums.data();
  in_parallel(pool, shares, [=](int64_t share) {
    float* sum = all + share * size;
    const int64_t end = places * (share + 1) / shares;
    for (int64_t first = places * share / shares; first < end; first += chunk) {
      const int64_t count = std::min(chunk, end - first);
      if (g.depthwise()) {
        Place place(g, first);
        for (int64_t i = first; i < first + count; ++i, place.next(g)) {
          const float* out = outer + i * groups;
          seen(g, from, place, [&](int64_t cell, const float* in) {
            for (int64_t c = 0; c < groups; ++c) sum[cell * groups + c] += in[c] * out[c];
          });
        }
        continue;
      }
      float* rows = scratch(chunk * depth + kRows, 0);
      for (int64_t group = 0; group < groups; ++group) {
        patches(g, from, group, first, count, rows);
        float* right = scratch(packed_size(chunk, g.filters), 1);
        pack(count, g.filters, {outer + first * filters + group * g.filters, filters}, right);
        product<A::kTransposed>(depth, g.filters, count, {rows, depth}, right, {sum + group * g.filters, filters},
                                true);
      }
    }
  });
  float* to = dk->typed_data();
  for (int64_t i = 0; i < size; ++i) {
    float total = 0.0f;
    for (int64_t share = 0; share < shares; ++share) total += all[share * size + i];
    to[i] = total;
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

#define CHAINRULE_WINDOWED(name)                                              \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_##name, chainrule::name,            \
                                ffi::Ffi::Bind()                              \
                                    .Ctx<ffi::ThreadPool>()                   \
                                    .Arg<chainrule::Array>()                  \
                                    .Arg<chainrule::Array>()                  \
                                    .Ret<chainrule::Array>()                  \
                                    .Attr<ffi::Span<const int64_t>>("window") \
                                    .Attr<int64_t>("groups"))

CHAINRULE_WINDOWED(convolve);
CHAINRULE_WINDOWED(kernel_gradient);
