// What the keeper does where nobody else does it in time: src/box/ has the rules, and tells each change of them.
#pragma once
#include "wire/protocol.h"

namespace pbox {

// Of two times to wait, where -1 is for ever.
inline int sooner(int a, int b) { return a < 0 ? b : b < 0 ? a : a < b ? a : b; }

class Deadline {
 public:
  enum class Due { nothing, stop, kill };

  void set(const DeadlineBody& body);
  // What is due now. `held`: the box and who would act on it are stopped, by the scheduler: not now.
  template <typename Held>
  Due due(double now_ms, Held held) {
    if (next_ms_ == 0 || now_ms < next_ms_) return Due::nothing;
    const bool late = now_ms - next_ms_ > kOversleptMs && !overslept_;
    if (late || held()) {
      // We have been stopped or frozen ourselves, with the wrapper: it has a second to take that into account.
      overslept_ = true;
      next_ms_ = now_ms + kAgainMs;
      return Due::nothing;
    }
    return take();
  }
  // For poll(2): ms until it may be due; -1: never.
  int wait_ms(double now_ms) const;
  int signal() const { return body_.signal; }
  // Of the last `kill`: what the job has written need not wait for its reader.
  bool abandons() const { return abandons_; }

 private:
  static constexpr double kOversleptMs = 500, kAgainMs = 1000;
  Due take();
  void plan();
  DeadlineBody body_{};
  double next_ms_ = 0;  // 0: never
  bool overslept_ = false, abandons_ = false;
};

}  // namespace pbox
