// Shared by the parts of the addon. Each js_*.cc has one subject. JavaScript has validated all arguments.
#pragma once
#include <napi.h>
#include <string>
#include <vector>

#include "proc/rlimit.h"

namespace pbox::js {

using Napi::CallbackInfo;
using Napi::Env;
using Napi::Number;
using Napi::Object;
using Napi::String;
using Napi::Value;

// An Error with the fields of Node's own: code, errno, syscall.
Napi::Error syscall_error(Env env, const char* syscall, int error, const std::string& what);

RlimitChange rlimit_change(const std::string& name, const Object& limit);
Object rlimit_result(Env env, uint64_t soft, uint64_t hard);

// Converts bytes to a string and back without loss: js_text.cc.
Value text_of(Env env, const std::string& bytes);
std::string bytes_of(const Value& value);

void set(Object& object, const char* key, double value);
std::vector<std::string> strings(const Value& value);

// Each part adds its functions and classes to the addon's exports.
void export_files(Env env, Object& exports);
void export_host(Env env, Object& exports);
void export_keeper(Env env, Object& exports);
void export_listener(Env env, Object& exports);
void export_outlet(Env env, Object& exports);
void export_process(Env env, Object& exports);
void export_service(Env env, Object& exports);
void export_signals(Env env, Object& exports);
void export_suspension(Env env, Object& exports);
void export_timer(Env env, Object& exports);

}  // namespace pbox::js
