#include "addon/turn.h"

namespace pbox::js {

Turn& Turn::of(Napi::Env env) {
  if (auto* known = env.GetInstanceData<Turn>()) return *known;
  auto* made = new Turn(env);
  env.SetInstanceData(made);  // which deletes it with the environment
  return *made;
}

Turn::Turn(Napi::Env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  after_events_->data = before_waiting_->data = this;
  uv_check_init(loop, after_events_);
  uv_check_start(after_events_, [](uv_check_t* handle) { static_cast<Turn*>(handle->data)->run(); });
  uv_prepare_init(loop, before_waiting_);
  uv_prepare_start(before_waiting_, [](uv_prepare_t* handle) { static_cast<Turn*>(handle->data)->run(); });
  // They are no reason to keep the process alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(after_events_));
  uv_unref(reinterpret_cast<uv_handle_t*>(before_waiting_));
}

Turn::~Turn() {
  uv_close(reinterpret_cast<uv_handle_t*>(after_events_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_check_t*>(handle); });
  uv_close(reinterpret_cast<uv_handle_t*>(before_waiting_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_prepare_t*>(handle); });
}

void Turn::run() {
  while (!waiting_.empty()) {
    Turning* const next = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    next->at_turns_end();
  }
}

}  // namespace pbox::js
