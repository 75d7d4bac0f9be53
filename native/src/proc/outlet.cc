#include "proc/outlet.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <vector>

#include "proc/clock.h"

namespace pbox {
namespace {

constexpr size_t kQueueBytes = 256 << 10;
constexpr size_t kStackBytes = 64 << 10;

// One mutex for all outlets: each holds it for a few instructions only, and the end of the process waits for all of them.
std::mutex& mutex() {
  static auto* one = new std::mutex;  // never destroyed: threads may outlive main()
  return *one;
}

std::condition_variable& moved() {
  static auto* one = new std::condition_variable;
  return *one;
}

// The outlets whose thread is running.
std::vector<Outlet*>& at_work() {
  static auto* all = new std::vector<Outlet*>;
  return *all;
}

bool is_ready(int fd) {
  pollfd one{fd, POLLOUT, 0};
  return poll(&one, 1, 0) == 1 && (one.revents & POLLOUT) != 0;
}

}  // namespace

Outlet::~Outlet() {
  if (owned_) close(fd_);
}

Outlet& Outlet::standard_error() {
  static auto* one = new std::shared_ptr<Outlet>(new Outlet(STDERR_FILENO, false));
  return **one;
}

void Outlet::write(std::string text) {
  const std::lock_guard<std::mutex> lock(mutex());
  if (bytes_ + text.size() > kQueueBytes) {
    lost_++;
    return;
  }
  bytes_ += text.size();
  queue_.push_back({std::move(text), lost_});
  lost_ = 0;
  if (!running_) start();
}

// A limit on processes may prevent a thread. Then the queue waits for the next text or for the end of the process.
bool Outlet::start() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, std::max<size_t>(kStackBytes, PTHREAD_STACK_MIN));
  // The other threads handle signals. With SIGTTOU blocked, `stty tostop` does not stop this process.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  progress_ms_ = monotonic_ms();
  running_ = true;
  at_work().push_back(this);
  auto* self = new std::shared_ptr<Outlet>(shared_from_this());
  pthread_t thread;
  if (pthread_create(&thread, &attributes, run, self) != 0) {
    running_ = false;
    at_work().pop_back();
    delete self;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return running_;
}

void* Outlet::run(void* self) {
  const std::unique_ptr<std::shared_ptr<Outlet>> held(static_cast<std::shared_ptr<Outlet>*>(self));
  for (Text next; (*held)->take(next);) (*held)->write_whole(next);
  return nullptr;
}

// False if nothing is left to write; then the thread, if there is one, ends.
bool Outlet::take(Text& next) {
  const std::lock_guard<std::mutex> lock(mutex());
  progress_ms_ = monotonic_ms();
  moved().notify_all();
  if (!queue_.empty()) {
    next = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= next.text.size();
    return true;
  }
  if (lost_ > 0 && !failed_) {
    next = {"", lost_};
    lost_ = 0;
    return true;
  }
  if (running_) at_work().erase(std::find(at_work().begin(), at_work().end(), this));
  running_ = false;
  return false;
}

// If the reader has gone or the disk is full, only the text is lost.
void Outlet::write_whole(Text& next) {
  if (next.lost > 0) {
    const char* const what = next.lost == 1 ? " line of this log is lost: it" : " lines of this log are lost: they";
    next.text = "proc_box: warn: " + std::to_string(next.lost) + what + " could not be written in time\n" + next.text;
  }
  size_t done = 0;
  while (done < next.text.size()) {
    const ssize_t n = ::write(fd_, next.text.data() + done, next.text.size() - done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd ready{fd_, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      break;
    }
  }
  const std::lock_guard<std::mutex> lock(mutex());
  failed_ = done < next.text.size();
  if (failed_) (queue_.empty() ? lost_ : queue_.front().lost) += next.lost + 1;
}

// Writes on the caller's thread if no other can be started. It blocks only if the job fills the pipe at this very moment.
void Outlet::write_while_ready() {
  for (Text next; is_ready(fd_) && take(next);) write_whole(next);
}

void Outlet::drain_all(double patience_ms) {
  Outlet& err = standard_error();
  const double began_ms = monotonic_ms();
  std::unique_lock<std::mutex> lock(mutex());
  if (!err.running_ && !err.queue_.empty() && !err.start()) {
    lock.unlock();
    err.write_while_ready();
    return;
  }
  const auto left_ms = [&] {
    double latest_ms = 0;
    for (const Outlet* one : at_work()) latest_ms = std::max(latest_ms, one->progress_ms_);
    return std::min(latest_ms, began_ms) + patience_ms - monotonic_ms();
  };
  for (double ms; !at_work().empty() && (ms = left_ms()) > 0;) moved().wait_for(lock, std::chrono::duration<double, std::milli>(ms));
}

}  // namespace pbox
