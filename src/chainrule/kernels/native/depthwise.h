// Convolution of each channel by itself, and its gradients: what a window sees of it, in registers for some places or
// cells at once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vectors.h"
#include "window.h"

namespace chainrule {

constexpr int kAtOnce = kLanes == 16 ? 16 : 10;  // sums in registers: of places, or of cells

// Places side by side in a row of an image, (batch, height, width, channels).
struct Strip {
  int64_t image, row, column, columns;

  // Calls `work(first, count, cells)` for places that see the same cells along the row: all of them, or one alone.
  template <class Work>
  void by_cells(const Axes& axes, Work work) const {
    for (int64_t i = 0, count; i < columns; i += count) {
      count = 1;
      if (axes.x.inside(column + i)) {
        while (i + count < columns && axes.x.inside(column + i + count)) ++count;
      }
      work(i, count, axes.x.within(column + i));
    }
  }
  // The pixel that the first cell sees at a place; it may lie outside of the image.
  int64_t pixel(const Axes& axes, int64_t place) const {
    return axes.pixel(image, axes.y.seen(row, 0), axes.x.seen(column + place, 0));
  }
};

// Up to T places, whose sums begin as the bias.
template <int T>
void some_places(const Axes& axes, int64_t channels, const Strip& strip, int64_t place, int64_t count, Reach cells,
                 const float* x, const float* kernel, const float* bias, float* y) {
  if constexpr (T > 1) {
    if (count < T) return some_places<T - 1>(axes, channels, strip, place, count, cells, x, kernel, bias, y);
  }
  const Reach rows = axes.y.within(strip.row);
  const int64_t step = axes.x.stride * channels, wide = axes.x.cells, at = strip.pixel(axes, place) * channels;
  const int64_t down = axes.y.dilation * axes.x.length * channels, across = axes.x.dilation * channels;
  by_vectors(channels, [=](int64_t c, auto some) {
    const Vector start = load_some(bias + c, some);
    Vector sums[T];
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) sums[t] = start;
    for (int64_t k = rows.first; k < rows.end; ++k) {
      for (int64_t l = cells.first; l < cells.end; ++l) {
        const float* from = x + (at + k * down + l * across + c);
        const Vector weight = load_some(kernel + (k * wide + l) * channels + c, some);
#pragma GCC unroll 16
        for (int t = 0; t < T; ++t) sums[t] += load_some(from + t * step, some) * weight;
      }
    }
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) store_some(y + (place + t) * channels + c, sums[t], some);
  });
}

// y, of the strip's places.
inline void depthwise(const Axes& axes, int64_t channels, const Strip& strip, const float* x, const float* kernel,
                      const float* bias, float* y) {
  strip.by_cells(axes, [&](int64_t first, int64_t count, Reach cells) {
    for (int64_t i = first; i < first + count; i += kAtOnce) {
      const int64_t some = std::min<int64_t>(first + count - i, kAtOnce);
      some_places<kAtOnce>(axes, channels, strip, i, some, cells, x, kernel, bias, y);
    }
  });
}

// What up to T cells, from the n-th one on, see of the strip's places from `first` on, times dy there, added to sums.
template <int T>
void some_cells(const Axes& axes, int64_t channels, const Strip& strip, int64_t first, int64_t count, Reach cells,
                int64_t n, int64_t all, const float* x, const float* dy, float* sums) {
  if constexpr (T > 1) {
    if (all - n < T) return some_cells<T - 1>(axes, channels, strip, first, count, cells, n, all, x, dy, sums);
  }
  const Reach rows = axes.y.within(strip.row);
  const int64_t step = axes.x.stride * channels, wide = cells.end - cells.first;
  const float* seen[T];
  float* to[T];
  for (int t = 0; t < T; ++t) {
    const int64_t k = rows.first + (n + t) / wide, l = cells.first + (n + t) % wide;
    const int64_t apart = k * axes.y.dilation * axes.x.length + l * axes.x.dilation;
    seen[t] = x + (strip.pixel(axes, first) + apart) * channels;
    to[t] = sums + (k * axes.x.cells + l) * channels;
  }
  by_vectors(channels, [&](int64_t c, auto some) {
    Vector found[T] = {};
    const float* out = dy + first * channels + c;
    for (int64_t i = 0, at = c; i < count; ++i, at += step, out += channels) {
      const Vector d = load_some(out, some);
#pragma GCC unroll 16
      for (int t = 0; t < T; ++t) found[t] += load_some(seen[t] + at, some) * d;
    }
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t) store_some(to[t] + c, load_some(to[t] + c, some) + found[t], some);
  });
}

// The kernel's gradient of the strip's places, added to sums, and the bias' to those behind them.
inline void depthwise_gradient(const Axes& axes, int64_t channels, const Strip& strip, const float* x, const float* dy,
                               float* sums) {
  float* behind = sums + axes.y.cells * axes.x.cells * channels;
  for (int64_t i = 0; i < strip.columns; ++i) {
    by_vectors(channels, [=](int64_t c, auto some) {
      store_some(behind + c, load_some(behind + c, some) + load_some(dy + i * channels + c, some), some);
    });
  }
  const Reach rows = axes.y.within(strip.row);
  strip.by_cells(axes, [&](int64_t first, int64_t count, Reach cells) {
    const int64_t all = (rows.end - rows.first) * (cells.end - cells.first);
    for (int64_t n = 0; n < all; n += kAtOnce) {
      some_cells<kAtOnce>(axes, channels, strip, first, count, cells, n, all, x, dy, sums);
    }
  });
}

}  // namespace chainrule
