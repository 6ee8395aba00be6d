// Work shared among XLA's own threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace chainrule {

using Clock = std::chrono::steady_clock;

constexpr int kPauses = 100;
constexpr int64_t kSeats = 16;                           // for the helpers of larger machines' kernels too
constexpr auto kSeated = std::chrono::microseconds(20);  // longer than most of what XLA does between two kernels

// Lets the time of a few instructions pass.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Where a thread that has done its part waits for more, awake for a while: to wake it takes as long as many a part.
class Seat {
 public:
  // Whether a thread waits here, which then does the work.
  template <class Task>
  bool takes(const Task& work) {
    if (given_.load(std::memory_order_relaxed) != &nothing_) return false;
    auto given = std::make_unique<Work>(work);
    Work* nothing = &nothing_;
    if (!given_.compare_exchange_strong(nothing, given.get())) return false;
    given.release();
    return true;
  }

  // Does what comes, until for a while nothing does; none of it where another thread waits here.
  void wait() {
    for (Work* nobody = nullptr; given_.compare_exchange_strong(nobody, &nothing_); nobody = nullptr) {
      const auto until = Clock::now() + kSeated;
      while (given_.load(std::memory_order_acquire) == &nothing_ && Clock::now() < until) pause();
      Work* const work = given_.exchange(nullptr);
      if (work == &nothing_) return;
      (*work)();
      delete work;
    }
  }

 private:
  using Work = std::function<void()>;

  Work nothing_;                       // whose address says that a thread waits
  std::atomic<Work*> given_{nullptr};  // no address: none does
};

inline Seat seats[kSeats];

// How many threads share their work out at this moment: each keeps one of the machine's busy by itself.
inline std::atomic<int64_t> sharing{0};

// Do parts 0 … count − 1, each once, on this thread and on those of the pool's that would be idle.
//
// Parts are claimed, and the caller claims too, so that it only ever waits for parts that a running thread has begun:
// waiting for tasks that are still queued would hang as soon as every thread of the pool waited so.
template <class Pool, class Part>
void in_parallel(Pool& pool, int64_t count, Part part) {
  struct Mine {
    const int64_t others = sharing.fetch_add(1, std::memory_order_relaxed);
    ~Mine() { sharing.fetch_sub(1, std::memory_order_relaxed); }
  } mine;
  const int64_t helpers = std::min<int64_t>(pool.num_threads() - 1 - mine.others, count - 1);
  if (helpers < 1) {
    for (int64_t i = 0; i < count; ++i) part(i);
    return;
  }
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
  for (int64_t i = 0; i < helpers; ++i) {
    if (i < kSeats && seats[i].takes(work)) continue;
    pool.Schedule([work, i] {
      work();
      if (i < kSeats) seats[i].wait();
    });
  }
  work();
  for (int i = 0; progress->done.load(std::memory_order_acquire) < count; ++i) {
    i < kPauses ? pause() : std::this_thread::yield();  // which takes longer than most have to wait
  }
}

constexpr int64_t kLine = 64;  // bytes of the cache's, of which an unaligned vector would read two

// Memory of this thread's own, from the beginning of a line, that stays for the next call; `use` keeps several apart.
// Static, since libraries for two processors may be loaded and would share a variable of an inline function.
static float* scratch(int64_t floats, int use) {
  thread_local std::vector<float> kept[2];
  const int64_t more = kLine / sizeof(float);
  if (static_cast<int64_t>(kept[use].size()) < floats + more) kept[use].resize(floats + more);
  const auto unaligned = -reinterpret_cast<intptr_t>(kept[use].data()) & (kLine - 1);
  return kept[use].data() + unaligned / sizeof(float);
}

}  // namespace chainrule
