#include "addon/js_frames.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>
#include <uv.h>

#include "wire/channel.h"

namespace pbox::js {
namespace {

// Values that are not strings count as empty.
void add_word(Writer& body, const Value& value) {
  body.word(value.IsString() ? bytes_of(value).c_str() : "");
}

// The freezer of a CgroupLaunch; version 0 if the box has none.
struct Freezer {
  explicit Freezer(const Object& cgroup) {
    const Value freezer = cgroup.Get("freezer");
    if (!freezer.IsObject()) return;
    version = freezer.As<Object>().Get("version").As<Number>().Uint32Value();
    dir = bytes_of(freezer.As<Object>().Get("dir"));
  }
  uint32_t version = 0;
  std::string dir;
};

uint64_t uint64(const Value& value) { return static_cast<uint64_t>(value.As<Number>().DoubleValue()); }

Object rlimit_object(Env env, const RlimitReply& reply) {
  Object o = Object::New(env);
  set(o, "changed", reply.changed);
  set(o, "failed", reply.failed);
  set(o, "errno", reply.error);
  o.Set("code", reply.error ? uv_err_name(-reply.error) : "");
  o.Set("limit", rlimit_result(env, reply.soft, reply.hard));
  return o;
}

Napi::Array words(Env env, Reader& body, uint32_t count) {
  Napi::Array array = Napi::Array::New(env);
  for (uint32_t i = 0; i < count && !body.done(); i++) array.Set(i, text_of(env, body.word()));
  return array;
}

Value number_or_null(Env env, int32_t value) {
  return value < 0 ? env.Null() : Number::New(env, value).As<Value>();
}

}  // namespace

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

RlimitWire rlimit_wire(const RlimitChange& change) {
  const uint32_t which = (change.soft ? kSoft : 0) | (change.hard ? kHard : 0);
  return {change.resource, which, change.soft.value_or(0), change.hard.value_or(0)};
}

std::string start_body(const Object& spec) {
  const auto rlimits = spec.Get("rlimits").As<Napi::Array>();
  const Object cgroup = spec.Get("cgroup").As<Object>();
  const auto tasks = cgroup.Get("tasks").As<Napi::Array>();
  const Freezer freezer(cgroup);
  Writer body;
  body.value(StartHead{spec.Get("commandIndex").As<Number>().Uint32Value(), rlimits.Length(), tasks.Length(), freezer.version,
                       uint64(spec.Get("stdoutMaxBytes"))});
  for (uint32_t i = 0; i < rlimits.Length(); i++) {
    const Object limit = rlimits.Get(i).As<Object>();
    body.value(rlimit_wire(rlimit_change(limit.Get("name").As<String>(), limit)));
  }
  for (uint32_t i = 0; i < tasks.Length(); i++) add_word(body, tasks.Get(i));
  add_word(body, cgroup.Get("forkInto"));
  body.word(freezer.dir.c_str());
  add_word(body, cgroup.Get("killFile"));
  add_word(body, spec.Get("argv0"));
  return body.body;
}

std::string adopt_body(const Object& spec) {
  const Object cgroup = spec.Get("cgroup").As<Object>();
  const Freezer freezer(cgroup);
  Writer body;
  body.value(AdoptHead{spec.Get("awaitExec").ToBoolean(), freezer.version, uint64(spec.Get("stdoutMaxBytes"))});
  add_word(body, cgroup.Get("procsFile"));
  body.word(freezer.dir.c_str());
  add_word(body, cgroup.Get("killFile"));
  return body.body;
}

std::string cleanup_body(const Napi::Array& steps, const Value& abandoned) {
  Writer body;
  const bool any = abandoned.IsObject();
  const Object groups = any ? abandoned.As<Object>() : Object::New(steps.Env());
  const auto number = [&](const char* name) { return any ? groups.Get(name).As<Number>().Uint32Value() : 0; };
  body.value(CleanupHead{number("idDigits"), number("minAgeSec")});
  add_word(body, groups.Get("prefix"));
  for (uint32_t i = 0; i < steps.Length(); i++) {
    const Object step = steps.Get(i).As<Object>();
    body.word(step.Get("op").As<String>().Utf8Value() == "rmdir" ? "r" : "w");
    add_word(body, step.Get("path"));
    add_word(body, step.Get("text"));
  }
  return body.body;
}

std::string front_message(const Object& message) {
  static const std::pair<const char*, NodeMessageType> kTypes[] = {
      {"outcome", NodeMessageType::outcome}, {"heard", NodeMessageType::signals_seen}, {"bound", NodeMessageType::end_bound},
      {"flush", NodeMessageType::flush_time}, {"say", NodeMessageType::say}, {"rules", NodeMessageType::rules}, {"boxed", NodeMessageType::boxed}, {"stop_group", NodeMessageType::stop_group}};
  const std::string type = message.Get("type").As<String>();
  NodeMessage body{};
  for (const auto& [name, number] : kTypes)
    if (type == name) body.type = static_cast<uint32_t>(number);
  const auto number = [&](const char* name) {
    const Value value = message.Get(name);
    return value.IsNumber() ? value.As<Number>().DoubleValue() : 0;
  };
  body.first = static_cast<int32_t>(number("first"));
  body.second = static_cast<int32_t>(number("second"));
  body.ms = number("ms");
  Writer out;
  out.value(body);
  const Value text = message.Get("text");
  if (text.IsString()) out.body += bytes_of(text);
  return out.body;
}

void set_delivery(Object& into, const Delivery& delivery) {
  set(into, "signal", delivery.signal);
  set(into, "pid", delivery.pid);
  set(into, "uid", delivery.uid);
  set(into, "atMs", delivery.at_ms);
  into.Set("reached", delivery.reached != 0);
}

Object event_object(Env env, Event type, const std::string& bytes) {
  Reader body(bytes);
  Object event = Object::New(env);
  event.Set("type", kEventNames[static_cast<int>(type) - static_cast<int>(Event::hello)]);
  switch (type) {
    case Event::hello: {
      static const char* const kModes[] = {"file", "pipe", "terminal", "other"};
      const auto hello = body.value<HelloHead>();
      event.Set("argv", words(env, body, hello.argc));
      event.Set("settings", words(env, body, hello.settings));
      event.Set("stdoutMode", kModes[std::min<uint32_t>(hello.stdout_mode, 3)]);
      event.Set("terminal", hello.terminal != 0);
      event.Set("verb", body.word());
      set(event, "commandIndex", hello.command);
      set(event, "fallbackIndex", hello.fallback != 0 ? hello.fallback : hello.argc);
      event.Set("failsOpen", hello.failure_open != 0);
      event.Set("debug", hello.debug != 0);
      break;
    }
    case Event::started: {
      const auto started = body.value<StartedBody>();
      set(event, "pid", started.pid);
      set(event, "atMs", started.at_ms);
      break;
    }
    case Event::failed: {
      const auto failed = body.value<FailedBody>();
      event.Set("step", kStepNames[std::clamp<int>(failed.step, 0, std::size(kStepNames) - 1)]);
      set(event, "index", failed.index);
      set(event, "errno", failed.error);
      event.Set("code", failed.error == ENOEXEC ? "ENOEXEC" : uv_err_name(-failed.error));  // libuv has no name for ENOEXEC
      break;
    }
    case Event::exited: {
      const auto exited = body.value<ExitedBody>();
      event.Set("code", number_or_null(env, exited.code));
      event.Set("signal", number_or_null(env, exited.signal));
      event.Set("coreDumped", exited.core_dumped != 0);
      set(event, "atMs", exited.at_ms);
      event.Set("usage", usage_object(env, exited.usage));
      break;
    }
    case Event::empty:
      event.Set("usage", usage_object(env, body.value<UsageBody>()));
      break;
    case Event::stopped:
      set(event, "signal", body.value<int32_t>());
      break;
    case Event::stdoutlimit:
    case Event::stdoutmark:
      set(event, "bytes", static_cast<double>(body.value<uint64_t>()));
      break;
    case Event::witnessed: {
      const auto witnessed = body.value<WitnessedBody>();
      set(event, "signal", witnessed.signal);
      set(event, "pid", witnessed.pid);
      set(event, "atMs", witnessed.at_ms);
      break;
    }
    case Event::unkillable: {
      const auto head = body.value<UnkillableHead>();
      Napi::Array processes = Napi::Array::New(env);
      for (uint32_t i = 0; i < head.count && !body.done(); i++) {
        Object one = Object::New(env);
        set(one, "pid", body.value<int32_t>());
        one.Set("name", String::New(env, body.word()));
        one.Set("reason", String::New(env, body.word()));
        processes.Set(i, one);
      }
      event.Set("processes", processes);
      event.Set("final", head.final != 0);
      break;
    }
    case Event::expired:
      set(event, "atMs", body.value<double>());
      break;
    case Event::held:
      set(event, "totalMs", body.value<double>());
      break;
    case Event::origin: {
      const auto origin = body.value<OriginHead>();
      set(event, "frontPid", origin.front);
      set(event, "words", origin.words);
      event.Set("folder", text_of(env, body.word()));
      event.Set("environment", words(env, body, origin.environment));
      Napi::Array children = Napi::Array::New(env);
      for (uint32_t i = 0; i < origin.children && !body.done(); i++) children.Set(i, Number::New(env, body.value<int32_t>()));
      event.Set("children", children);
      event.Set("resumes", origin.resumes != 0);
      event.Set("mounts", text_of(env, body.word()));
      event.Set("groups", text_of(env, body.word()));
      break;
    }
    case Event::delivery: {
      set_delivery(event, body.value<Delivery>());
      break;
    }
    case Event::resumed: {
      const auto resumed = body.value<ResumedHead>();
      set(event, "pid", resumed.pid);
      event.Set("mainEnded", resumed.main_ended != 0);
      set(event, "startedMs", resumed.started_ms);
      set(event, "lostMs", resumed.lost_ms);
      event.Set("expiredMs", resumed.expired_ms > 0 ? Napi::Value(Number::New(env, resumed.expired_ms)) : env.Null());
      const std::string kept = body.bytes(resumed.bytes);
      event.Set("kept", Napi::Buffer<char>::Copy(env, kept.data(), kept.size()));
      break;
    }
    case Event::process: {
      const auto process = body.value<ProcessHead>();
      set(event, "pid", process.pid);
      event.Set("stdoutMode", process.stdout_file ? "file" : "other");
      for (const char* name : {"stat", "status", "command"}) event.Set(name, text_of(env, body.word()));
      const Napi::Array entries = words(env, body, process.environment);
      event.Set("environment", process.readable ? Value(entries) : Value(env.Null()));
      break;
    }
    case Event::ask:
      event.Set("text", text_of(env, body.rest()));
      break;
    case Event::agent:
    case Event::to_front:
    case Event::continued:
    case Event::reply:
      break;
  }
  return event;
}

Value file_value(Env env, Reader body) {
  const auto reply = body.value<FileReply>();
  Object o = Object::New(env);
  if (reply.error != 0) o.Set("code", uv_err_name(-reply.error));
  const std::string bytes = body.rest();
  o.Set("bytes", Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size()));
  set(o, "mode", reply.mode);
  set(o, "uid", reply.uid);
  return o;
}

Value reply_value(Env env, Request type, const std::string& bytes) {
  Reader body(bytes);
  if (type == Request::files) return files_value(env, body);
  if (type == Request::sample) return sample_value(env, body);
  if (type == Request::rlimit) return rlimit_object(env, body.value<RlimitReply>());
  if (type == Request::pause) {
    const auto reply = body.value<PauseReply>();
    Object o = Object::New(env);
    set(o, "count", reply.count);
    o.Set("allStopped", reply.all_stopped != 0);
    return o;
  }
  if (type == Request::read_file || type == Request::write_report) return file_value(env, body);
  if (type == Request::held_time) return Number::New(env, body.value<double>());
  return Number::New(env, body.value<int32_t>());
}

}  // namespace pbox::js
