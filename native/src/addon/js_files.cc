// Small files of the kernel, and the files that a launch reads. node:fs would have to be compiled before its first use.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "addon/js.h"
#include "proc/device.h"
#include "proc/members.h"
#include "proc/remove_groups.h"
#include "proc/text_file.h"

namespace pbox::js {
namespace {

Value read_text_of(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  std::string text;
  return read_text_file(path, text) ? text_of(info.Env(), text) : info.Env().Null();
}

Value error_name(Env env, int error) {
  return error == 0 ? env.Null() : String::New(env, uv_err_name(-error)).As<Value>();
}

Value write_text_of(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  return error_name(info.Env(), write_text_file(path, bytes_of(info[1])) ? 0 : errno);
}

// Reads up to the end of a file or pipe. Returns 0 or the errno: EFBIG beyond `most` bytes.
int read_whole(int fd, size_t most, std::string& content) {
  char buffer[16384];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > most) return EFBIG;
  }
  return 0;
}

Value read_file(const CallbackInfo& info) {
  const Env env = info.Env();
  const std::string path = bytes_of(info[0]);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_name(env, errno);
  struct stat status{};
  std::string content;
  const auto most = static_cast<size_t>(info[1].As<Number>().Int64Value());
  const int error = fstat(fd, &status) != 0 ? errno : read_whole(fd, most, content);
  close(fd);
  if (error != 0) return error_name(env, error);
  Object file = Object::New(env);
  file.Set("bytes", Napi::Buffer<char>::Copy(env, content.data(), content.size()));
  set(file, "mode", status.st_mode & 07777);
  set(file, "uid", status.st_uid);
  return file;
}

Value access_of(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  const int mode = info[1].ToBoolean() ? W_OK : F_OK;
  return error_name(info.Env(), access(path.c_str(), mode) == 0 ? 0 : errno);
}

Value make_directory(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  return error_name(info.Env(), mkdir(path.c_str(), 0777) == 0 ? 0 : errno);
}

Value group_processes(const CallbackInfo& info) {
  const std::string procs = bytes_of(info[0]);
  if (access(procs.c_str(), R_OK) != 0) return info.Env().Null();
  std::vector<int> pids;
  read_group(procs, pids);
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  std::string text;
  for (const int pid : pids) text += std::to_string(pid) + "\n";
  return String::New(info.Env(), text);
}

Value remove_groups_at(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  return error_name(info.Env(), remove_groups(path));
}

Value remove_directory(const CallbackInfo& info) {
  const std::string path = bytes_of(info[0]);
  return error_name(info.Env(), rmdir(path.c_str()) == 0 ? 0 : errno);
}

Value find_disk_of(const CallbackInfo& info) {
  std::string disk;
  const int error = find_disk(bytes_of(info[0]), disk, info[1].IsString() ? bytes_of(info[1]) : "/sys");
  Object result = Object::New(info.Env());
  result.Set("error", error_name(info.Env(), error));
  result.Set("text", error == 0 ? disk : "");
  return result;
}

// A flock(2) belongs to the open file, not to the process. It ends with the last descriptor, however its owner has ended.
Value lock_file(const CallbackInfo& info) {
  if (flock(info[0].As<Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
  syscall_error(info.Env(), "flock", errno, "a descriptor").ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

}  // namespace

void export_files(Env env, Object& exports) {
  exports.Set("readText", Napi::Function::New<read_text_of>(env));
  exports.Set("writeText", Napi::Function::New<write_text_of>(env));
  exports.Set("readFile", Napi::Function::New<read_file>(env));
  exports.Set("access", Napi::Function::New<access_of>(env));
  exports.Set("groupProcesses", Napi::Function::New<group_processes>(env));
  exports.Set("makeDirectory", Napi::Function::New<make_directory>(env));
  exports.Set("removeGroups", Napi::Function::New<remove_groups_at>(env));
  exports.Set("removeDirectory", Napi::Function::New<remove_directory>(env));
  exports.Set("findDisk", Napi::Function::New<find_disk_of>(env));
  exports.Set("lockFile", Napi::Function::New<lock_file>(env));
}

}  // namespace pbox::js
