// The deadline on which the keeper acts if its wrapper does not act in time. src/box/ has the rules, and sends each change.
#pragma once
#include <algorithm>

#include "wire/protocol.h"

namespace pbox {

// The shorter of two waits; -1 means for ever.
inline int sooner(int a, int b) { return a < 0 ? b : b < 0 ? a : a < b ? a : b; }

class Deadline {
 public:
  enum class Due { nothing, stop, kill };

  void set(const DeadlineBody& body);
  // Without a wrapper the keeper acts on time, and not half a second later.
  void has_wrapper(bool has);
  // The scheduler has held the box for so long.
  void postpone(double ms);
  // The action that is due now. Nothing is due while `held()`: the scheduler has stopped the box together with its wrapper.
  template <typename Held>
  Due due(double now_ms, Held held) {
    if (next_ms_ == 0 || now_ms < next_ms_) return Due::nothing;
    const bool late = now_ms - std::max(next_ms_, planned_ms_) > kOversleptMs && !overslept_;
    const bool is_held = held(), was_held = was_held_;
    was_held_ = is_held;
    if (late || is_held || was_held) {
      // The wrapper was stopped or frozen, and the keeper perhaps with it. From its end on, the wrapper has a second to take that into
      // account.
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
  static constexpr double kSlackMs = 500;  // a wrapper comes first
  double slack_ms_ = kSlackMs;
  double next_ms_ = 0;     // 0: never
  double planned_ms_ = 0;  // when `next_ms_` was set: it may lie in the past then
  bool overslept_ = false, was_held_ = false, abandons_ = false;
};

}  // namespace pbox
