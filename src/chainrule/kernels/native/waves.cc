// Vectors of numbers by waves, cos(2π f x + φ), of each column's own frequencies and phases, and their gradient. Waves
// are computed again for the gradient: to keep them would take longer.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "functions.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

constexpr float kTurn = 6.28318531f;  // 2π
constexpr int64_t kChunk = 1 << 12;   // waves that are worth a thread

using Array = ffi::Buffer<ffi::F32>;

struct Sizes {
  int64_t rows, columns, waves, units;
};

// The waves of a column, and the linear map of them.
struct Column {
  const float *frequency, *phase, *kernel;  // (waves), (waves), (waves, units)

  Turn wave(int64_t f, Vector x) const { return Turn(frequency[f] * x + phase[f] * (1.0f / kTurn)); }
};

struct Parameters {
  Sizes sizes;
  const float *frequency, *phase, *kernel, *bias;

  Column of(int64_t column) const {
    const int64_t first = column * sizes.waves;
    return {frequency + first, phase + first, kernel + first * sizes.units};
  }
};

// As many numbers as fill a vector, `step` floats apart; the lanes beyond `count` are 0.
Vector gather(const float* from, int64_t step, int64_t count) {
  Vector v{};
  for (int64_t lane = 0; lane < count; ++lane) v[lane] = from[lane * step];
  return v;
}

void scatter(Vector v, float* to, int64_t step, int64_t count) {
  for (int64_t lane = 0; lane < count; ++lane) to[lane * step] = v[lane];
}

float sum(Vector v) {
  float total = 0;
  for (int lane = 0; lane < kLanes; ++lane) total += v[lane];
  return total;
}

// Whether all are of the sizes that are found; those of a gradient have the sizes of what it is by.
bool fit(Sizes& sizes, const Array& x, const Array& frequency, const Array& phase, const Array& kernel,
         const Array& bias, const Array& y) {
  const auto of = kernel.dimensions(), rows = x.dimensions();
  if (of.size() != 3 || rows.size() != 2 || rows[1] != of[0]) return false;
  sizes = {rows[0], of[0], of[1], of[2]};
  const size_t waves = of[0] * of[1], vectors = of[0] * of[2];
  return frequency.element_count() == waves && phase.element_count() == waves && bias.element_count() == vectors &&
         y.element_count() == rows[0] * vectors;
}

ffi::Error waves(ffi::ThreadPool pool, Array x, Array frequency, Array phase, Array kernel, Array bias,
                 ffi::Result<Array> y) {
  Sizes sizes;
  if (!fit(sizes, x, frequency, phase, kernel, bias, *y)) {
    return ffi::Error::InvalidArgument("waves: shapes of numbers, parameters and vectors do not fit.");
  }
  const Parameters all{sizes, frequency.typed_data(), phase.typed_data(), kernel.typed_data(), bias.typed_data()};
  const float* from = x.typed_data();
  float* to = y->typed_data();
  const int64_t chunk = (kChunk / std::max<int64_t>(sizes.columns * sizes.waves, 1) / kLanes + 1) * kLanes;  // rows
  in_parallel(pool, (sizes.rows + chunk - 1) / chunk, [=](int64_t part) {
    const auto [rows, columns, waves, units] = all.sizes;
    std::vector<Vector> wave(waves);
    for (int64_t row = part * chunk; row < std::min(rows, (part + 1) * chunk); row += kLanes) {
      const int64_t count = std::min<int64_t>(kLanes, rows - row);
      for (int64_t c = 0; c < columns; ++c) {
        const Column column = all.of(c);
        const Vector numbers = gather(from + row * columns + c, columns, count);
        for (int64_t f = 0; f < waves; ++f) wave[f] = column.wave(f, numbers).cosine;
        for (int64_t u = 0; u < units; ++u) {
          Vector total = chainrule::all(all.bias[c * units + u]);
          for (int64_t f = 0; f < waves; ++f) total += column.kernel[f * units + u] * wave[f];
          scatter(total, to + (row * columns + c) * units + u, columns * units, count);
        }
      }
    }
  });
  return ffi::Error::Success();
}

// Each part has some columns, whose parameters no other column has.
ffi::Error waves_gradient(ffi::ThreadPool pool, Array x, Array frequency, Array phase, Array kernel, Array bias,
                          Array d_y, ffi::Result<Array> d_x, ffi::Result<Array> d_frequency, ffi::Result<Array> d_phase,
                          ffi::Result<Array> d_kernel, ffi::Result<Array> d_bias) {
  Sizes sizes, found;
  if (!fit(sizes, x, frequency, phase, kernel, bias, d_y) ||
      !fit(found, *d_x, *d_frequency, *d_phase, *d_kernel, *d_bias, d_y) || found.units != sizes.units) {
    return ffi::Error::InvalidArgument("waves_gradient: shapes of numbers, parameters and gradients do not fit.");
  }
  const Parameters all{sizes, frequency.typed_data(), phase.typed_data(), kernel.typed_data(), bias.typed_data()};
  const float *from = x.typed_data(), *gradient = d_y.typed_data();
  float *by_x = d_x->typed_data(), *by_frequency = d_frequency->typed_data(), *by_phase = d_phase->typed_data(),
        *by_kernel = d_kernel->typed_data(), *by_bias = d_bias->typed_data();
  const int64_t chunk = kChunk / std::max<int64_t>(sizes.rows * sizes.waves, 1) + 1;  // columns
  in_parallel(pool, (sizes.columns + chunk - 1) / chunk, [=](int64_t part) {
    const auto [rows, columns, waves, units] = all.sizes;
    std::vector<Vector> sums(units + waves * (2 + units));  // by bias; by frequency, phase and kernel of each wave
    for (int64_t c = part * chunk; c < std::min(columns, (part + 1) * chunk); ++c) {
      const Column column = all.of(c);
      std::fill(sums.begin(), sums.end(), Vector{});
      std::vector<Vector> d(units);
      for (int64_t row = 0; row < rows; row += kLanes) {
        const int64_t count = std::min<int64_t>(kLanes, rows - row);
        const Vector numbers = gather(from + row * columns + c, columns, count);
        for (int64_t u = 0; u < units; ++u) {
          d[u] = gather(gradient + (row * columns + c) * units + u, columns * units, count);
          sums[u] += d[u];
        }
        Vector slope{};
        for (int64_t f = 0; f < waves; ++f) {
          const Turn wave = column.wave(f, numbers);
          Vector* by = sums.data() + units + f * (2 + units);
          Vector by_wave{};
          for (int64_t u = 0; u < units; ++u) {
            by_wave += column.kernel[f * units + u] * d[u];
            by[2 + u] += wave.cosine * d[u];
          }
          const Vector by_angle = -wave.sine * by_wave;
          by[0] += by_angle * numbers;
          by[1] += by_angle;
          slope += by_angle * column.frequency[f];
        }
        scatter(kTurn * slope, by_x + row * columns + c, columns, count);
      }
      for (int64_t u = 0; u < units; ++u) by_bias[c * units + u] = sum(sums[u]);
      for (int64_t f = 0; f < waves; ++f) {
        const Vector* by = sums.data() + units + f * (2 + units);
        by_frequency[c * waves + f] = kTurn * sum(by[0]);
        by_phase[c * waves + f] = sum(by[1]);
        for (int64_t u = 0; u < units; ++u) by_kernel[(c * waves + f) * units + u] = sum(by[2 + u]);
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_waves, chainrule::waves,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Ret<chainrule::Array>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_waves_gradient, chainrule::waves_gradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Arg<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>()
                                  .Ret<chainrule::Array>());
