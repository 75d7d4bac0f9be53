#include "proc/suspension.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proc/clock.h"
#include "proc/run_delay.h"

namespace pbox {
namespace {

// A suspension begins between two ticks. Assuming the middle puts it at most half a period off.
constexpr double kPeriodMs = 60;
// A tick that is later than this beyond the wait for a CPU means suspension.
constexpr double kNoiseMs = 15;
// The same for a kernel that does not count how long a thread waits for a CPU.
constexpr double kUncountedNoiseMs = 2000;
// Reading the delay costs more than a tick, so lateness adds up to this before it is read.
constexpr double kUnreadMs = 5;
// The thread may have to wait this long for a CPU before it reports.
constexpr auto kPatience = std::chrono::milliseconds(1000);
constexpr size_t kStackBytes = 256 << 10;

timespec duration(double ms) {
  const auto ns = static_cast<int64_t>(std::max(0.0, ms) * 1e6);
  return {static_cast<time_t>(ns / 1000000000), static_cast<long>(ns % 1000000000)};
}

}  // namespace

std::shared_ptr<Suspension> Suspension::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Suspension> current;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<Suspension> watch = current.lock();
  if (!watch) current = watch = std::shared_ptr<Suspension>(new Suspension());
  return watch;
}

Suspension::Suspension() {
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  due_ms_ = monotonic_ms() + kPeriodMs;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // The thread inherits the mask, so it handles no signal.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto start = [](void* self) -> void* {
    static_cast<Suspension*>(self)->run();
    return nullptr;
  };
  // If the user may have no more threads or descriptors, no suspension is noticed.
  running_ = wake_ >= 0 && pthread_create(&thread_, &attributes, start, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
}

Suspension::~Suspension() {
  if (running_) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    eventfd_write(wake_, 1);
    pthread_join(thread_, nullptr);
  }
  if (wake_ >= 0) close(wake_);
  if (run_delay_ >= 0) close(run_delay_);
}

void Suspension::run() {
  run_delay_ = open_run_delay();
  delay_ms_ = read_run_delay(run_delay_);
  std::unique_lock<std::mutex> lock(mutex_);
  // The process may have been suspended before this thread ran for the first time. Then the whole wait for a CPU since the
  // thread was made counts, not only the wait from now on.
  if (monotonic_ms() > due_ms_ && delay_ms_ > 0) delay_ms_ = 0;
  while (!ending_) {
    pollfd wake{wake_, POLLIN, 0};
    const timespec left = duration(due_ms_ - monotonic_ms());
    lock.unlock();
    ppoll(&wake, 1, &left, nullptr);
    // Read the clock before taking the lock. A thread that holds the lock may wait for a CPU, and the kernel does not count
    // that wait for this thread.
    const double now_ms = monotonic_ms();
    lock.lock();
    tick(now_ms);
    ticked_.notify_all();
  }
}

void Suspension::tick(double now_ms) {
  const double late = std::max(0.0, now_ms - due_ms_);
  double net = late;
  const bool counted = delay_ms_ >= 0;
  if (counted && (late > kNoiseMs || lateness_ms_ + late > kUnreadMs)) {
    const double before_ms = delay_ms_;
    delay_ms_ = read_run_delay(run_delay_);
    net -= std::clamp(delay_ms_ - before_ms - lateness_ms_, 0.0, late);
    lateness_ms_ = 0;
  } else {
    lateness_ms_ += late;
  }
  due_ms_ = now_ms + kPeriodMs;
  if (net <= (counted ? kNoiseMs : kUncountedNoiseMs)) return;
  total_ms_ += net + kPeriodMs / 2;
  for (const auto& [key, tell] : listeners_) tell();
}

double Suspension::total_ms() {
  std::unique_lock<std::mutex> lock(mutex_);
  // The current tick may have read the clock before the suspension; then only the next one reports it.
  if (running_) ticked_.wait_for(lock, kPatience, [&] { return monotonic_ms() <= due_ms_ + kNoiseMs; });
  return total_ms_;
}

void Suspension::add(const void* key, std::function<void()> tell) {
  const std::lock_guard<std::mutex> lock(mutex_);
  listeners_.emplace_back(key, std::move(tell));
}

void Suspension::remove(const void* key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  listeners_.erase(std::remove_if(listeners_.begin(), listeners_.end(), [&](const auto& l) { return l.first == key; }),
                   listeners_.end());
}

}  // namespace pbox
