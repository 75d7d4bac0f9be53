// The class Keeper of JavaScript: a keeper's requests and events.
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/wait.h>
#include <uv.h>

#include "addon/js.h"
#include "addon/js_frames.h"
#include "addon/spawn_keeper.h"
#include "addon/turn.h"
#include "wire/keeper_connection.h"

namespace pbox::js {
namespace {

// The longest wait for the keeper's last steps. With processes in uninterruptible sleep they may take longer.
constexpr int kFinishMs = 2000;

class Keeper : public Napi::ObjectWrap<Keeper>, private Turning {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Keeper",
                       {InstanceMethod<&Keeper::cleanup>("cleanup"), InstanceMethod<&Keeper::start>("start"),
                        InstanceMethod<&Keeper::adopt>("adopt"), InstanceMethod<&Keeper::signal>("signal"),
                        InstanceMethod<&Keeper::kill>("kill"), InstanceMethod<&Keeper::stop>("stop"), InstanceMethod<&Keeper::pause>("pause"), InstanceMethod<&Keeper::suspend>("suspend"),
                        InstanceMethod<&Keeper::resume>("resume"), InstanceMethod<&Keeper::held_ms>("heldMs"), InstanceMethod<&Keeper::rlimit>("rlimit"),
                        InstanceMethod<&Keeper::stdout_limit>("stdoutLimit"), InstanceMethod<&Keeper::stdout_mark>("stdoutMark"),
                        InstanceMethod<&Keeper::files>("files"),
                        InstanceMethod<&Keeper::sample>("sample"), InstanceMethod<&Keeper::deadline>("deadline"),
                        InstanceMethod<&Keeper::welcome>("welcome"),
                        InstanceMethod<&Keeper::to_front>("toFront"), InstanceMethod<&Keeper::keep>("keep"),
                        InstanceMethod<&Keeper::answer>("answer"), InstanceMethod<&Keeper::leave>("leave"),
                        InstanceMethod<&Keeper::read_file>("readFile"), InstanceMethod<&Keeper::write_report>("writeReport"), InstanceMethod<&Keeper::close>("close"), InstanceMethod<&Keeper::finish>("finish"),
                        InstanceAccessor<&Keeper::pid>("pid"), InstanceAccessor<&Keeper::pids>("pids"), InstanceAccessor<&Keeper::is_behind>("isBehind")});
  }

  explicit Keeper(const CallbackInfo& info)
      : Napi::ObjectWrap<Keeper>(info),
        connection_(new KeeperConnection(info[0].As<Number>().Int32Value(), info.Length() > 2 && info[2].ToBoolean() ? Speaks::agent : Speaks::own)),
        on_event_(Napi::Persistent(info[1].As<Napi::Function>())),
        context_(info.Env(), "proc_box:keeper") {
    fcntl(connection_->fd(), F_SETFD, FD_CLOEXEC);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    poll_ = new uv_poll_t;
    poll_->data = this;
    uv_poll_init(loop, poll_, connection_->fd());
    watch();
    Ref();  // until the keeper has gone
  }

 private:
  Napi::Value pid(const CallbackInfo& info) { return Number::New(info.Env(), pid_); }
  Napi::Value pids(const CallbackInfo& info) {
    Napi::Array pids = Napi::Array::New(info.Env());
    pids.Set(0U, Number::New(info.Env(), pid_));
    if (guard_ > 0) pids.Set(1U, Number::New(info.Env(), guard_));
    return pids;
  }

  Napi::Value is_behind(const CallbackInfo& info) { return Napi::Boolean::New(info.Env(), connection_->is_behind()); }

  // Polls for writability only while bytes wait to be sent.
  void watch() {
    const int events = UV_READABLE | UV_DISCONNECT | (connection_->pending() ? UV_WRITABLE : 0);
    if (!poll_ || events == watched_) return;
    watched_ = events;
    uv_poll_start(poll_, events, [](uv_poll_t* handle, int status, int ready) {
      auto* keeper = static_cast<Keeper*>(handle->data);
      if (status < 0) keeper->watched_ = 0;  // libuv has stopped, but more may have arrived than is read at a time
      if (ready & UV_WRITABLE) keeper->connection_->flush();
      keeper->watch();
      if (ready != UV_WRITABLE) keeper->readable();  // also after an error, which sets no event
    });
  }

  // Each write wakes the keeper up, which costs an agent as much as the request. So an agent's requests of one turn of the
  // event loop leave together.
  bool send(Request type, uint32_t id, const void* body, size_t size) {
    if (!poll_ || !connection_->add(type, id, body, size)) return false;
    if (connection_->is_foreign()) {
      Turn::of(Env()).add(this);
      return true;
    }
    const bool sent = connection_->flush();
    watch();
    return sent;
  }
  void at_turns_end() override {
    if (!poll_) return;
    Turn::of(Env()).remove(this);
    connection_->flush();
    watch();
  }
  void send(Request type, const std::string& body) { send(type, 0, body.data(), body.size()); }
  void start(const CallbackInfo& info) { send(Request::start, start_body(info[0].As<Object>())); }
  void adopt(const CallbackInfo& info) { send(Request::adopt, adopt_body(info[0].As<Object>())); }
  void cleanup(const CallbackInfo& info) { send(Request::cleanup, cleanup_body(info[0].As<Napi::Array>(), info[1])); }

  void deadline(const CallbackInfo& info) {
    const Object by = info[0].As<Object>();
    const auto number = [&](const char* name) { return by.Get(name).As<Number>().DoubleValue(); };
    const DeadlineBody body{number("stopAtMs"), number("killAtMs"), number("graceMs"), static_cast<int32_t>(number("signal")), by.Get("abandon").ToBoolean() ? 1U : 0U};
    send(Request::deadline, 0, &body, sizeof body);
  }

  Napi::Value request(Napi::Env env, Request type, const void* body, size_t size) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    const uint32_t id = ++last_id_;
    if (!send(type, id, body, size)) {
      deferred.Reject(Napi::Error::New(env, "the keeper has ended").Value());
      return deferred.Promise();
    }
    pending_.emplace(id, Pending{type, deferred});
    return deferred.Promise();
  }

  Napi::Value signal(const CallbackInfo& info) {
    const SignalBody body{info[1].As<Number>().Int32Value(), info[0].As<String>().Utf8Value() == "all"};
    return request(info.Env(), Request::signal, &body, sizeof body);
  }
  Napi::Value kill(const CallbackInfo& info) {
    const KillBody body{info[0].ToBoolean() ? 1U : 0U};
    return request(info.Env(), Request::kill, &body, sizeof body);
  }
  Napi::Value stop(const CallbackInfo& info) {
    static const char* const kHow[] = {"group", "forward", "rest", "spare"};
    const std::string how = info[0].As<String>();
    uint32_t number = 0;
    while (number < 3 && how != kHow[number]) number++;
    const StopBody body{info[1].As<Number>().Int32Value(), number, info[2].ToBoolean() ? 1U : 0U, 0};
    return request(info.Env(), Request::stop, &body, sizeof body);
  }
  Napi::Value pause(const CallbackInfo& info) {
    const PauseBody body{info[0].ToBoolean() ? 1U : 0U};
    return request(info.Env(), Request::pause, &body, sizeof body);
  }
  Napi::Value suspend(const CallbackInfo& info) { return request(info.Env(), Request::suspend, nullptr, 0); }
  Napi::Value held_ms(const CallbackInfo& info) { return request(info.Env(), Request::held_time, nullptr, 0); }
  Napi::Value resume(const CallbackInfo& info) { return request(info.Env(), Request::resume, nullptr, 0); }

  Napi::Value files(const CallbackInfo& info) {
    const std::string body = files_body(info[0].As<Napi::Array>());
    return request(info.Env(), Request::files, body.data(), body.size());
  }
  Napi::Value sample(const CallbackInfo& info) {
    const std::string body = sample_body(info[0].As<Object>(), paths_);
    return request(info.Env(), Request::sample, body.data(), body.size());
  }

  Napi::Value rlimit(const CallbackInfo& info) {
    const RlimitWire wire = rlimit_wire(rlimit_change(info[0].As<String>(), info[1].As<Object>()));
    return request(info.Env(), Request::rlimit, &wire, sizeof wire);
  }

  Napi::Value stdout_limit(const CallbackInfo& info) {
    const uint64_t bytes = static_cast<uint64_t>(info[0].As<Number>().DoubleValue());
    return request(info.Env(), Request::stdout_limit, &bytes, sizeof bytes);
  }

  Napi::Value stdout_mark(const CallbackInfo& info) {
    const uint64_t bytes = static_cast<uint64_t>(info[0].As<Number>().DoubleValue());
    return request(info.Env(), Request::stdout_mark, &bytes, sizeof bytes);
  }

  void welcome(const CallbackInfo&) { send(Request::welcome, std::string()); }
  void to_front(const CallbackInfo& info) { send(Request::to_front, front_message(info[0].As<Object>())); }
  void leave(const CallbackInfo&) { send(Request::leave, std::string()); }
  void answer(const CallbackInfo& info) { send(Request::answer, bytes_of(info[0])); }

  void keep(const CallbackInfo& info) {
    const auto bytes = info[0].As<Napi::Buffer<char>>();
    send(Request::keep, std::string(bytes.Data(), bytes.Length()));
  }

  Napi::Value read_file(const CallbackInfo& info) {
    Writer body;
    body.word(bytes_of(info[0]).c_str());
    return request(info.Env(), Request::read_file, body.body.data(), body.body.size());
  }

  Napi::Value write_report(const CallbackInfo& info) {
    Writer body;
    body.word(bytes_of(info[0]).c_str());
    for (const std::string& word : strings(info[1])) body.word(word.c_str());
    body.word("");
    body.body += bytes_of(info[2]);
    return request(info.Env(), Request::write_report, body.body.data(), body.body.size());
  }

  void close(const CallbackInfo&) {
    shut();
    on_event_.Reset();
  }

  Napi::Value finish(const CallbackInfo& info) {
    const bool gone = !poll_ || connection_->finish(kFinishMs);
    // The keeper stays if SIGKILL has not ended every process. ECHILD: the front end has started it, not this process.
    if (gone && pid_ > 0 && !stays_) waitpid(guard_ > 0 ? guard_ : pid_, nullptr, 0);
    shut();
    on_event_.Reset();
    return Napi::Boolean::New(info.Env(), gone);
  }

  void readable() {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    if (!version_known_ && !connection_->is_foreign()) {
      const uint16_t version = connection_->peek_version();
      if (version != 0 && !connection_->understands(version)) return mismatch(env, version);
      version_known_ = version != 0;  // later bytes of a long first frame are not a frame head
    }
    const bool alive = connection_->fill();
    FrameHead head;
    std::string body;
    while (poll_ && connection_->next(head, body)) {
      const Napi::HandleScope inner(env);
      if (connection_->is_foreign() && !connection_->understands(head.version)) return mismatch(env, head.version);
      deliver(env, head, body);
    }
    // Its answers need not wait for what others have sent.
    if (alive && connection_->pending()) at_turns_end();
    if (alive || !poll_) return;
    Object gone = Object::New(env);
    gone.Set("type", "gone");
    gone.Set("fault", connection_->fault());
    // The fault of a foreign connection is told before the requests fail that it has broken.
    if (!connection_->is_foreign()) shut();
    emit(env, gone);
    shut();
    on_event_.Reset();
  }

  // The first frame of a keeper of our own has not been read, so the front end can still launch the job with this keeper.
  void mismatch(Napi::Env env, uint16_t version) {
    uv_poll_stop(poll_);
    Object event = Object::New(env);
    event.Set("type", "mismatch");
    set(event, "version", version);
    set(event, "expected", connection_->is_foreign() ? kAgentVersion : kProtocolVersion);
    emit(env, event);
  }

  void deliver(Napi::Env env, const FrameHead& head, const std::string& body) {
    const auto type = static_cast<Event>(head.type);
    if (type == Event::reply) return resolve(env, head.id, body);
    if (type < Event::hello || type > Event::held) return unknown(env, head);
    if (type == Event::hello) {
      const auto hello = Reader(body).value<HelloHead>();
      pid_ = hello.pid;
      guard_ = hello.guard;
    }
    if (type == Event::unkillable) stays_ = Reader(body).value<UnkillableHead>().final != 0;
    emit(env, event_object(env, type, body));
  }

  // The next version may have more types.
  void unknown(Napi::Env env, const FrameHead& head) {
    if (!connection_->is_foreign() || head.version > kAgentVersion) return;
    Object event = Object::New(env);
    event.Set("type", "unknown");
    set(event, "number", head.type);
    emit(env, event);
  }

  void resolve(Napi::Env env, uint32_t id, const std::string& body) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    const Pending pending = found->second;
    pending_.erase(found);
    // Promise reactions run when the callback scope closes.
    const Napi::CallbackScope scope(env, context_);
    pending.deferred.Resolve(reply_value(env, pending.type, body));
  }

  void emit(Napi::Env env, const Object& event) {
    if (on_event_.IsEmpty()) return;
    on_event_.MakeCallback(env.Global(), {event}, context_);
    // Node reports an exception of the handler as uncaught.
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  void shut() {
    if (!poll_) return;
    connection_->flush();
    if (connection_->is_foreign()) Turn::of(Env()).remove(this);
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
    connection_->close();
    const Napi::CallbackScope scope(Env(), context_);
    for (auto& [id, pending] : pending_) pending.deferred.Reject(Napi::Error::New(Env(), "the keeper has ended").Value());
    pending_.clear();
    Unref();
  }

  struct Pending {
    Request type;
    Napi::Promise::Deferred deferred;
  };
  std::unique_ptr<KeeperConnection> connection_;
  Napi::FunctionReference on_event_;  // reset at the end: the handler may refer to this object and would keep it alive for ever
  Napi::AsyncContext context_;
  uv_poll_t* poll_ = nullptr;
  int watched_ = 0;
  bool version_known_ = false, stays_ = false;
  int pid_ = 0, guard_ = 0;
  uint32_t last_id_ = 0;
  std::map<uint32_t, Pending> pending_;
  EncodedPaths paths_;
};

Value launch_keeper(const CallbackInfo& info) {
  const std::string executable = bytes_of(info[0]);
  const int fd = spawn_keeper(executable, strings(info[1]), strings(info[2]));
  if (fd < 0) {
    syscall_error(info.Env(), "posix_spawn", errno, executable).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Number::New(info.Env(), fd);
}

}  // namespace

void export_keeper(Env env, Object& exports) {
  exports.Set("Keeper", Keeper::define(env));
  exports.Set("agentVersion", Number::New(env, kAgentVersion));
  exports.Set("launchKeeper", Napi::Function::New<launch_keeper>(env));
}

}  // namespace pbox::js
