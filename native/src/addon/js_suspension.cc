// Reports suspensions of this process to timers that do not count the time.
#include <uv.h>

#include "addon/js.h"
#include "proc/suspension.h"

namespace pbox::js {
namespace {

class SuspensionWatch : public Napi::ObjectWrap<SuspensionWatch> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "SuspensionWatch", {InstanceMethod<&SuspensionWatch::suspended_ms>("suspendedMs"), InstanceMethod<&SuspensionWatch::close>("close")});
  }

  explicit SuspensionWatch(const CallbackInfo& info)
      : Napi::ObjectWrap<SuspensionWatch>(info), on_suspended_(Napi::Persistent(info[0].As<Napi::Function>())),
        context_(info.Env(), "proc_box:suspension"), suspension_(Suspension::shared()), before_ms_(suspension_->total_ms()) {
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    told_->data = this;
    uv_async_init(loop, told_, [](uv_async_t* handle) { static_cast<SuspensionWatch*>(handle->data)->tell(); });
    uv_unref(reinterpret_cast<uv_handle_t*>(told_));
    suspension_->add(this, [told = told_] { uv_async_send(told); });
    Ref();  // until close()
  }

  ~SuspensionWatch() { release(); }

 private:
  Napi::Value suspended_ms(const CallbackInfo& info) {
    if (suspension_) last_ms_ = suspension_->total_ms() - before_ms_;
    return Number::New(info.Env(), last_ms_);
  }

  void close(const CallbackInfo&) {
    if (release()) Unref();
  }

  bool release() {
    if (!suspension_) return false;
    suspension_->remove(this);
    suspension_.reset();
    uv_close(reinterpret_cast<uv_handle_t*>(told_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
    return true;
  }

  void tell() {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    on_suspended_.MakeCallback(Value(), std::initializer_list<napi_value>{}, context_);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  Napi::FunctionReference on_suspended_;
  Napi::AsyncContext context_;
  uv_async_t* told_ = new uv_async_t;
  std::shared_ptr<Suspension> suspension_;
  double before_ms_, last_ms_ = 0;
};

}  // namespace

void export_suspension(Env env, Object& exports) { exports.Set("SuspensionWatch", SuspensionWatch::define(env)); }

}  // namespace pbox::js
