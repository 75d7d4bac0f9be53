// The keeper as JavaScript sees it: an object with requests and events.
#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/wait.h>
#include <uv.h>

#include "js.h"
#include "launch.h"
#include "link.h"

namespace pbox::js {
namespace {

template <typename T>
T body_as(const std::string& body) {
  T value{};
  std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
  return value;
}

Object usage_object(Env env, const UsageBody& usage) {
  Object o = Object::New(env);
  set(o, "userUsec", static_cast<double>(usage.user_usec));
  set(o, "systemUsec", static_cast<double>(usage.system_usec));
  set(o, "maxRssBytes", static_cast<double>(usage.max_rss_bytes));
  set(o, "readCount", static_cast<double>(usage.read_count));
  set(o, "writeCount", static_cast<double>(usage.write_count));
  set(o, "readBytes", static_cast<double>(usage.read_bytes));
  set(o, "writeBytes", static_cast<double>(usage.write_bytes));
  set(o, "stdoutBytes", static_cast<double>(usage.stdout_bytes));
  return o;
}

// How long the keeper may take for its last steps; processes in uninterruptible sleep take longer.
constexpr int kFinishMs = 2000;

class Keeper : public Napi::ObjectWrap<Keeper> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Keeper",
                       {InstanceMethod<&Keeper::cleanup>("cleanup"), InstanceMethod<&Keeper::start>("start"), InstanceMethod<&Keeper::adopt>("adopt"), InstanceMethod<&Keeper::signal>("signal"),
                        InstanceMethod<&Keeper::kill>("kill"), InstanceMethod<&Keeper::suspend>("suspend"),
                        InstanceMethod<&Keeper::resume>("resume"), InstanceMethod<&Keeper::rlimit>("rlimit"),
                        InstanceMethod<&Keeper::stdout_limit>("stdoutLimit"), InstanceMethod<&Keeper::usage>("usage"),
                        InstanceMethod<&Keeper::close>("close"), InstanceMethod<&Keeper::finish>("finish"),
                        InstanceAccessor<&Keeper::pid>("pid"), InstanceAccessor<&Keeper::pids>("pids")});
  }

  explicit Keeper(const CallbackInfo& info)
      : Napi::ObjectWrap<Keeper>(info),
        link_(new Link(info[0].As<Number>().Int32Value())),
        on_event_(Napi::Persistent(info[1].As<Napi::Function>())),
        context_(info.Env(), "proc_box:keeper") {
    fcntl(link_->fd(), F_SETFD, FD_CLOEXEC);
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    poll_ = new uv_poll_t;
    poll_->data = this;
    uv_poll_init(loop, poll_, link_->fd());
    uv_poll_start(poll_, UV_READABLE | UV_DISCONNECT, [](uv_poll_t* handle, int, int) {
      static_cast<Keeper*>(handle->data)->readable();
    });
    Ref();  // as long as the keeper lives
  }

 private:
  Napi::Value pid(const CallbackInfo& info) { return Number::New(info.Env(), pid_); }
  Napi::Value pids(const CallbackInfo& info) {
    Napi::Array pids = Napi::Array::New(info.Env());
    pids.Set(0U, Number::New(info.Env(), pid_));
    if (guard_ > 0) pids.Set(1U, Number::New(info.Env(), guard_));
    return pids;
  }

  // NUL-terminated; what is no string is empty.
  static void add_word(std::string& body, const Napi::Value& value) {
    const std::string word = value.IsString() ? value.As<String>().Utf8Value() : std::string();
    body.append(word.c_str(), word.size() + 1);
  }

  void start(const CallbackInfo& info) {
    const Object spec = info[0].As<Object>();
    const auto rlimits = spec.Get("rlimits").As<Napi::Array>();
    const Object cgroup = spec.Get("cgroup").As<Object>();
    const auto tasks = cgroup.Get("tasks").As<Napi::Array>();
    const bool freezer = cgroup.Get("freezer").IsObject();
    const uint32_t version = freezer ? cgroup.Get("freezer").As<Object>().Get("version").As<Number>().Uint32Value() : 0;
    const StartHead head{spec.Get("commandIndex").As<Number>().Uint32Value(), rlimits.Length(), tasks.Length(), version,
                               static_cast<uint64_t>(spec.Get("stdoutMaxBytes").As<Number>().DoubleValue())};
    std::string body(reinterpret_cast<const char*>(&head), sizeof head);
    for (uint32_t i = 0; i < rlimits.Length(); i++) {
      const Object limit = rlimits.Get(i).As<Object>();
      const RlimitWire wire = rlimit_wire(limit.Get("name").As<String>(), limit);
      body.append(reinterpret_cast<const char*>(&wire), sizeof wire);
    }
    for (uint32_t i = 0; i < tasks.Length(); i++) add_word(body, tasks.Get(i));
    add_word(body, cgroup.Get("forkInto"));
    add_word(body, freezer ? cgroup.Get("freezer").As<Object>().Get("dir") : info.Env().Null());
    add_word(body, cgroup.Get("killFile"));
    add_word(body, spec.Get("argv0"));
    link_->send(Request::start, 0, body.data(), body.size());
  }

  void adopt(const CallbackInfo& info) {
    const Object spec = info[0].As<Object>();
    const auto excluded = spec.Get("excluded").As<Napi::Array>();
    const Object cgroup = spec.Get("cgroup").As<Object>();
    const bool freezer = cgroup.Get("freezer").IsObject();
    AdoptHead head{};
    head.pid = spec.Get("pid").As<Number>().Int32Value();
    head.await_exec = spec.Get("awaitExec").ToBoolean();
    head.start = static_cast<uint64_t>(spec.Get("startTicks").As<Number>().DoubleValue());
    head.stdout_max = static_cast<uint64_t>(spec.Get("stdoutMaxBytes").As<Number>().DoubleValue());
    head.excluded = excluded.Length();
    head.freezer_version = freezer ? cgroup.Get("freezer").As<Object>().Get("version").As<Number>().Uint32Value() : 0;
    std::string body(reinterpret_cast<const char*>(&head), sizeof head);
    for (uint32_t i = 0; i < excluded.Length(); i++) {
      const int32_t pid = excluded.Get(i).As<Number>().Int32Value();
      body.append(reinterpret_cast<const char*>(&pid), sizeof pid);
    }
    add_word(body, cgroup.Get("procsFile"));
    add_word(body, freezer ? cgroup.Get("freezer").As<Object>().Get("dir") : info.Env().Null());
    add_word(body, cgroup.Get("killFile"));
    link_->send(Request::adopt, 0, body.data(), body.size());
  }

  void cleanup(const CallbackInfo& info) {
    const auto steps = info[0].As<Napi::Array>();
    std::string body;
    for (uint32_t i = 0; i < steps.Length(); i++) {
      const Object step = steps.Get(i).As<Object>();
      const bool remove = step.Get("op").As<String>().Utf8Value() == "rmdir";
      body.append(remove ? "r" : "w", 2);
      add_word(body, step.Get("path"));
      add_word(body, step.Get("text"));
    }
    link_->send(Request::cleanup, 0, body.data(), body.size());
  }

  Napi::Value request(Napi::Env env, Request type, const void* body, size_t size) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    const uint32_t id = ++last_id_;
    if (!poll_ || !link_->send(type, id, body, size)) {
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
  Napi::Value suspend(const CallbackInfo& info) { return request(info.Env(), Request::suspend, nullptr, 0); }
  Napi::Value resume(const CallbackInfo& info) { return request(info.Env(), Request::resume, nullptr, 0); }
  Napi::Value usage(const CallbackInfo& info) { return request(info.Env(), Request::usage, nullptr, 0); }

  Napi::Value rlimit(const CallbackInfo& info) {
    const RlimitWire wire = rlimit_wire(info[0].As<String>(), info[1].As<Object>());
    return request(info.Env(), Request::rlimit, &wire, sizeof wire);
  }

  Napi::Value stdout_limit(const CallbackInfo& info) {
    const uint64_t bytes = static_cast<uint64_t>(info[0].As<Number>().DoubleValue());
    return request(info.Env(), Request::stdout_limit, &bytes, sizeof bytes);
  }

  void close(const CallbackInfo&) { shut(); }

  Napi::Value finish(const CallbackInfo& info) {
    const bool gone = !poll_ || link_->finish(kFinishMs);
    if (gone && pid_ > 0) waitpid(guard_ > 0 ? guard_ : pid_, nullptr, 0);  // ECHILD where somebody else has started it
    shut();
    return Napi::Boolean::New(info.Env(), gone);
  }

  void readable() {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    const bool alive = link_->fill();
    FrameHead head;
    std::string body;
    while (poll_ && link_->next(head, body)) {
      const Napi::HandleScope inner(env);
      deliver(env, head, body);
    }
    if (alive || !poll_) return;
    shut();
    Object gone = Object::New(env);
    gone.Set("type", "gone");
    emit(env, gone);
  }

  void deliver(Napi::Env env, const FrameHead& head, const std::string& body) {
    if (static_cast<Event>(head.type) == Event::reply) return resolve(env, head.id, body);
    Object event = Object::New(env);
    switch (static_cast<Event>(head.type)) {
      case Event::hello: fill_hello(env, event, body); break;
      case Event::started: {
        const auto started = body_as<StartedBody>(body);
        event.Set("type", "started");
        set(event, "pid", started.pid);
        set(event, "atMs", started.at_ms);
        break;
      }
      case Event::failed: {
        const auto failed = body_as<FailedBody>(body);
        event.Set("type", "failed");
        event.Set("step", kStepNames[failed.step]);
        set(event, "index", failed.index);
        set(event, "errno", failed.error);
        event.Set("code", uv_err_name(-failed.error));
        break;
      }
      case Event::exited: {
        const auto exited = body_as<ExitedBody>(body);
        event.Set("type", "exited");
        event.Set("code", exited.code < 0 ? env.Null() : Number::New(env, exited.code).As<Napi::Value>());
        event.Set("signal", exited.signal < 0 ? env.Null() : Number::New(env, exited.signal).As<Napi::Value>());
        event.Set("coreDumped", exited.core_dumped != 0);
        set(event, "atMs", exited.at_ms);
        event.Set("usage", usage_object(env, exited.usage));
        break;
      }
      case Event::empty:
        event.Set("type", "empty");
        event.Set("usage", usage_object(env, body_as<UsageBody>(body)));
        break;
      case Event::stopped:
        event.Set("type", "stopped");
        set(event, "signal", body_as<int32_t>(body));
        break;
      case Event::continued: event.Set("type", "continued"); break;
      case Event::stdoutlimit:
        event.Set("type", "stdoutlimit");
        set(event, "bytes", static_cast<double>(body_as<uint64_t>(body)));
        break;
      case Event::witnessed: {
        const auto witnessed = body_as<WitnessedBody>(body);
        event.Set("type", "witnessed");
        set(event, "signal", witnessed.signal);
        set(event, "pid", witnessed.pid);
        set(event, "atMs", witnessed.at_ms);
        break;
      }
      case Event::reply: return;
    }
    emit(env, event);
  }

  void fill_hello(Napi::Env env, Object& event, const std::string& body) {
    const auto head = body_as<HelloHead>(body);
    static const char* const kModes[] = {"file", "pipe", "terminal", "other"};
    pid_ = head.pid;
    guard_ = head.guard;
    const char* at = body.data() + sizeof head;
    const auto words = [&](uint32_t count) {
      Napi::Array array = Napi::Array::New(env, count);
      for (uint32_t i = 0; i < count; i++) {
        array.Set(i, String::New(env, at));
        at += std::strlen(at) + 1;
      }
      return array;
    };
    event.Set("type", "hello");
    event.Set("argv", words(head.argc));
    event.Set("settings", words(head.settings));
    event.Set("stdoutMode", kModes[head.stdout_mode]);
    event.Set("terminal", head.terminal != 0);
  }

  void resolve(Napi::Env env, uint32_t id, const std::string& body) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    const Pending pending = found->second;
    pending_.erase(found);
    // Promise reactions run when the callback scope closes.
    const Napi::CallbackScope scope(env, context_);
    if (pending.type == Request::usage) {
      pending.deferred.Resolve(usage_object(env, body_as<UsageBody>(body)));
    } else if (pending.type == Request::rlimit) {
      const auto reply = body_as<RlimitReply>(body);
      Object result = Object::New(env);
      set(result, "changed", reply.changed);
      set(result, "failed", reply.failed);
      set(result, "errno", reply.error);
      result.Set("code", reply.error ? uv_err_name(-reply.error) : "");
      result.Set("limit", rlimit_result(env, reply.soft, reply.hard));
      pending.deferred.Resolve(result);
    } else {
      pending.deferred.Resolve(Number::New(env, body_as<int32_t>(body)));
    }
  }

  void emit(Napi::Env env, const Object& event) {
    on_event_.MakeCallback(env.Global(), {event}, context_);
    // An exception in the handler is the program's: let Node report it as uncaught.
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  void shut() {
    if (!poll_) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
    link_->close();
    const Napi::CallbackScope scope(Env(), context_);
    for (auto& [id, pending] : pending_) pending.deferred.Reject(Napi::Error::New(Env(), "the keeper has ended").Value());
    pending_.clear();
    Unref();
  }

  struct Pending {
    Request type;
    Napi::Promise::Deferred deferred;
  };
  std::unique_ptr<Link> link_;
  Napi::FunctionReference on_event_;
  Napi::AsyncContext context_;
  uv_poll_t* poll_ = nullptr;
  int pid_ = 0, guard_ = 0;
  uint32_t last_id_ = 0;
  std::map<uint32_t, Pending> pending_;
};

Value launch_keeper(const CallbackInfo& info) {
  const std::string executable = info[0].As<String>();
  const int fd = pbox::launch_keeper(executable, strings(info[1]), strings(info[2]));
  if (fd < 0) {
    syscall_error(info.Env(), "posix_spawn", errno, executable).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Number::New(info.Env(), fd);
}

}  // namespace

void export_keeper(Env env, Object& exports) {
  exports.Set("Keeper", Keeper::define(env));
  exports.Set("launchKeeper", Napi::Function::New<launch_keeper>(env));
}

}  // namespace pbox::js
