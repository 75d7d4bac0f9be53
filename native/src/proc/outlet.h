// Text for a descriptor that may block: a pipe without a reader, a terminal under ^S, a file on a hung server.
//
// write() only queues the text. A thread calls write(2), and ends when the queue is empty. O_NONBLOCK is not an option, because
// the job shares the file description, and poll(2) cannot tell whether the job fills the pipe a moment later. Texts keep their
// order. The queue is bounded; texts that do not fit are lost and counted, and a line reports them once the reader is back.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace pbox {

class Outlet : public std::enable_shared_from_this<Outlet> {
 public:
  // `owned`: closes the descriptor after the last write.
  Outlet(int fd, bool owned) : fd_(fd), owned_(owned) {}
  ~Outlet();
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;

  // Never blocks.
  void write(std::string text);

  // The outlet for stderr, which lives as long as the process.
  static Outlet& standard_error();
  // Call before the process ends: waits until everything is written. It waits at most `patience_ms` after the last progress of
  // any outlet, and never longer than that from now.
  static void drain_all(double patience_ms);
  static constexpr double kExitDrainMs = 1000;

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
  size_t lost_ = 0;  // texts after the last one in the queue
  bool failed_ = false;
  bool running_ = false;
  double progress_ms_ = 0;
};

}  // namespace pbox
