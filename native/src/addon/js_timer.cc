// A timer on the event loop. Node's own timers are JavaScript, and compiling them takes a millisecond of each launch.
#include <algorithm>
#include <uv.h>

#include "addon/js.h"

namespace pbox::js {
namespace {

constexpr double kLongestMs = 1LL << 53;

class Timer : public Napi::ObjectWrap<Timer> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Timer", {InstanceMethod<&Timer::start>("start"), InstanceMethod<&Timer::stop>("stop"), InstanceAccessor<&Timer::active>("active")});
  }

  explicit Timer(const CallbackInfo& info)
      : Napi::ObjectWrap<Timer>(info), on_fire_(Napi::Persistent(info[0].As<Napi::Function>())), context_(info.Env(), "proc_box:timer") {
    napi_get_uv_event_loop(info.Env(), &loop_);
    handle_->data = this;
    uv_timer_init(loop_, handle_);
    if (info[1].ToBoolean()) uv_unref(reinterpret_cast<uv_handle_t*>(handle_));
  }

  ~Timer() {
    uv_close(reinterpret_cast<uv_handle_t*>(handle_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
  }

 private:
  void start(const CallbackInfo& info) {
    // Infinity is a valid wait.
    const auto ms = static_cast<uint64_t>(std::clamp(info[0].As<Number>().DoubleValue(), 0.0, kLongestMs));
    if (!is_active()) Ref();  // until the timer has fired
    uv_update_time(loop_);
    uv_timer_start(handle_, [](uv_timer_t* handle) { static_cast<Timer*>(handle->data)->fire(); }, ms, 0);
  }

  void stop(const CallbackInfo&) {
    if (!is_active()) return;
    uv_timer_stop(handle_);
    Unref();
  }

  Napi::Value active(const CallbackInfo& info) { return Napi::Boolean::New(info.Env(), is_active()); }
  bool is_active() const { return uv_is_active(reinterpret_cast<uv_handle_t*>(handle_)) != 0; }

  void fire() {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    const Object self = Value();  // the handler may drop the last reference
    Unref();
    on_fire_.MakeCallback(self, std::initializer_list<napi_value>{}, context_);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  Napi::FunctionReference on_fire_;
  Napi::AsyncContext context_;
  uv_loop_t* loop_ = nullptr;
  uv_timer_t* handle_ = new uv_timer_t;
};

}  // namespace

void export_timer(Env env, Object& exports) { exports.Set("Timer", Timer::define(env)); }

}  // namespace pbox::js
