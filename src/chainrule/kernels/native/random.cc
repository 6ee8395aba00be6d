// Threefry-2x32 of 20 rounds, to the bit as JAX has it: Salmon, Moraes, Dror & Shaw, 2011, Parallel random numbers: as
// easy as 1, 2, 3.

#include <cstdint>

#include "threads.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace chainrule {
namespace {

constexpr int kSide = 4;  // vectors side by side, since each round of one waits for the last
constexpr int kRounds = 20, kTurns[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
constexpr int64_t kChunk = 1 << 11;  // numbers that are worth a thread

typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));

struct Key {
  uint32_t words[3];
  explicit Key(const uint32_t* of) : words{of[0], of[1], of[0] ^ of[1] ^ 0x1BD11BDA} {}
};

// The block (x, y), enciphered in its place; vectors of them, or one.
template <int count, class Word>
void encipher(const Key& key, Word* x, Word* y) {
  for (int i = 0; i < count; ++i) x[i] += key.words[0], y[i] += key.words[1];
#pragma GCC unroll 20
  for (int round = 0; round < kRounds; ++round) {
    const int turn = kTurns[round / 4 % 2][round % 4], next = round / 4 + 1;
    for (int i = 0; i < count; ++i) {
      x[i] += y[i];
      y[i] = (y[i] << turn | y[i] >> (32 - turn)) ^ x[i];
      if (round % 4 == 3) x[i] += key.words[next % 3], y[i] += key.words[(next + 1) % 3] + next;
    }
  }
}

// The bits of the numbers first … end − 1, none of which has other upper bits than the first, as `use(i, bits, count)`
// takes them.
template <class Use>
void draw(const Key& key, int64_t first, int64_t end, Use use) {
  Words lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  for (int64_t i = first; i < end; i += kSide * kLanes) {
    Words x[kSide], y[kSide];
    for (int k = 0; k < kSide; ++k) {
      x[k] = Words{} + static_cast<uint32_t>(i >> 32);
      y[k] = lane + static_cast<uint32_t>(i + k * kLanes);
    }
    encipher<kSide>(key, x, y);
    for (int k = 0; k < kSide; ++k) x[k] ^= y[k];
    use(i, x, std::min<int64_t>(end - i, kSide * kLanes));
  }
}

using Array = ffi::Buffer<ffi::U32>;

// Calls `use(key, i, bits, count)` for all of `size` numbers of each of `keys`, whose key is known by its number.
template <class Use>
void each_draw(ffi::ThreadPool& pool, const Array& keys, int64_t size, Use use) {
  const int64_t chunks = (size + kChunk - 1) / kChunk;
  const uint32_t* from = keys.typed_data();
  in_parallel(pool, keys.element_count() / 2 * chunks, [=](int64_t part) {
    const int64_t key = part / chunks, first = part % chunks * kChunk;
    draw(Key(from + 2 * key), first, std::min(size, first + kChunk),
         [=](int64_t i, const Words* bits, int64_t count) { use(key, key * size + i, bits, count); });
  });
}

// How many of the results each key has; −1 where that is no whole number.
int64_t share(const Array& keys, int64_t results) {
  const int64_t count = keys.element_count() / 2;
  if (keys.element_count() % 2 || (count ? results % count : results)) return -1;
  return count ? results / count : 0;
}

ffi::Error bits(ffi::ThreadPool pool, Array keys, ffi::Result<Array> to) {
  const int64_t size = share(keys, to->element_count());
  if (size < 0) return ffi::Error::InvalidArgument("bits: shapes of keys and output do not fit.");
  uint32_t* all = to->typed_data();
  each_draw(pool, keys, size, [=](int64_t, int64_t i, const Words* bits, int64_t count) {
    std::memcpy(all + i, bits, count * sizeof(uint32_t));
  });
  return ffi::Error::Success();
}

// Whether a uniform number from 0 to 1 is below each key's p.
ffi::Error bernoulli(ffi::ThreadPool pool, Array keys, ffi::Buffer<ffi::F32> p,
                     ffi::Result<ffi::Buffer<ffi::PRED>> to) {
  const int64_t size = share(keys, to->element_count());
  if (size < 0 || 2 * p.element_count() != keys.element_count()) {
    return ffi::Error::InvalidArgument("bernoulli: shapes of keys, probabilities and output do not fit.");
  }
  bool* all = to->typed_data();
  const float* likely = p.typed_data();
  each_draw(pool, keys, size, [=](int64_t key, int64_t i, const Words* bits, int64_t count) {
    bool below[kSide * kLanes];
    for (int k = 0; k < kSide; ++k) {
      const Vector u = __builtin_convertvector(bits[k] >> 9, Vector) * 0x1p-23f;
      for (int lane = 0; lane < kLanes; ++lane) below[k * kLanes + lane] = u[lane] < likely[key];
    }
    std::memcpy(all + i, below, count);
  });
  return ffi::Error::Success();
}

// A key from each key and a number.
ffi::Error fold_in(Array keys, Array numbers, ffi::Result<Array> to) {
  const int64_t count = numbers.element_count();
  if (static_cast<int64_t>(keys.element_count()) != 2 * count || to->element_count() != keys.element_count()) {
    return ffi::Error::InvalidArgument("fold_in: shapes of keys and numbers do not fit.");
  }
  for (int64_t i = 0; i < count; ++i) {
    uint32_t* words = to->typed_data() + 2 * i;
    words[0] = 0, words[1] = numbers.typed_data()[i];
    encipher<1>(Key(keys.typed_data() + 2 * i), words, words + 1);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace chainrule

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_bits, chainrule::bits,
                              ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<chainrule::Array>().Ret<chainrule::Array>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_bernoulli, chainrule::bernoulli,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<chainrule::Array>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Ret<ffi::Buffer<ffi::PRED>>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(chainrule_fold_in, chainrule::fold_in,
                              ffi::Ffi::Bind().Arg<chainrule::Array>().Arg<chainrule::Array>().Ret<chainrule::Array>());
