// Signals with their senders, which Node does not tell.
#include <cerrno>
#include <unistd.h>
#include <uv.h>

#include "js.h"
#include "keeper.h"
#include "signals.h"

namespace pbox::js {
namespace {

// Handlers belong to the process, and so does what they report to.
struct SignalWatch {
  SignalWatch(Napi::Env env, int fd, const Napi::Function& to)
      : fd(fd), on_signal(Napi::Persistent(to)), context(env, "proc_box:signals") {}

  int fd;
  Napi::FunctionReference on_signal;
  Napi::AsyncContext context;
  uv_poll_t poll{};

  void read_all() {
    const Napi::Env env = on_signal.Env();
    const Napi::HandleScope scope(env);
    for (Delivery got; read(fd, &got, sizeof got) == static_cast<ssize_t>(sizeof got);) {
      Object delivery = Object::New(env);
      set(delivery, "signal", got.signal);
      set(delivery, "pid", got.pid);
      set(delivery, "uid", got.uid);
      set(delivery, "atMs", got.at_ms);
      on_signal.MakeCallback(env.Global(), {delivery}, context);
      if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
    }
  }
};

// Returns a function that delivers at once what has come so far.
Value watch_signals(const CallbackInfo& info) {
  const Env env = info.Env();
  const int fd = pbox::watch_signals({std::begin(kHandledSignals), std::end(kHandledSignals)});
  if (fd < 0) {
    syscall_error(env, "pipe2", errno, "for signals").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto* watch = new SignalWatch(env, fd, info[0].As<Napi::Function>());
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  watch->poll.data = watch;
  uv_poll_init(loop, &watch->poll, fd);
  uv_poll_start(&watch->poll, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<SignalWatch*>(poll->data)->read_all(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch->poll));
  return Napi::Function::New(env, [](const CallbackInfo& call) { static_cast<SignalWatch*>(call.Data())->read_all(); },
                             "deliverSignals", watch);
}

}  // namespace

void export_signals(Env env, Object& exports) {
  exports.Set("watchSignals", Napi::Function::New<watch_signals>(env));
}

}  // namespace pbox::js
