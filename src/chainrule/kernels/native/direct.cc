// Kernels called one after another, as XLA would call them, but by this thread alone and without XLA, whose own part in
// a call takes longer than a row of a small network.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "threads.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

struct XLA_FFI_Error {
  std::string message;
};

namespace chainrule {
namespace {

constexpr auto kAwake = std::chrono::microseconds(200);
constexpr int kMost = 16;  // operands, results or integers of a kernel

enum Memory : int64_t { kConstant, kInput, kScratch };  // where an array's place is counted from

// What a kernel asks of XLA.
XLA_FFI_Error* failed(XLA_FFI_Error_Create_Args* args) { return new XLA_FFI_Error{args->message}; }

// How many threads run at once; to ask takes 5 µs.
int64_t cores() {
  static const int64_t number = std::max(std::thread::hardware_concurrency(), 1u);
  return number;
}

// Threads, one for each core but the caller's, that wait for something to do: awake for a while, since what is awake
// begins at once, and then asleep. They end with the process, and a fork, which has none of them, makes its own.
class Helpers {
 public:
  static Helpers& all() {
    static std::atomic<Helpers*> known{nullptr};
    static std::mutex making;
    if (Helpers* helpers = known.load(std::memory_order_acquire)) return *helpers;
    const std::lock_guard<std::mutex> lock(making);
    if (Helpers* helpers = known.load(std::memory_order_acquire)) return *helpers;
#if !defined(_WIN32)
    static const int forks = pthread_atfork(nullptr, nullptr, [] { known.store(nullptr, std::memory_order_release); });
    static_cast<void>(forks);
#endif
    auto* const helpers = new Helpers;
    known.store(helpers, std::memory_order_release);
    return *helpers;
  }

  void schedule(std::function<void()> task) {
    bool sleep;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tasks_.push_back(std::move(task));
      sleep = asleep_ > 0;
    }
    waiting_.fetch_add(1, std::memory_order_release);
    if (sleep) some_.notify_one();
  }

 private:
  Helpers() {
    for (int64_t i = cores(); i > 1; --i) std::thread([this] { help(); }).detach();
  }

  void help() {
    for (;;) {
      const auto until = Clock::now() + kAwake;
      while (waiting_.load(std::memory_order_acquire) < 1 && Clock::now() < until) pause();
      std::unique_lock<std::mutex> lock(mutex_);
      ++asleep_;
      some_.wait(lock, [this] { return !tasks_.empty(); });
      --asleep_;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      task();
    }
  }

  std::atomic<int64_t> waiting_{0};
  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::function<void()>> tasks_;
  int64_t asleep_ = 0;
};

// So many threads, the caller's included.
struct Team {
  int64_t threads;
  int64_t num_threads() const { return threads; }
  void Schedule(std::function<void()> task) { Helpers::all().schedule(std::move(task)); }
};

XLA_FFI_Error* threads(XLA_FFI_ThreadPool_NumThreads_Args* args) {
  *args->num_threads = reinterpret_cast<Team*>(args->ctx)->threads;
  return nullptr;
}

XLA_FFI_Error* schedule(XLA_FFI_ThreadPool_Schedule_Args* args) {
  Helpers::all().schedule([task = args->task, data = args->data] { task(data); });
  return nullptr;
}

const XLA_FFI_Api* api() {
  static const XLA_FFI_Api all = [] {
    XLA_FFI_Api api = {};
    api.struct_size = XLA_FFI_Api_STRUCT_SIZE;
    api.api_version = {XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR};
    api.XLA_FFI_Error_Create = failed;
    api.XLA_FFI_ThreadPool_NumThreads = threads;
    api.XLA_FFI_ThreadPool_Schedule = schedule;
    return api;
  }();
  return &all;
}

// The words of a program, one after another.
struct Words {
  const int64_t* next;
  int64_t word() { return *next++; }
  template <class T>
  T* address() {
    return reinterpret_cast<T*>(word());
  }
};

// The arrays of a call, each in one of the memories.
struct Arrays {
  XLA_FFI_Buffer buffers[kMost];
  void* each[kMost];

  Arrays(Words& words, int64_t count, char* const* memories) {
    for (int64_t i = 0; i < count; ++i) {
      char* const from = memories[words.word()];
      char* const data = from + words.word();
      const auto dtype = static_cast<XLA_FFI_DataType>(words.word());
      const int64_t rank = words.word();
      buffers[i] = {XLA_FFI_Buffer_STRUCT_SIZE, nullptr, dtype, data, rank, const_cast<int64_t*>(words.next)};
      each[i] = &buffers[i];
      words.next += rank;
    }
  }
};

XLA_FFI_Error* call(Words& words, char* const* memories, Team& team) {
  auto* const kernel = words.address<XLA_FFI_Handler>();
  const int64_t operands = words.word(), results = words.word(), integers = words.word();
  Arrays from(words, operands, memories), to(words, results, memories);
  XLA_FFI_ArgType arguments[kMost];
  XLA_FFI_RetType returned[kMost];
  std::fill_n(arguments, operands, XLA_FFI_ArgType_BUFFER);
  std::fill_n(returned, results, XLA_FFI_RetType_BUFFER);
  XLA_FFI_AttrType kinds[kMost];
  XLA_FFI_ByteSpan names[kMost];
  XLA_FFI_ByteSpan* each_name[kMost];
  XLA_FFI_Scalar scalars[kMost];
  XLA_FFI_Array lists[kMost];
  void* each_value[kMost];
  for (int64_t i = 0; i < integers; ++i) {
    const char* const name = words.address<const char>();
    names[i] = {name, std::strlen(name)}, each_name[i] = &names[i];
    const int64_t rank = words.word(), count = rank ? words.word() : 1;
    auto* const values = const_cast<int64_t*>(words.next);
    words.next += count;
    kinds[i] = rank ? XLA_FFI_AttrType_ARRAY : XLA_FFI_AttrType_SCALAR;
    scalars[i] = {XLA_FFI_DataType_S64, values}, lists[i] = {XLA_FFI_DataType_S64, size_t(count), values};
    each_value[i] = rank ? static_cast<void*>(&lists[i]) : &scalars[i];
  }
  XLA_FFI_CallFrame frame = {};
  frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
  frame.api = api();
  frame.ctx = reinterpret_cast<XLA_FFI_ExecutionContext*>(&team);
  frame.stage = XLA_FFI_ExecutionStage_EXECUTE;
  frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr, operands, arguments, from.each};
  frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr, results, returned, to.each};
  frame.attrs = {XLA_FFI_Attrs_STRUCT_SIZE, nullptr, integers, kinds, each_name, each_value};
  return kernel(&frame);
}

enum Outcome : int64_t { kDone, kUnfit, kRefused };

// Whether the sum of some numbers' squares is finite.
bool fit(const float* numbers, int64_t count) {
  Vector sums[4] = {};  // one alone would wait for itself
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (int own = 0; own < 4; ++own) {
      const Vector some = load(numbers + i + own * kLanes);
      sums[own] += some * some;
    }
  }
  for (; i < count; ++i) sums[0][0] += numbers[i] * numbers[i];
  const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float total = 0.0f;
  for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
  return std::isfinite(total);
}

// Runs a program on an input, by a team, and copies its result to the output.
Outcome run(const int64_t* program, char* input, char* output, Team team) {
  Words words{program};
  const int64_t bytes = words.word(), place = words.word(), size = words.word(), numbers = words.word();
  const int64_t calls = words.word();
  const bool fits = fit(reinterpret_cast<const float*>(input), numbers);
  thread_local std::vector<char> kept;
  if (static_cast<int64_t>(kept.size()) < bytes + kLine) kept.resize(bytes + kLine);
  char* const scratch = kept.data() + (-reinterpret_cast<intptr_t>(kept.data()) & (kLine - 1));
  char* const memories[] = {nullptr, input, scratch};
  for (int64_t i = 0; i < calls; ++i) {
    if (XLA_FFI_Error* error = call(words, memories, team)) {
      delete error;
      return kRefused;
    }
  }
  std::memcpy(output, scratch + place, size);
  return fits ? kDone : kUnfit;
}

// The same by all threads where the last such call is not long ago: to wake one takes as long as some calls.
Outcome run_after_others(const int64_t* program, char* input, char* output) {
  static std::atomic<Clock::time_point> last{};
  const bool soon = Clock::now() - last.load(std::memory_order_relaxed) < kAwake;
  const Outcome outcome = run(program, input, output, {soon ? cores() : 1});
  last.store(Clock::now(), std::memory_order_relaxed);
  return outcome;
}

}  // namespace
}  // namespace chainrule

// Runs a program on an input, and copies its result to the output: 0; 1 where the sum of the input's squares is not
// finite; 2 where a kernel refuses.
//
// Its words are the bytes of scratch memory, the place and bytes of the result, the numbers of floats in the input that
// are looked at and of calls; of each the kernel, the
// numbers of operands, results and integers, of each array its memory, place, type, rank and shape, and of each
// integer, or list of them, its name, rank, shape and value. Each thread has scratch memory of its own.
extern "C" int64_t chainrule_directly(const int64_t* program, char* input, char* output) {
  return chainrule::run_after_others(program, input, output);
}

extern "C" int64_t chainrule_cores() { return chainrule::cores(); }

// Runs programs on blocks of rows that lie one behind the other: the first on the first `count` blocks, each of `taken`
// bytes, the second on those behind them; now on the blocks from `begin` to `end`. Each of so many threads takes one
// block after another through all its steps, and waits for no other.
extern "C" int64_t chainrule_directly_in_blocks(const int64_t* first, int64_t taken_by_first, const int64_t* second,
                                                int64_t taken_by_second, int64_t count, int64_t begin, int64_t end,
                                                char* input, char* output, int64_t threads) {
  chainrule::Team team{threads};
  std::atomic<int64_t> worst{chainrule::kDone};
  chainrule::in_parallel(team, end - begin, [=, &worst](int64_t part) {
    const int64_t block = begin + part, before = std::min(block, count), behind = block - before;
    char* const from = input + before * taken_by_first + behind * taken_by_second;
    char* const to = output + before * first[2] + behind * second[2];
    const int64_t outcome = chainrule::run(block < count ? first : second, from, to, {1});
    for (int64_t last = worst; outcome > last && !worst.compare_exchange_weak(last, outcome);) {}
  });
  return worst;
}
