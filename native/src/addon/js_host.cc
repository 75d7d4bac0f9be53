// The host: clock, names, random numbers.
#include <cerrno>
#include <pwd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "addon/js.h"
#include "proc/clock.h"
#include "proc/host.h"

namespace pbox::js {
namespace {

Value host_sample(const CallbackInfo& info) {
  struct sysinfo host {};
  sysinfo(&host);
  Object o = Object::New(info.Env());
  set(o, "uptimeSec", static_cast<double>(host.uptime));
  set(o, "processes", static_cast<double>(host_processes()));
  set(o, "swapUsedBytes", static_cast<double>(host.totalswap - host.freeswap) * host.mem_unit);
  return o;
}

Value monotonic_ms(const CallbackInfo& info) {
  return Number::New(info.Env(), pbox::monotonic_ms());
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

// The peer of a Unix socket, as the kernel recorded it at connect(2); unix(7).
Value peer_of(const CallbackInfo& info) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(info[0].As<Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    syscall_error(info.Env(), "getsockopt", errno, "SO_PEERCRED").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  Object out = Object::New(info.Env());
  set(out, "pid", peer.pid);
  set(out, "uid", peer.uid);
  return out;
}

// getpwuid(3) may query a directory service. The environment is no substitute: a user could set it to another user's name.
Value user_name(const CallbackInfo& info) {
  passwd entry{}, *found = nullptr;
  char buffer[4096];
  const uid_t uid = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Number>().Uint32Value() : geteuid();
  if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found) return String::New(info.Env(), found->pw_name);
  return String::New(info.Env(), std::to_string(uid));
}

}  // namespace

void export_host(Env env, Object& exports) {
  exports.Set("hostSample", Napi::Function::New<host_sample>(env));
  exports.Set("monotonicMs", Napi::Function::New<monotonic_ms>(env));
  exports.Set("randomHex", Napi::Function::New<random_hex>(env));
  exports.Set("hostname", Napi::Function::New<host_name>(env));
  exports.Set("peerOf", Napi::Function::New<peer_of>(env));
  exports.Set("userName", Napi::Function::New<user_name>(env));
}

}  // namespace pbox::js
