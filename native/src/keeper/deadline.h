// The deadline on which the keeper acts if its wrapper does not act in time. src/box/ has the rules, and sends each change.
#pragma once
#include "wire/protocol.h"

namespace pbox {

// The shorter of two waits; -1 means for ever.
inline int sooner(int a, int b) { return a < 0 ? b : b < 0 ? a : a < b ? a : b; }

class Deadline {
 public:
  enum class Due { nothing, stop, kill };

  void set(const DeadlineBody& body);
  // The action that is due now. Nothing is due while `held()`: the scheduler has stopped the box together with its wrapper.
  template <typename Held>
  Due due(double now_ms, Held held) {
    if (next_ms_ == 0 || now_ms < next_ms_) return Due::nothing;
    const bool late = now_ms - next_ms_ > kOversleptMs && !overslept_;
    if (late || held()) {
      // The keeper was stopped or frozen together with the wrapper, which now has a second to take that into account.
      overslept_ = true;
      next_ms_ = now_ms + kAgainMs;
      return Due::nothing;
    }
    return take();
  }
  // The timeout for poll(2): ms until an action may be due; -1: never.
  int wait_ms(double now_ms) const;
  int signal() const { return body_.signal; }
  // The last `kill` does not wait for a stalled reader of stdout.
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
