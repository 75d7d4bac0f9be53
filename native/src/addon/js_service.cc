// This process as a service of systemd: sd_notify(3), sd_listen_fds(3).
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon/js.h"

namespace pbox::js {
namespace {

// A path that begins with `@` names an abstract socket. Returns 0 or an errno.
int send_to(const std::string& path, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return EINVAL;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = 0;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const ssize_t sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address), size);
  const int error = sent < 0 ? errno : 0;
  close(fd);
  return error;
}

Value notify_service(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  const int error = send_to(path, bytes_of(info[1]));
  if (error != 0) syscall_error(info.Env(), "sendto", error, path).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Value is_listening(const CallbackInfo& info) {
  int value = 0;
  socklen_t size = sizeof value;
  const int fd = info[0].As<Number>().Int32Value();
  return Napi::Boolean::New(info.Env(), getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0);
}

}  // namespace

void export_service(Env env, Object& exports) {
  exports.Set("notifyService", Napi::Function::New<notify_service>(env));
  exports.Set("isListening", Napi::Function::New<is_listening>(env));
}

}  // namespace pbox::js
