// Text for a descriptor that may block: a pipe that nobody reads, a terminal under ^S, a file of a hung server.
//
// Whoever writes only queues. A thread does the write(2), and ends when the queue is empty: O_NONBLOCK would change the
// description that the job shares, and poll(2) does not tell whether the job fills the pipe in between. Texts keep their
// order. The queue has a bound; what does not fit is lost, counted, and told once the reader is back.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace pbox {

class Outlet : public std::enable_shared_from_this<Outlet> {
 public:
  // An owned descriptor is closed once the last text has been written.
  Outlet(int fd, bool owned) : fd_(fd), owned_(owned) {}
  ~Outlet();
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;

  // Never blocks.
  void write(std::string text);

  // Of this process, and one for as long as it lives.
  static Outlet& standard_error();
  // Before the process ends: waits until everything is written, but for no outlet longer than `patience_ms` after its last
  // progress, and for all of them no longer than that from now.
  static void drain_all(double patience_ms);
  static constexpr double kLastWordsMs = 1000;

 private:
  struct Text {
    std::string text;
    size_t lost;  // texts before it
  };

  static void* run(void* self);
  bool start();
  bool take(Text& next);
  void write_whole(Text& next);
  void write_while_ready();

  const int fd_;
  const bool owned_;
  // All of these are under the mutex of outlet.cc.
  std::deque<Text> queue_;
  size_t bytes_ = 0;
  size_t lost_ = 0;  // after the last of the queue
  bool failed_ = false;
  bool running_ = false;
  double progress_ms_ = 0;
};

}  // namespace pbox
