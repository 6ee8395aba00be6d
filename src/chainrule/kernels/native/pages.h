// Large pages of memory.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace chainrule {

// Asks for large pages under numbers that are about to be written. XLA's large arrays are new memory each time, and to
// be given small pages one by one would take longer than most arithmetic on them.
inline void on_large_pages(const float* numbers, int64_t count) {
#if defined(MADV_HUGEPAGE)
  const uintptr_t page = 1 << 21, from = reinterpret_cast<uintptr_t>(numbers);
  const uintptr_t first = (from + page - 1) / page * page, last = (from + 4 * count) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace chainrule
