// Windows that move over images, (batch, height, width, channels), and the places where they stand.
#pragma once

#include <cstdint>

namespace chainrule {

// Some of a window's cells along an axis: those from the first one on, before the end.
struct Reach {
  int64_t first, end;
};

struct Axis {
  int64_t length, places, cells, stride, dilation, low;

  // What a cell of the window sees at a place; it may lie outside of the image.
  int64_t seen(int64_t place, int64_t cell) const { return place * stride + cell * dilation - low; }
  bool holds(int64_t at) const { return at >= 0 && at < length; }
  // Whether a place sees no padding.
  bool inside(int64_t place) const { return seen(place, 0) >= 0 && seen(place, cells - 1) < length; }
  // The cells that lie inside the image at a place.
  Reach within(int64_t place) const {
    Reach found{0, cells};
    while (found.first < cells && seen(place, found.first) < 0) ++found.first;
    while (found.end > found.first && seen(place, found.end - 1) >= length) --found.end;
    return found;
  }
  // Whether the windows tile the axis, but for what is left behind the last.
  bool beside() const { return low == 0 && dilation == 1 && stride == cells && places * cells <= length; }
};

struct Axes {
  int64_t batch;
  Axis y, x;

  int64_t places() const { return batch * y.places * x.places; }
  int64_t pixel(int64_t image, int64_t row, int64_t column) const {
    return (image * y.length + row) * x.length + column;
  }
};

// A place of the window, walked in the order of memory.
struct Place {
  int64_t image, row, column;

  Place(const Axes& axes, int64_t number)
      : image(number / axes.x.places / axes.y.places),
        row(number / axes.x.places % axes.y.places),
        column(number % axes.x.places) {}

  void next(const Axes& axes) {
    if (++column < axes.x.places) return;
    column = 0;
    if (++row < axes.y.places) return;
    row = 0, ++image;
  }
};

// Calls `cell(number, at)` for each cell of the window that lies inside the image, `at` being the pixel that it sees.
template <class Cell>
void seen(const Axes& axes, const Place& place, Cell cell) {
  for (int64_t k = 0; k < axes.y.cells; ++k) {
    const int64_t row = axes.y.seen(place.row, k);
    if (!axes.y.holds(row)) continue;
    for (int64_t l = 0; l < axes.x.cells; ++l) {
      const int64_t column = axes.x.seen(place.column, l);
      if (!axes.x.holds(column)) continue;
      cell(k * axes.x.cells + l, axes.pixel(place.image, row, column));
    }
  }
}

}  // namespace chainrule
