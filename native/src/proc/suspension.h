// How long this process has been stopped (SIGSTOP) or frozen (a control group's freezer). The kernel does not tell a process, so a
// thread that only sleeps notices that it woke up late (proc/run_delay.h). Neither a blocked event loop nor the load of the machine
// affects the result.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <utility>
#include <vector>

namespace pbox {

class Suspension {
 public:
  // One thread serves the whole process, because a process is stopped as a whole.
  static std::shared_ptr<Suspension> shared();
  ~Suspension();
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  // Since the thread was started, ms. Up to date even if the thread has not run again after a suspension.
  double total_ms();
  // The watching thread calls `tell` after each suspension.
  void add(const void* key, std::function<void()> tell);
  void remove(const void* key);

 private:
  Suspension();
  void run();
  void tick(double now_ms);

  std::mutex mutex_;
  int wake_ = -1;  // eventfd(2) that tells the thread to end
  std::condition_variable ticked_;
  pthread_t thread_{};
  bool running_ = false, ending_ = false;
  double due_ms_ = 0, total_ms_ = 0;
  int run_delay_ = -1;      // descriptor
  double delay_ms_ = 0;     // as last read
  double lateness_ms_ = 0;  // total lateness of the ticks since then
  std::vector<std::pair<const void*, std::function<void()>>> listeners_;
};

}  // namespace pbox
