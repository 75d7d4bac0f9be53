// The glue: the only file with napi.h. JavaScript has validated what arrives here.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <limits>
#include <map>
#include <napi.h>
#include <pwd.h>
#include <string>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include <vector>

#include "keeper.h"
#include "launch.h"
#include "link.h"
#include "members.h"
#include "rlimit.h"
#include "sample.h"
#include "signals.h"
#include "text.h"
#include "tree.h"

namespace {

using Napi::CallbackInfo;
using Napi::Env;
using Napi::Number;
using Napi::Object;
using Napi::String;
using Napi::Value;

// An Error with Node's own fields.
Napi::Error syscall_error(Env env, const char* syscall, int error, const std::string& what) {
  const std::string code = uv_err_name(-error);
  Napi::Error e = Napi::Error::New(env, std::string(syscall) + " " + what + ": " + code + ", " + std::strerror(error));
  e.Set("code", String::New(env, code));
  e.Set("errno", Number::New(env, -error));
  e.Set("syscall", String::New(env, syscall));
  return e;
}

uint64_t limit_value(const Value& value) {
  return value.IsString() ? RLIM_INFINITY : static_cast<uint64_t>(value.As<Number>().DoubleValue());
}

Value limit_object(Env env, uint64_t value) {
  if (value == RLIM_INFINITY) return String::New(env, "unlimited");
  return Number::New(env, static_cast<double>(value));
}

pbox::RlimitWire rlimit_wire(const std::string& name, const Object& limit) {
  pbox::RlimitWire wire{pbox::rlimit_by_name(name.c_str()), 0, 0, 0};
  const Value soft = limit.Get("soft"), hard = limit.Get("hard");
  if (!soft.IsUndefined()) {
    wire.which |= pbox::kSoft;
    wire.soft = limit_value(soft);
  }
  if (!hard.IsUndefined()) {
    wire.which |= pbox::kHard;
    wire.hard = limit_value(hard);
  }
  return wire;
}

Object rlimit_result(Env env, uint64_t soft, uint64_t hard) {
  Object o = Object::New(env);
  o.Set("soft", limit_object(env, soft));
  o.Set("hard", limit_object(env, hard));
  return o;
}

void set(Object& o, const char* key, double value) { o.Set(key, Number::New(o.Env(), value)); }

Object usage_object(Env env, const pbox::UsageBody& usage) {
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

template <typename T>
T body_as(const std::string& body) {
  T value{};
  std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
  return value;
}

// How long the keeper may take for its last steps; processes in uninterruptible sleep take longer.
class TextFiles : public Napi::ObjectWrap<TextFiles> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "TextFiles", {InstanceMethod<&TextFiles::read>("read")});
  }

  explicit TextFiles(const CallbackInfo& info) : Napi::ObjectWrap<TextFiles>(info), files_(paths(info[0])) {}

 private:
  static std::vector<std::string> paths(const Napi::Value& value) {
    const auto list = value.As<Napi::Array>();
    std::vector<std::string> result;
    for (uint32_t i = 0; i < list.Length(); i++) result.push_back(list.Get(i).As<Napi::String>().Utf8Value());
    return result;
  }

  // Latin-1: every byte is a character, none is refused.
  Napi::Value read(const CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Napi::Array texts = Napi::Array::New(env, files_.size());
    for (size_t i = 0; i < files_.size(); i++) {
      napi_value one = env.Null();
      if (files_.read(i, text_)) napi_create_string_latin1(env, text_.data(), text_.size(), &one);
      texts.Set(static_cast<uint32_t>(i), one);
    }
    return texts;
  }

  pbox::TextFiles files_;
  std::string text_;
};

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
        link_(new pbox::Link(info[0].As<Number>().Int32Value())),
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
    const pbox::StartHead head{spec.Get("commandIndex").As<Number>().Uint32Value(), rlimits.Length(), tasks.Length(), version,
                               static_cast<uint64_t>(spec.Get("stdoutMaxBytes").As<Number>().DoubleValue())};
    std::string body(reinterpret_cast<const char*>(&head), sizeof head);
    for (uint32_t i = 0; i < rlimits.Length(); i++) {
      const Object limit = rlimits.Get(i).As<Object>();
      const pbox::RlimitWire wire = rlimit_wire(limit.Get("name").As<String>(), limit);
      body.append(reinterpret_cast<const char*>(&wire), sizeof wire);
    }
    for (uint32_t i = 0; i < tasks.Length(); i++) add_word(body, tasks.Get(i));
    add_word(body, cgroup.Get("forkInto"));
    add_word(body, freezer ? cgroup.Get("freezer").As<Object>().Get("dir") : info.Env().Null());
    add_word(body, cgroup.Get("killFile"));
    add_word(body, spec.Get("argv0"));
    link_->send(pbox::Request::start, 0, body.data(), body.size());
  }

  void adopt(const CallbackInfo& info) {
    const Object spec = info[0].As<Object>();
    const auto excluded = spec.Get("excluded").As<Napi::Array>();
    const Object cgroup = spec.Get("cgroup").As<Object>();
    const bool freezer = cgroup.Get("freezer").IsObject();
    pbox::AdoptHead head{};
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
    link_->send(pbox::Request::adopt, 0, body.data(), body.size());
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
    link_->send(pbox::Request::cleanup, 0, body.data(), body.size());
  }

  Napi::Value request(Napi::Env env, pbox::Request type, const void* body, size_t size) {
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
    const pbox::SignalBody body{info[1].As<Number>().Int32Value(), info[0].As<String>().Utf8Value() == "all"};
    return request(info.Env(), pbox::Request::signal, &body, sizeof body);
  }
  Napi::Value kill(const CallbackInfo& info) {
    const pbox::KillBody body{info[0].ToBoolean() ? 1U : 0U};
    return request(info.Env(), pbox::Request::kill, &body, sizeof body);
  }
  Napi::Value suspend(const CallbackInfo& info) { return request(info.Env(), pbox::Request::suspend, nullptr, 0); }
  Napi::Value resume(const CallbackInfo& info) { return request(info.Env(), pbox::Request::resume, nullptr, 0); }
  Napi::Value usage(const CallbackInfo& info) { return request(info.Env(), pbox::Request::usage, nullptr, 0); }

  Napi::Value rlimit(const CallbackInfo& info) {
    const pbox::RlimitWire wire = rlimit_wire(info[0].As<String>(), info[1].As<Object>());
    return request(info.Env(), pbox::Request::rlimit, &wire, sizeof wire);
  }

  Napi::Value stdout_limit(const CallbackInfo& info) {
    const uint64_t bytes = static_cast<uint64_t>(info[0].As<Number>().DoubleValue());
    return request(info.Env(), pbox::Request::stdout_limit, &bytes, sizeof bytes);
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
    pbox::FrameHead head;
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

  void deliver(Napi::Env env, const pbox::FrameHead& head, const std::string& body) {
    if (static_cast<pbox::Event>(head.type) == pbox::Event::reply) return resolve(env, head.id, body);
    Object event = Object::New(env);
    switch (static_cast<pbox::Event>(head.type)) {
      case pbox::Event::hello: fill_hello(env, event, body); break;
      case pbox::Event::started: {
        const auto started = body_as<pbox::StartedBody>(body);
        event.Set("type", "started");
        set(event, "pid", started.pid);
        set(event, "atMs", started.at_ms);
        break;
      }
      case pbox::Event::failed: {
        const auto failed = body_as<pbox::FailedBody>(body);
        event.Set("type", "failed");
        event.Set("step", pbox::kStepNames[failed.step]);
        set(event, "index", failed.index);
        set(event, "errno", failed.error);
        event.Set("code", uv_err_name(-failed.error));
        break;
      }
      case pbox::Event::exited: {
        const auto exited = body_as<pbox::ExitedBody>(body);
        event.Set("type", "exited");
        event.Set("code", exited.code < 0 ? env.Null() : Number::New(env, exited.code).As<Napi::Value>());
        event.Set("signal", exited.signal < 0 ? env.Null() : Number::New(env, exited.signal).As<Napi::Value>());
        event.Set("coreDumped", exited.core_dumped != 0);
        set(event, "atMs", exited.at_ms);
        event.Set("usage", usage_object(env, exited.usage));
        break;
      }
      case pbox::Event::empty:
        event.Set("type", "empty");
        event.Set("usage", usage_object(env, body_as<pbox::UsageBody>(body)));
        break;
      case pbox::Event::stopped:
        event.Set("type", "stopped");
        set(event, "signal", body_as<int32_t>(body));
        break;
      case pbox::Event::continued: event.Set("type", "continued"); break;
      case pbox::Event::stdoutlimit:
        event.Set("type", "stdoutlimit");
        set(event, "bytes", static_cast<double>(body_as<uint64_t>(body)));
        break;
      case pbox::Event::witnessed: {
        const auto witnessed = body_as<pbox::WitnessedBody>(body);
        event.Set("type", "witnessed");
        set(event, "signal", witnessed.signal);
        set(event, "pid", witnessed.pid);
        set(event, "atMs", witnessed.at_ms);
        break;
      }
      case pbox::Event::reply: return;
    }
    emit(env, event);
  }

  void fill_hello(Napi::Env env, Object& event, const std::string& body) {
    const auto head = body_as<pbox::HelloHead>(body);
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
    if (pending.type == pbox::Request::usage) {
      pending.deferred.Resolve(usage_object(env, body_as<pbox::UsageBody>(body)));
    } else if (pending.type == pbox::Request::rlimit) {
      const auto reply = body_as<pbox::RlimitReply>(body);
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
    pbox::Request type;
    Napi::Promise::Deferred deferred;
  };
  std::unique_ptr<pbox::Link> link_;
  Napi::FunctionReference on_event_;
  Napi::AsyncContext context_;
  uv_poll_t* poll_ = nullptr;
  int pid_ = 0, guard_ = 0;
  uint32_t last_id_ = 0;
  std::map<uint32_t, Pending> pending_;
};

std::vector<int> numbers(const Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<int> out;
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(array.Get(i).As<Number>().Int32Value());
  return out;
}

class Members : public Napi::ObjectWrap<Members> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Members", {InstanceMethod<&Members::look>("look")});
  }

  explicit Members(const CallbackInfo& info) : Napi::ObjectWrap<Members>(info), members_(from(info[0].As<Object>())) {}

 private:
  static pbox::Members from(const Object& spec) {
    const Napi::Value procs = spec.Get("procsFile");
    const pbox::Member main{spec.Get("pid").As<Number>().Int32Value(),
                            static_cast<uint64_t>(spec.Get("startTicks").As<Number>().DoubleValue())};
    return {main, numbers(spec.Get("excluded")), procs.IsString() ? procs.As<String>().Utf8Value() : std::string()};
  }

  Napi::Value look(const CallbackInfo& info) {
    const auto& found = members_.look();
    Napi::Array pids = Napi::Array::New(info.Env(), found.size());
    for (uint32_t i = 0; i < found.size(); i++) pids.Set(i, Number::New(info.Env(), found[i].pid));
    return pids;
  }

  pbox::Members members_;
};

Value sample_tree(const CallbackInfo& info) {
  const Env env = info.Env();
  const Object options = info.Length() > 1 && info[1].IsObject() ? info[1].As<Object>() : Object::New(env);
  const Value rows = options.Get("rows"), files_of = options.Get("openFilesOf");
  const size_t most = rows.IsNumber() ? rows.As<Number>().Uint32Value() : 0;
  const bool pss = options.Get("pss").ToBoolean();
  const pbox::Tree tree = info[0].IsArray() ? pbox::sample_processes(numbers(info[0]), most, pss)
                                            : pbox::sample_tree(info[0].As<Number>().Int32Value(), most, pss);
  Object o = Object::New(env);
  Napi::Array pids = Napi::Array::New(env, tree.pids.size());
  for (uint32_t i = 0; i < tree.pids.size(); i++) pids.Set(i, Number::New(env, tree.pids[i]));
  o.Set("pids", pids);
  set(o, "threads", static_cast<double>(tree.threads));
  set(o, "rssBytes", static_cast<double>(tree.rss_bytes));
  set(o, "vmsBytes", static_cast<double>(tree.vms_bytes));
  set(o, "swapBytes", static_cast<double>(tree.swap_bytes));
  set(o, "pssBytes", static_cast<double>(tree.pss_bytes));
  set(o, "anonBytes", static_cast<double>(tree.anon_bytes));
  set(o, "fileBytes", static_cast<double>(tree.file_bytes));
  set(o, "shmemBytes", static_cast<double>(tree.shmem_bytes));
  set(o, "userUsec", static_cast<double>(tree.user_usec));
  set(o, "systemUsec", static_cast<double>(tree.system_usec));
  set(o, "guestUsec", static_cast<double>(tree.guest_usec));
  set(o, "iowaitUsec", static_cast<double>(tree.iowait_usec));
  set(o, "readCount", static_cast<double>(tree.read_count));
  set(o, "writeCount", static_cast<double>(tree.write_count));
  set(o, "readBytes", static_cast<double>(tree.read_bytes));
  set(o, "writeBytes", static_cast<double>(tree.write_bytes));
  Napi::Array list = Napi::Array::New(env, tree.rows.size());
  for (uint32_t i = 0; i < tree.rows.size(); i++) {
    const pbox::Process& p = tree.rows[i];
    Object row = Object::New(env);
    set(row, "pid", p.pid);
    set(row, "ppid", p.ppid);
    row.Set("comm", p.comm);
    row.Set("state", std::string(1, p.state));
    set(row, "threads", static_cast<double>(p.threads));
    set(row, "rssBytes", static_cast<double>(p.rss_bytes));
    set(row, "vmsBytes", static_cast<double>(p.vms_bytes));
    set(row, "userUsec", static_cast<double>(p.user_usec));
    set(row, "systemUsec", static_cast<double>(p.system_usec));
    list.Set(i, row);
  }
  o.Set("rows", list);
  Napi::Array files = Napi::Array::New(env);
  if (files_of.IsNumber()) {
    const auto found = pbox::open_files(files_of.As<Number>().Int32Value(), 256);
    for (uint32_t i = 0; i < found.size(); i++) {
      Object file = Object::New(env);
      file.Set("path", found[i].path);
      set(file, "fd", found[i].fd);
      files.Set(i, file);
    }
  }
  o.Set("openFiles", files);
  return o;
}

Value prlimit_of(const CallbackInfo& info) {
  const Env env = info.Env();
  const int pid = info[0].As<Number>().Int32Value();
  const std::string name = info[1].As<String>();
  rlimit before{};
  const auto resource = static_cast<__rlimit_resource>(pbox::rlimit_by_name(name.c_str()));
  int error = prlimit(pid, resource, nullptr, &before) == 0 ? 0 : errno;
  if (error == 0 && info.Length() > 2 && info[2].IsObject())
    error = pbox::rlimit_set(pid, rlimit_wire(name, info[2].As<Object>()), nullptr);
  if (error != 0) {
    syscall_error(env, "prlimit", error, name + " of " + std::to_string(pid)).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return rlimit_result(env, before.rlim_cur, before.rlim_max);
}

std::vector<std::string> strings(const Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(array.Get(i).As<String>());
  return out;
}

Value launch_keeper(const CallbackInfo& info) {
  const std::string executable = info[0].As<String>();
  const int fd = pbox::launch_keeper(executable, strings(info[1]), strings(info[2]));
  if (fd < 0) {
    syscall_error(info.Env(), "posix_spawn", errno, executable).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Number::New(info.Env(), fd);
}

Value host_sample(const CallbackInfo& info) {
  struct sysinfo host {};
  sysinfo(&host);
  Object o = Object::New(info.Env());
  set(o, "uptimeSec", static_cast<double>(host.uptime));
  set(o, "processes", static_cast<double>(pbox::host_processes()));
  set(o, "swapUsedBytes", static_cast<double>(host.totalswap - host.freeswap) * host.mem_unit);
  return o;
}

// Native, since what a kill has to go through should not have to be compiled first.
Value kill_group(const CallbackInfo& info) {
  const std::string dir = info[0].As<String>();
  int count = 0;
  const int list = open((dir + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC);
  char text[4096];
  for (ssize_t n; list >= 0 && (n = read(list, text, sizeof text)) > 0;) count += static_cast<int>(std::count(text, text + n, '\n'));
  if (list >= 0) close(list);
  const int fd = open((dir + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC);
  const bool killed = fd >= 0 && write(fd, "1", 1) == 1;
  if (fd >= 0) close(fd);
  return Number::New(info.Env(), killed ? count : 0);
}

std::vector<int> own_children() {
  std::vector<int> children;
  pbox::read_children(getpid(), true, children);
  return children;
}

Value protect_self(const CallbackInfo& info) {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGTTOU, SIG_IGN);
  const std::vector<int> children = own_children();
  Napi::Array pids = Napi::Array::New(info.Env(), children.size());
  for (uint32_t i = 0; i < children.size(); i++) pids.Set(i, Number::New(info.Env(), children[i]));
  return pids;
}

// Each child by its pid: one that the scheduler has given us (pbs_demux) is not ours to kill or to reap.
Value kill_descendants(const CallbackInfo& info) {
  std::vector<int> spared;
  const auto list = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) spared.push_back(list.Get(i).As<Number>().Int32Value());
  int count = 0;
  for (bool fresh = true; fresh;) {
    fresh = false;
    for (const int child : own_children()) {
      if (std::find(spared.begin(), spared.end(), child) != spared.end()) continue;
      fresh = true;
      count += pbox::signal_tree(child, SIGKILL, true) + (kill(child, SIGKILL) == 0);
      while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
    }
  }
  return Number::New(info.Env(), count);
}

void release_stdio(const CallbackInfo&) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  dup3(null, 0, O_CLOEXEC);
  dup3(null, 1, O_CLOEXEC);
  close(null);
}

Value redirect_stderr(const CallbackInfo& info) {
  const std::string path = info[0].As<String>();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
  if (fd < 0) {
    syscall_error(info.Env(), "open", errno, path).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  dup3(fd, 2, O_CLOEXEC);
  close(fd);
  return info.Env().Undefined();
}

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
    for (pbox::Delivery got; read(fd, &got, sizeof got) == static_cast<ssize_t>(sizeof got);) {
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
  const int fd = pbox::watch_signals({std::begin(pbox::kHandledSignals), std::end(pbox::kHandledSignals)});
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

void exit_now(const CallbackInfo& info) { _exit(info[0].As<Number>().Int32Value()); }

void die_of(const CallbackInfo& info) {
  const int signal = info[0].As<Number>().Int32Value();
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  raise(signal);
  _exit(128 + signal);
}

// In the session leader's group, or with a parent in another session, nobody is there who could say `fg`: setpgid(2),
// orphaned process groups.
Value stop_own_group(const CallbackInfo& info) {
  const int session = getsid(0);
  const bool orphaned = getpgrp() == session || getsid(getppid()) != session;
  if (!orphaned) kill(0, SIGSTOP);
  return Napi::Boolean::New(info.Env(), !orphaned);
}

Value monotonic_ms(const CallbackInfo& info) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Number::New(info.Env(), static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6);
}

// flock(2) is the file's, not the process's: it ends with the last descriptor, so with its owner, however that ended.
Value lock_file(const CallbackInfo& info) {
  if (flock(info[0].As<Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
  syscall_error(info.Env(), "flock", errno, "a descriptor").ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Value random_hex(const CallbackInfo& info) {
  std::vector<unsigned char> bytes(info[0].As<Number>().Uint32Value());
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    syscall_error(info.Env(), "getrandom", errno, "bytes").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return String::New(info.Env(), text);
}

Value host_name(const CallbackInfo& info) {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return String::New(info.Env(), name);
}

// getpwuid(3) may ask a directory service; the environment is not asked because a user could set it to another's name.
Value user_name(const CallbackInfo& info) {
  passwd entry{}, *found = nullptr;
  char buffer[4096];
  const uid_t uid = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Number>().Uint32Value() : geteuid();
  if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found) return String::New(info.Env(), found->pw_name);
  return String::New(info.Env(), std::to_string(uid));
}

Object signal_names(Env env) {
  Object o = Object::New(env);
  for (int signal = 1; signal < 32; signal++)
    if (const char* name = sigabbrev_np(signal)) o.Set(static_cast<uint32_t>(signal), String::New(env, name));
  return o;
}

Object init(Env env, Object exports) {
  exports.Set("Keeper", Keeper::define(env));
  exports.Set("Members", Members::define(env));
  exports.Set("TextFiles", TextFiles::define(env));
  exports.Set("sampleTree", Napi::Function::New<sample_tree>(env));
  exports.Set("prlimit", Napi::Function::New<prlimit_of>(env));
  exports.Set("launchKeeper", Napi::Function::New<launch_keeper>(env));
  exports.Set("hostSample", Napi::Function::New<host_sample>(env));
  exports.Set("protectSelf", Napi::Function::New<protect_self>(env));
  exports.Set("killGroup", Napi::Function::New<kill_group>(env));
  exports.Set("killDescendants", Napi::Function::New<kill_descendants>(env));
  exports.Set("releaseStdio", Napi::Function::New<release_stdio>(env));
  exports.Set("redirectStderr", Napi::Function::New<redirect_stderr>(env));
  exports.Set("watchSignals", Napi::Function::New<watch_signals>(env));
  exports.Set("exitNow", Napi::Function::New<exit_now>(env));
  exports.Set("dieOf", Napi::Function::New<die_of>(env));
  exports.Set("stopOwnGroup", Napi::Function::New<stop_own_group>(env));
  exports.Set("monotonicMs", Napi::Function::New<monotonic_ms>(env));
  exports.Set("lockFile", Napi::Function::New<lock_file>(env));
  exports.Set("randomHex", Napi::Function::New<random_hex>(env));
  exports.Set("hostname", Napi::Function::New<host_name>(env));
  exports.Set("userName", Napi::Function::New<user_name>(env));
  exports.Set("signalNames", signal_names(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(cgroup_utils_native, init)
