// Process trees and the resources that they use.
#include "addon/js.h"
#include "proc/members.h"
#include "proc/sample.h"

namespace pbox::js {
namespace {

class JsMembers : public Napi::ObjectWrap<JsMembers> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Members", {InstanceMethod<&JsMembers::look>("look")});
  }

  explicit JsMembers(const CallbackInfo& info) : Napi::ObjectWrap<JsMembers>(info), members_(from(info[0].As<Object>())) {}

 private:
  static Members from(const Object& spec) {
    const Napi::Value procs = spec.Get("procsFile");
    const Member main{spec.Get("pid").As<Number>().Int32Value(),
                            static_cast<uint64_t>(spec.Get("startTicks").As<Number>().DoubleValue())};
    return {main, numbers(spec.Get("excluded")), procs.IsString() ? bytes_of(procs) : std::string()};
  }

  Napi::Value look(const CallbackInfo& info) {
    const auto& found = members_.look();
    Napi::Array pids = Napi::Array::New(info.Env(), found.size());
    for (uint32_t i = 0; i < found.size(); i++) pids.Set(i, Number::New(info.Env(), found[i].pid));
    return pids;
  }

  Members members_;
};

Value sample_tree(const CallbackInfo& info) {
  const Env env = info.Env();
  const Object options = info.Length() > 1 && info[1].IsObject() ? info[1].As<Object>() : Object::New(env);
  const Value rows = options.Get("rows"), files_of = options.Get("openFilesOf");
  const size_t most = rows.IsNumber() ? rows.As<Number>().Uint32Value() : 0;
  const bool pss = options.Get("pss").ToBoolean();
  const Tree tree = info[0].IsArray() ? sample_processes(numbers(info[0]), most, pss)
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
    const Process& p = tree.rows[i];
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
    const auto found = open_files(files_of.As<Number>().Int32Value(), 256);
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

}  // namespace

void export_sample(Env env, Object& exports) {
  exports.Set("Members", JsMembers::define(env));
  exports.Set("sampleTree", Napi::Function::New<sample_tree>(env));
}

}  // namespace pbox::js
