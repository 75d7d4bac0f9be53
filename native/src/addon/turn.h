// Work for the end of a turn of the event loop.
#pragma once
#include <napi.h>
#include <set>
#include <uv.h>

namespace pbox::js {

// Something that has work then.
class Turning {
 public:
  virtual void at_turns_end() = 0;

 protected:
  ~Turning() = default;
};

// Calls whoever has asked for it once: after the turn's events, and again before the loop waits for the next ones. Each
// environment of Node has one.
class Turn {
 public:
  static Turn& of(Napi::Env env);
  explicit Turn(Napi::Env env);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void add(Turning* one) { waiting_.insert(one); }
  void remove(Turning* one) { waiting_.erase(one); }

 private:
  void run();
  std::set<Turning*> waiting_;
  uv_check_t* after_events_ = new uv_check_t;
  uv_prepare_t* before_waiting_ = new uv_prepare_t;
};

}  // namespace pbox::js
