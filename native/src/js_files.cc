// Small files of the kernel, control groups among them.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <uv.h>

#include "js.h"
#include "text.h"

namespace pbox::js {
namespace {

// Every byte is a character, none is refused.
Value latin1(Env env, const std::string& text) {
  napi_value value = env.Null();
  napi_create_string_latin1(env, text.data(), text.size(), &value);
  return {env, value};
}

class JsTextFiles : public Napi::ObjectWrap<JsTextFiles> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "TextFiles", {InstanceMethod<&JsTextFiles::read>("read"), InstanceMethod<&JsTextFiles::close>("close")});
  }

  explicit JsTextFiles(const CallbackInfo& info) : Napi::ObjectWrap<JsTextFiles>(info), files_(paths(info[0])) {}

 private:
  static std::vector<std::string> paths(const Napi::Value& value) {
    const auto list = value.As<Napi::Array>();
    std::vector<std::string> result;
    for (uint32_t i = 0; i < list.Length(); i++) result.push_back(list.Get(i).As<Napi::String>().Utf8Value());
    return result;
  }

  Napi::Value read(const CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Napi::Array texts = Napi::Array::New(env, files_.size());
    for (size_t i = 0; i < files_.size(); i++) {
      texts.Set(static_cast<uint32_t>(i), files_.read(i, text_) ? latin1(env, text_) : env.Null());
    }
    return texts;
  }

  void close(const CallbackInfo&) { files_.close(); }

  TextFiles files_;
  std::string text_;
};

Value read_text_of(const CallbackInfo& info) {
  const std::string path = info[0].As<String>();
  std::string text;
  return read_text(path.c_str(), text) ? latin1(info.Env(), text) : info.Env().Null();
}

Value write_text_of(const CallbackInfo& info) {
  const std::string path = info[0].As<String>();
  const int error = write_text(path.c_str(), info[1].As<String>());
  return error == 0 ? info.Env().Null() : String::New(info.Env(), uv_err_name(-error)).As<Value>();
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

// flock(2) is the file's, not the process's: it ends with the last descriptor, so with its owner, however that ended.
Value lock_file(const CallbackInfo& info) {
  if (flock(info[0].As<Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(info.Env(), false);
  syscall_error(info.Env(), "flock", errno, "a descriptor").ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

}  // namespace

void export_files(Env env, Object& exports) {
  exports.Set("TextFiles", JsTextFiles::define(env));
  exports.Set("readText", Napi::Function::New<read_text_of>(env));
  exports.Set("writeText", Napi::Function::New<write_text_of>(env));
  exports.Set("killGroup", Napi::Function::New<kill_group>(env));
  exports.Set("lockFile", Napi::Function::New<lock_file>(env));
}

}  // namespace pbox::js
