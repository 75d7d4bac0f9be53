// The socket to the front end: it delivers signals with their senders, which Node does not report, and takes our messages.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "addon/js.h"
#include "addon/js_front.h"
#include "addon/js_frames.h"
#include "wire/signals.h"
#include "wire/channel.h"

namespace pbox::js {
namespace {

// The descriptor is the front end's socket only if the front end has started us.
bool has_front() {
  static const bool has = [] {
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(kFrontFd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
  }();
  return has;
}

struct SignalWatch {
  SignalWatch(Napi::Env env, const Napi::Function& to) : on_signal(Napi::Persistent(to)), context(env, "proc_box:signals") {}

  Napi::FunctionReference on_signal;
  Napi::AsyncContext context;
  uv_poll_t poll{};

  void read_all() {
    const Napi::Env env = on_signal.Env();
    const Napi::HandleScope scope(env);
    bool any = false;
    ssize_t n;
    for (Delivery got; (n = recv(kFrontFd, &got, sizeof got, MSG_DONTWAIT)) == static_cast<ssize_t>(sizeof got);) {
      any = true;
      Object delivery = Object::New(env);
      set_delivery(delivery, got);
      on_signal.MakeCallback(env.Global(), {delivery}, context);
      if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
    }
    if (any) tell_front(NodeMessageType::signals_seen);
    if (n == 0) uv_poll_stop(&poll);  // the front end has ended, and we end with it
  }
};

// Returns a function that delivers at once the signals that have arrived so far. Signals to this process itself are ignored: a
// scheduler that signals every process has signalled the front end as well.
Value watch_signals(const CallbackInfo& info) {
  const Env env = info.Env();
  for (const int signal : kHandledSignals) std::signal(signal, SIG_IGN);
  if (!has_front()) return Napi::Function::New(env, [](const CallbackInfo&) {}, "deliverSignals");
  auto* watch = new SignalWatch(env, info[0].As<Napi::Function>());
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  watch->poll.data = watch;
  uv_poll_init(loop, &watch->poll, kFrontFd);
  uv_poll_start(&watch->poll, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<SignalWatch*>(poll->data)->read_all(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch->poll));
  return Napi::Function::New(env, [](const CallbackInfo& call) { static_cast<SignalWatch*>(call.Data())->read_all(); },
                             "deliverSignals", watch);
}

void bound_end(const CallbackInfo& info) {
  tell_front(NodeMessageType::end_bound, 0, 0, info[0].As<Number>().DoubleValue());
}

void flush_patience(const CallbackInfo& info) {
  tell_front(NodeMessageType::flush_time, 0, 0, info[0].As<Number>().DoubleValue());
}

// The front end keeps a copy of the descriptor open, and with it a lock on the file.
void hold_open(const CallbackInfo& info) {
  if (!has_front()) return;
  const int fd = info[0].As<Number>().Int32Value();
  NodeMessage body{static_cast<uint32_t>(NodeMessageType::hold_open), 0, 0, 0, 0};
  iovec bytes{&body, sizeof body};
  alignas(cmsghdr) char descriptor[CMSG_SPACE(sizeof fd)]{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = descriptor;
  message.msg_controllen = sizeof descriptor;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  if (sendmsg(kFrontFd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) errno = 0;
}

}  // namespace

void take_stderr() {
  if (!has_front()) return;
  if (dup3(kFrontFd + 1, 2, O_CLOEXEC) >= 0) close(kFrontFd + 1);
}

void tell_front(NodeMessageType type, int first, int second, double ms) {
  if (!has_front()) return;
  const NodeMessage message{static_cast<uint32_t>(type), first, second, 0, ms};
  // If the front end is stopped, the socket's buffer still holds every message that we ever send.
  if (send(kFrontFd, &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) errno = 0;
}

void export_signals(Env env, Object& exports) {
  exports.Set("watchSignals", Napi::Function::New<watch_signals>(env));
  exports.Set("boundEnd", Napi::Function::New<bound_end>(env));
  exports.Set("holdOpen", Napi::Function::New<hold_open>(env));
  exports.Set("flushPatience", Napi::Function::New<flush_patience>(env));
}

}  // namespace pbox::js
