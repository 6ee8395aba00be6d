// Kernels called one after another, as XLA would call them, but by this thread alone and without XLA, whose own part in
// a call takes longer than a row of a small network.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "threads.h"
#include "xla/ffi/api/ffi.h"

struct XLA_FFI_Error {
  std::string message;
};

namespace chainrule {
namespace {

constexpr int kMost = 16;  // operands, results or integers of a kernel

enum Memory : int64_t { kConstant, kInput, kScratch };  // where an array's place is counted from

// What a kernel asks of XLA.
XLA_FFI_Error* failed(XLA_FFI_Error_Create_Args* args) { return new XLA_FFI_Error{args->message}; }

XLA_FFI_Error* one_thread(XLA_FFI_ThreadPool_NumThreads_Args* args) {
  *args->num_threads = 1;
  return nullptr;
}

const XLA_FFI_Api* api() {
  static const XLA_FFI_Api all = [] {
    XLA_FFI_Api api = {};
    api.struct_size = XLA_FFI_Api_STRUCT_SIZE;
    api.api_version = {XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR};
    api.XLA_FFI_Error_Create = failed;
    api.XLA_FFI_ThreadPool_NumThreads = one_thread;
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

XLA_FFI_Error* call(Words& words, char* const* memories) {
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
  frame.stage = XLA_FFI_ExecutionStage_EXECUTE;
  frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr, operands, arguments, from.each};
  frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr, results, returned, to.each};
  frame.attrs = {XLA_FFI_Attrs_STRUCT_SIZE, nullptr, integers, kinds, each_name, each_value};
  return kernel(&frame);
}

// Runs a program on an input and copies its result to the output; whether no kernel refused.
bool run(const int64_t* program, char* input, char* output) {
  constexpr int64_t kLine = 64;
  Words words{program};
  const int64_t bytes = words.word(), place = words.word(), size = words.word(), calls = words.word();
  thread_local std::vector<char> kept;
  if (static_cast<int64_t>(kept.size()) < bytes + kLine) kept.resize(bytes + kLine);
  char* const scratch = kept.data() + (-reinterpret_cast<intptr_t>(kept.data()) & (kLine - 1));
  char* const memories[] = {nullptr, input, scratch};
  for (int64_t i = 0; i < calls; ++i) {
    if (XLA_FFI_Error* error = call(words, memories)) {
      delete error;
      return false;
    }
  }
  std::memcpy(output, scratch + place, size);
  return true;
}

// Threads that sleep until there is something to do, one for each core but the caller's; they end with the process.
class Helpers {
 public:
  static Helpers& all() {
    static Helpers& helpers = *new Helpers;
    return helpers;
  }

  void Schedule(std::function<void()> task) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    some_.notify_one();
  }

 private:
  Helpers() {
    for (unsigned i = std::thread::hardware_concurrency(); i > 1; --i) std::thread([this] { help(); }).detach();
  }

  void help() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      some_.wait(lock, [this] { return !tasks_.empty(); });
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::function<void()>> tasks_;
};

// So many threads, the caller's included.
struct Team {
  int64_t threads;
  int64_t num_threads() const { return threads; }
  void Schedule(std::function<void()> task) { Helpers::all().Schedule(std::move(task)); }
};

}  // namespace
}  // namespace chainrule

// Runs a program on an input, and copies its result to the output; 1 where a kernel refuses.
//
// Its words are the bytes of scratch memory, the place and bytes of the result, and the calls; of each the kernel, the
// numbers of operands, results and integers, of each array its memory, place, type, rank and shape, and of each
// integer, or list of them, its name, rank, shape and value. Each thread has scratch memory of its own.
extern "C" int64_t chainrule_directly(const int64_t* program, char* input, char* output) {
  return !chainrule::run(program, input, output);
}

extern "C" int64_t chainrule_cores() { return std::thread::hardware_concurrency(); }

// Runs a program on each of `count` blocks of rows, `taken` bytes long, that lie one behind the other, and `last` on
// the rows behind them, if there is one. Each of so many threads takes one block after another through all its steps,
// and waits for no other.
extern "C" int64_t chainrule_directly_in_blocks(const int64_t* program, int64_t count, int64_t taken,
                                                const int64_t* last, char* input, char* output, int64_t threads) {
  chainrule::Team team{threads};
  std::atomic<bool> refused{false};
  const int64_t given = program[2];
  chainrule::in_parallel(team, count + (last != nullptr), [=, &refused](int64_t i) {
    if (!chainrule::run(i < count ? program : last, input + i * taken, output + i * given)) refused = true;
  });
  return refused;
}
