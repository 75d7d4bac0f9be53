#include <cerrno>
#include <cstring>
#include <sys/resource.h>
#include <uv.h>

#include "addon/js.h"
#include "proc/rlimit.h"

namespace pbox::js {
namespace {

uint64_t limit_value(const Value& value) {
  return value.IsString() ? RLIM_INFINITY : static_cast<uint64_t>(value.As<Number>().DoubleValue());
}

Value limit_object(Env env, uint64_t value) {
  if (value == RLIM_INFINITY) return String::New(env, "unlimited");
  return Number::New(env, static_cast<double>(value));
}

}  // namespace

Napi::Error syscall_error(Env env, const char* syscall, int error, const std::string& what) {
  const std::string code = uv_err_name(-error);
  Napi::Error e = Napi::Error::New(env, std::string(syscall) + " " + what + ": " + code + ", " + std::strerror(error));
  e.Set("code", String::New(env, code));
  e.Set("errno", Number::New(env, -error));
  e.Set("syscall", String::New(env, syscall));
  return e;
}

RlimitChange rlimit_change(const std::string& name, const Object& limit) {
  RlimitChange change{rlimit_by_name(name.c_str()), {}, {}};
  const Value soft = limit.Get("soft"), hard = limit.Get("hard");
  if (!soft.IsUndefined()) change.soft = limit_value(soft);
  if (!hard.IsUndefined()) change.hard = limit_value(hard);
  return change;
}

Object rlimit_result(Env env, uint64_t soft, uint64_t hard) {
  Object o = Object::New(env);
  o.Set("soft", limit_object(env, soft));
  o.Set("hard", limit_object(env, hard));
  return o;
}

void set(Object& o, const char* key, double value) { o.Set(key, Number::New(o.Env(), value)); }

std::vector<std::string> strings(const Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(bytes_of(array.Get(i)));
  return out;
}

}  // namespace pbox::js

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  for (const auto part : {pbox::js::export_files, pbox::js::export_host, pbox::js::export_keeper, pbox::js::export_listener, pbox::js::export_outlet,
                          pbox::js::export_process, pbox::js::export_service, pbox::js::export_signals,
                          pbox::js::export_suspension, pbox::js::export_timer})
    part(env, exports);
  return exports;
}

NODE_API_MODULE(cgroup_utils_native, init)
