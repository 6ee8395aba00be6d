// Convolution with a bias and the gradients of kernel and bias, as products with what the window sees, read where it
// lies.
//
// Images are (batch, height, width, channels), kernels (height, width, channels / groups, filters). What lies outside
// of an image is zero; y's shape says how many places the window has. The input's gradient is a convolution of dy.
//
// Max pooling and ReLU can be computed with it: of each few places only the largest value is kept and, where a gradient
// is asked for, the number of the cell that held it. Their gradient is zero in all other cells, and is read from what
// is kept.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "depthwise.h"
#include "largest.h"
#include "product.h"
#include "threads.h"
#include "window.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

using Array = ffi::Buffer<ffi::F32, 4>;
using Held = ffi::Buffer<ffi::U8, 4>;
using Bias = ffi::Buffer<ffi::F32, 1>;
using Numbers = ffi::Span<const int64_t>;

int64_t parts_of(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

// Images, whole; or of each `tall` × `wide` cells the largest value and the number of the cell that held it, where the
// others are zero.
struct Images {
  float* values;
  uint8_t* held;  // null: whole
  int64_t batch, rows, columns, channels, tall, wide;

  // Where the values of a pixel begin that is kept.
  int64_t kept(int64_t image, int64_t row, int64_t column) const {
    return ((image * rows + row) * columns + column) * channels;
  }

  // So many channels from `c` on of some pixels of a row, each pixel `step` floats behind the last.
  void copy(int64_t image, int64_t row, int64_t column, int64_t count, int64_t c, int64_t wanted,
            Rows<float> to) const {
    const int64_t cell = row % tall * wide, from = kept(image, row / tall, column / wide) + c;
    by_vectors(wanted, [=](int64_t v, auto some) {
      float* here = to.data + v;
      int64_t at = from + v, first = column % wide;
      for (int64_t left = count; left > 0; at += channels, first = 0) {
        const Vector value = load_some(values + at, some);
        const Integers own = load_cells(held + at, some) - static_cast<int32_t>(cell);
        for (int64_t i = first; i < wide && left > 0; ++i, --left, here += to.step) {
          store_some(here, own == static_cast<int32_t>(i) ? value : Vector{}, some);
        }
      }
    });
  }
};

// `alone`: the values may be there without the cells.
bool read(Array values, Held held, int64_t tall, int64_t wide, Images* images, bool alone = false) {
  const auto of = values.dimensions(), cells = held.dimensions();
  const bool whole = (alone || (tall == 1 && wide == 1)) && held.element_count() == 0;
  if (!whole && !std::equal(of.begin(), of.end(), cells.begin())) return false;
  if (tall < 1 || wide < 1 || tall > 255 / wide) return false;  // a cell's number is a byte, and one more is for none
  *images = {values.typed_data(), whole ? nullptr : held.typed_data(), of[0], of[1], of[2], of[3], tall, wide};
  return true;
}

struct Geometry : Axes {
  int64_t channels, filters, groups;  // channels and filters of one group
  int64_t rows, columns;              // of places in a block, which is worked on at a time

  bool depthwise() const { return channels == 1 && filters == 1 && groups > 1; }
  int64_t all() const { return channels * groups; }
  int64_t depth() const { return y.cells * x.cells * channels; }
  int64_t blocks() const { return batch * parts_of(y.places, rows) * parts_of(x.places, columns); }

  // How many threads the work is worth, and how many parts of it are.
  int64_t worth() const { return places() * depth() * filters * groups / (1 << 17) + 1; }
  int64_t parts() const { return std::max<int64_t>(std::min(worth(), blocks()), 1); }

  // What a block's places see, padding included: lines, pixels and floats in a line.
  int64_t tall() const { return (rows - 1) * y.stride + (y.cells - 1) * y.dilation + 1; }
  int64_t across() const { return (columns - 1) * x.stride + (x.cells - 1) * x.dilation + 1; }
  int64_t wide() const { return across() * all(); }
};

bool read(const Images& x, Numbers kernel, Bias bias, Numbers window, int64_t groups, const Images& y, Geometry* g) {
  const int64_t height = x.rows * x.tall, width = x.columns * x.wide, down = y.rows * y.tall,
                across = y.columns * y.wide;
  if (window.size() != 6 || groups < 1 || (groups > 1 && (x.held || y.held || y.tall * y.wide > 1)) ||
      x.batch != y.batch)
    return false;
  if (x.channels != kernel[2] * groups || y.channels != kernel[3] || kernel[3] % groups) return false;
  if (bias.dimensions()[0] != kernel[3]) return false;
  for (int i = 0; i < 4; ++i) {
    if (window[i] < 1) return false;
  }
  // A block's input and output stay in the cache; only rows that are too long for it are cut, and no cells of y's.
  const int64_t fits = std::max<int64_t>(32 * 1024 / (window[0] * window[1] * x.channels + y.channels + 1), 1);
  const int64_t columns = std::max(std::min(across, fits) / y.wide * y.wide, y.wide);
  const int64_t rows = columns < across ? y.tall : std::max(std::min(down, fits / columns) / y.tall * y.tall, y.tall);
  *g = {{x.batch,
         {height, down, kernel[0], window[0], window[2], window[4]},
         {width, across, kernel[1], window[1], window[3], window[5]}},
        kernel[2],
        kernel[3] / groups,
        groups,
        rows,
        columns};
  return true;
}

// Places one behind the other: whole rows of an image, or some of one row.
struct Block {
  int64_t image, row, rows, column, columns;

  Block(const Geometry& g, int64_t number) {
    const int64_t across = parts_of(g.x.places, g.columns), down = parts_of(g.y.places, g.rows);
    image = number / across / down;
    row = number / across % down * g.rows, rows = std::min(g.rows, g.y.places - row);
    column = number % across * g.columns, columns = std::min(g.columns, g.x.places - column);
  }
  int64_t first(const Geometry& g) const { return (image * g.y.places + row) * g.x.places + column; }
  int64_t count() const { return rows * columns; }
  Strip strip(int64_t line) const { return {image, row + line, column, columns}; }
};

// Calls `work(part, block, fresh)` for every block, shared among so many parts; fresh is each part's first.
template <class Work>
void by_blocks(ffi::ThreadPool& pool, const Geometry& g, int64_t parts, Work work) {
  const int64_t blocks = g.blocks();
  in_parallel(pool, parts, [=](int64_t part) {
    const int64_t first = blocks * part / parts;
    for (int64_t i = first; i < blocks * (part + 1) / parts; ++i) work(part, Block(g, i), i == first);
  });
}

// Calls `work(block, first, last)` for every block and all panels of a group's filters, or some after others.
template <class Work>
void by_filters(ffi::ThreadPool& pool, const Geometry& g, int64_t shares, Work work) {
  const int64_t panels = parts_of(g.filters, kPanel), blocks = g.blocks();
  if (shares == 1)
    return by_blocks(pool, g, g.parts(), [=](int64_t, const Block& block, bool) { work(block, 0, panels); });
  in_parallel(pool, shares, [=](int64_t share) {
    const int64_t first = panels * share / shares, last = panels * (share + 1) / shares;
    for (int64_t i = 0; i < blocks; ++i) work(Block(g, i), first, last);
  });
}

// The lines of an image that a block sees, with zeros where it sees padding.
const float* lines(const Geometry& g, const Images& x, const Block& block) {
  const int64_t all = g.all(), across = g.across(), left = g.x.seen(block.column, 0);
  const int64_t begin = std::clamp<int64_t>(-left, 0, across);
  const int64_t end = std::clamp<int64_t>(g.x.length - left, begin, across);
  float* to = scratch(g.tall() * g.wide(), 0);
  for (int64_t line = 0; line < g.tall(); ++line) {
    const int64_t row = g.y.seen(block.row, 0) + line;
    float* here = to + line * g.wide();
    if (!g.y.holds(row) || begin == end) {
      std::fill_n(here, g.wide(), 0.0f);
      continue;
    }
    std::fill_n(here, begin * all, 0.0f);
    if (x.held) {
      x.copy(block.image, row, left + begin, end - begin, 0, all, {here + begin * all, all});
    } else {
      std::copy_n(x.values + x.kept(block.image, row, left + begin), (end - begin) * all, here + begin * all);
    }
    std::fill_n(here + end * all, (across - end) * all, 0.0f);
  }
  return to;
}

// Packs a group's channels of what images hold at a block's places.
void pack_places(const Geometry& g, const Images& y, const Block& block, int64_t group, float* to) {
  const int64_t count = block.count(), c = group * g.filters;
  if (!y.held) {
    const float* from = y.values + y.kept(block.image, block.row, block.column) + c;
    return pack(count, g.filters, {from, y.channels}, to);
  }
  for (int64_t j = 0; j < g.filters; j += kPanel, to += count * kPanel) {
    const int64_t wide = std::min<int64_t>(g.filters - j, kPanel);
    if (wide < kPanel) std::fill_n(to, count * kPanel, 0.0f);
    for (int64_t row = 0; row < block.rows; ++row) {
      float* here = to + row * block.columns * kPanel;
      y.copy(block.image, block.row + row, block.column, block.columns, c + j, wide, {here, kPanel});
    }
  }
}

// Keeps the largest of each few of a block's places, of some channels.
template <class Largest>
void keep(const Images& y, const Block& block, const float* places, int64_t c, int64_t count, bool rectified) {
  const int64_t channels = y.channels, line = block.columns * channels;
  for (int64_t row = 0; row < block.rows; row += y.tall) {
    const float* above = places + row * line;
    const int64_t first = y.kept(block.image, (block.row + row) / y.tall, block.column / y.wide);
    by_vectors(count, [=](int64_t v, auto some) {
      const float* from = above + c + v;
      int64_t to = first + c + v;
      for (int64_t column = 0; column < block.columns; column += y.wide, from += y.wide * channels, to += channels) {
        Largest largest(load_some(from, some));
        for (int64_t cell = 1, k = 0; k < y.tall; ++k) {
          for (int64_t l = k == 0; l < y.wide; ++l, ++cell) {
            largest.see(load_some(from + k * line + l * channels, some), cell);
          }
        }
        if (rectified) largest.rectify(y.tall * y.wide);
        store_some(y.values + to, largest.value, some);
        if constexpr (!std::is_same_v<Largest, LargestAlone>) store_cells(y.held + to, largest.cell, some);
      }
    });
  }
}

// Where in the lines the cells lie that a place sees: those that are neighbours in memory are one run.
struct Cells {
  std::vector<int64_t> starts;
  int64_t length;

  explicit Cells(const Geometry& g) {
    const int64_t together = g.groups == 1 && g.x.dilation == 1 ? g.x.cells : 1;
    length = together * g.channels;
    for (int64_t k = 0; k < g.y.cells; ++k) {
      for (int64_t l = 0; l < g.x.cells; l += together) {
        starts.push_back(k * g.y.dilation * g.wide() + l * g.x.dilation * g.all());
      }
    }
  }
  Runs runs() const { return {starts.data(), static_cast<int64_t>(starts.size()), length}; }
};

// `kept` are x's and y's `tall` and `wide`, and whether y is rectified; `packed`, whether the kernel, of one group, is.
ffi::Error convolve(ffi::ThreadPool pool, Array x_values, Held x_held, Array kernel, Bias bias,
                    ffi::Result<Array> y_values, ffi::Result<Held> y_held, Numbers window, int64_t groups, Numbers kept,
                    int64_t packed) {
  Geometry g;
  Images x, y;
  if (kept.size() != 5 || !read(x_values, x_held, kept[0], kept[1], &x) ||
      !read(*y_values, *y_held, kept[2], kept[3], &y, true) ||
      !read(x, kernel.dimensions(), bias, window, groups, y, &g)) {
    return ffi::Error::InvalidArgument("convolve: shapes of input, kernel, bias and output do not fit the window.");
  }
  const bool rectified = kept[4], keeps = rectified || y.held || y.tall * y.wide > 1;
  const float *weights = kernel.typed_data(), *start = bias.typed_data();
  if (g.depthwise()) {
    by_blocks(pool, g, g.parts(), [=](int64_t, const Block& block, bool) {
      float* to = y.values + block.first(g) * groups;
      for (int64_t row = 0; row < block.rows; ++row) {
        depthwise(g, groups, block.strip(row), x.values, weights, start, to + row * block.columns * groups);
      }
    });
    return ffi::Error::Success();
  }
  const int64_t filters = g.filters * groups, size = packed_size(g.depth(), g.filters);
  std::vector<float> panels(packed ? 0 : groups * size);
  for (int64_t group = 0; !packed && group < groups; ++group) {
    pack(g.depth(), g.filters, {weights + group * g.filters, filters}, panels.data() + group * size);
  }
  const float* right = packed ? weights : panels.data();
  // Where threads outnumber the images, each has some panels of the filters, or, where these are too few, some rows.
  const int64_t threads = g.batch < pool.num_threads() ? std::min(pool.num_threads(), g.worth()) : 1;
  const int64_t shares = groups == 1 && size >= threads * kPanel * g.depth() ? threads : 1;
  if (shares < threads) g.rows = std::min(g.rows, parts_of(parts_of(g.y.places, threads), y.tall) * y.tall);
  const Cells cells(g);
  const Runs runs = cells.runs();
  by_filters(pool, g, shares, [=](const Block& block, int64_t begin, int64_t end) {
    const float* left = lines(g, x, block);
    float* out = keeps ? scratch(block.count() * filters, 1) : y.values + block.first(g) * filters;
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t last = std::min(end * kPanel, g.filters);
      for (int64_t j = begin * kPanel; j < last; j += kPanel) {  // a panel stays in the cache for all rows
        const int64_t filter = group * g.filters + j;
        for (int64_t row = 0; row < block.rows; ++row) {
          const float* in = left + row * g.y.stride * g.wide() + group * g.channels;
          product<A::kUpright>(block.columns, std::min<int64_t>(g.filters - j, kPanel), runs,
                               {in, g.x.stride * g.all()}, right + group * size + j * g.depth(), {start + filter, 0},
                               {out + row * block.columns * filters + filter, filters});
        }
      }
    }
    if (!keeps) return;
    const int64_t c = begin * kPanel, last = g.groups > 1 ? filters : std::min(end * kPanel, filters);
    (y.held ? keep<Largest> : keep<LargestAlone>)(y, block, out, c, last - c, rectified);
  });
  return ffi::Error::Success();
}

// sum += the sum of all rows, packed.
void add_rows(int64_t count, int64_t columns, const float* packed, float* sum) {
  by_vectors(columns, [=](int64_t c, auto some) {
    const float* rows = packed + c / kPanel * kPanel * count + c % kPanel;
    Vector sums[4] = {};  // one alone would wait for itself
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
      for (int64_t own = 0; own < 4; ++own) sums[own] += load(rows + (i + own) * kPanel);
    }
    for (; i < count; ++i) sums[0] += load(rows + i * kPanel);
    store_some(sum + c, load_some(sum + c, some) + (sums[0] + sums[1]) + (sums[2] + sums[3]), some);
  });
}

// `kept` are dy's `tall` and `wide`.
ffi::Error kernel_gradient(ffi::ThreadPool pool, Array x_values, Array dy_values, Held dy_held, ffi::Result<Array> dk,
                           ffi::Result<Bias> db, Numbers window, int64_t groups, Numbers kept) {
  Geometry g;
  Images dy;
  const auto in = x_values.dimensions();
  const Images x = {x_values.typed_data(), nullptr, in[0], in[1], in[2], in[3], 1, 1};
  if (kept.size() != 2 || !read(dy_values, dy_held, kept[0], kept[1], &dy) ||
      !read(x, dk->dimensions(), *db, window, groups, dy, &g)) {
    return ffi::Error::InvalidArgument(
        "kernel_gradient: shapes of input, kernel, bias and output do not fit the window.");
  }
  const int64_t filters = g.filters * groups, size = g.depth() * filters;
  // A sum of its own for each thread's share of the places, the kernel's first, then the bias'; added up in one order,
  // so that the bits are always the same.
  const int64_t shares = std::min({pool.num_threads(), g.parts(), g.blocks()});
  const std::unique_ptr<float[]> sums(new float[shares * (size + filters)]);
  float* all = sums.get();
  std::vector<int64_t> starts;  // of what a cell sees from each row of places
  for (int64_t row = 0; row < g.rows; ++row) starts.push_back(row * g.y.stride * g.wide());
  const int64_t* rows = starts.data();
  const Cells cells(g);
  const Runs runs = cells.runs();
  by_blocks(pool, g, shares, [=](int64_t share, const Block& block, bool fresh) {
    const int64_t count = block.count();
    float* sum = all + share * (size + filters);
    if (fresh) std::fill_n(sum, size + filters, 0.0f);
    if (g.depthwise()) {
      const float* out = dy.values + block.first(g) * groups;
      for (int64_t row = 0; row < block.rows; ++row) {
        depthwise_gradient(g, groups, block.strip(row), x.values, out + row * block.columns * groups, sum);
      }
      return;
    }
    const float* left = lines(g, x, block);
    float* right = scratch(packed_size(count, g.filters), 1);
    for (int64_t group = 0; group < groups; ++group) {
      pack_places(g, dy, block, group, right);
      add_rows(count, g.filters, right, sum + size + group * g.filters);
      for (int64_t run = 0; run < runs.count; ++run) {
        const float* in = left + runs.starts[run] + group * g.channels;
        const Rows<float> to{sum + run * runs.length * filters + group * g.filters, filters};
        product<A::kTransposed>(runs.length, g.filters, Runs{rows, block.rows, block.columns},
                                {in, g.x.stride * g.all()}, right, {to.data, to.step}, to);
      }
    }
  });
  float *kernel = dk->typed_data(), *bias = db->typed_data();
  for (int64_t i = 0; i < size + filters; ++i) {
    float total = 0.0f;
    for (int64_t share = 0; share < shares; ++share) total += all[share * (size + filters) + i];
    (i < size ? kernel[i] : bias[i - size]) = total;
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_convolve, chainrule::convolve,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Held>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Bias>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Held>()
                                  .Attr<chainrule::Numbers>("window")
                                  .Attr<int64_t>("groups")
                                  .Attr<chainrule::Numbers>("kept")
                                  .Attr<int64_t>("packed"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_kernel_gradient, chainrule::kernel_gradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Held>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Bias>()
                                  .Attr<chainrule::Numbers>("window")
                                  .Attr<int64_t>("groups")
                                  .Attr<chainrule::Numbers>("kept"));
