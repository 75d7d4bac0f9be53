// A Unix socket on which an agent takes connections. The kernel tells who connects.
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "addon/js.h"
#include "proc/clock.h"
#include "proc/unix_socket.h"

namespace pbox::js {
namespace {

// In one turn of the event loop, so that a flood of connections does not hold up what is connected.
constexpr int kAtOnce = 32;
// Of one user. More are closed at once, at a fraction of the cost, so that they do not fill the queue for the others.
constexpr int kPerSecond = 2000;
constexpr size_t kUsersMax = 4096;
// No more than that can wait: net.core.somaxconn is 4096.
constexpr int kQueue = 4096;

class Listener : public Napi::ObjectWrap<Listener> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Listener", {InstanceMethod<&Listener::drain>("drain"), InstanceMethod<&Listener::close>("close")});
  }

  explicit Listener(const CallbackInfo& info)
      : Napi::ObjectWrap<Listener>(info), fd_(info[0].As<Number>().Int32Value()), on_peer_(Napi::Persistent(info[1].As<Napi::Function>())), on_closed_(Napi::Persistent(info[2].As<Napi::Function>())), context_(info.Env(), "proc_box:listener") {
    fcntl(fd_, F_SETFD, FD_CLOEXEC);
    fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    poll_ = new uv_poll_t;
    poll_->data = this;
    uv_poll_init(loop, poll_, fd_);
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<Listener*>(handle->data)->accept_some(); });
    Ref();
  }

 private:
  void accept_some(int most = kAtOnce) {
    const Napi::Env env = Env();
    std::map<uid_t, int> closed;
    for (int count = 0, all = 0; poll_ && count < most && all < kQueue; all++) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) {
        refuse_one();
        break;
      }
      const Napi::HandleScope scope(env);
      ucred peer{};
      socklen_t size = sizeof peer;
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
      if (is_flood(peer.uid)) {
        ::close(fd);
        closed[peer.uid]++;
        continue;
      }
      count++;
      Object told = Object::New(env);
      set(told, "fd", fd);
      set(told, "pid", peer.pid);
      set(told, "uid", peer.uid);
      set(told, "gid", peer.gid);
      call(on_peer_, {told});
    }
    for (const auto& [uid, count] : closed) {
      const Napi::HandleScope scope(env);
      if (poll_) call(on_closed_, {Number::New(env, uid), Number::New(env, count)});
    }
  }

  bool is_flood(uid_t uid) {
    const double now = monotonic_ms();
    if (rates_.size() > kUsersMax) rates_.clear();
    Rate& rate = rates_[uid];
    if (now - rate.since_ms > 1000) rate = {now, 0};
    return ++rate.count > kPerSecond;
  }

  void call(const Napi::FunctionReference& function, const std::initializer_list<napi_value>& arguments) {
    const Napi::Env env = Env();
    function.MakeCallback(env.Global(), arguments, context_);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  // Without a free descriptor the connection would stay in the queue and wake us for ever. The spare one takes it and drops it.
  void refuse_one() {
    if (errno != EMFILE && errno != ENFILE) return;
    ::close(spare_);
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
    spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const Napi::HandleScope scope(Env());
    if (fd >= 0) call(on_closed_, {Env().Null(), Number::New(Env(), 1)});
  }

  // Takes everybody who has connected so far: after close() they would be turned away.
  void drain(const CallbackInfo&) { accept_some(kQueue); }

  void close(const CallbackInfo&) {
    if (!poll_) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
    ::close(fd_);
    ::close(spare_);
    on_peer_.Reset();
    on_closed_.Reset();
    Unref();
  }

  const int fd_;
  int spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  struct Rate {
    double since_ms;
    int count;
  };
  std::map<uid_t, Rate> rates_;
  Napi::FunctionReference on_peer_, on_closed_;
  Napi::AsyncContext context_;
  uv_poll_t* poll_ = nullptr;
};

Value listen_unix(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  int fd = -1;
  const int error = listen_at(path, info[1].ToBoolean() ? SocketFolder::shown : SocketFolder::hidden, fd, info[2].ToBoolean());
  if (error == 0) return Number::New(info.Env(), fd);
  Napi::Error failure = syscall_error(info.Env(), "listen", error > 0 ? error : EPERM, path);
  failure.Value().Set("refused", error == kOpenToOthers ? "open to others" : error == kNotOurs ? "not ours" : error == kLinkedFolder ? "a link" : error == kNotASocket ? "not a socket" : "");
  failure.ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

}  // namespace

void export_listener(Env env, Object& exports) {
  exports.Set("Listener", Listener::define(env));
  exports.Set("listenUnix", Napi::Function::New<listen_unix>(env));
}

}  // namespace pbox::js
