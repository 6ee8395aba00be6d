// Work shared among XLA's own threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace chainrule {

// Do parts 0 … count − 1, each once, on the pool's threads and on this one.
//
// Parts are claimed, and the caller claims too, so that it only ever waits for parts that a running thread has begun:
// waiting for tasks that are still queued would hang as soon as every thread of the pool waited so.
template <class Pool, class Part>
void in_parallel(Pool& pool, int64_t count, Part part) {
  struct Progress {
    std::atomic<int64_t> claimed{0}, done{0};
  };
  auto progress = std::make_shared<Progress>();  // a helper that comes too late still reads it
  auto work = [progress, part, count] {
    for (int64_t i; (i = progress->claimed.fetch_add(1)) < count;) {
      part(i);
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (int64_t helpers = std::min<int64_t>(pool.num_threads(), count) - 1; helpers > 0; --helpers) {
    auto helper = work;
    pool.Schedule(std::move(helper));
  }
  work();
  while (progress->done.load(std::memory_order_acquire) < count) std::this_thread::yield();
}

// Memory of this thread's own that stays for the next call; `use` keeps several apart.
// Static, since libraries for two processors may be loaded and would share a variable of an inline function.
static float* scratch(int64_t floats, int use) {
  thread_local std::vector<float> kept[2];
  if (static_cast<int64_t>(kept[use].size()) < floats) kept[use].resize(floats);
  return kept[use].data();
}

}  // namespace chainrule
