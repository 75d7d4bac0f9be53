// Samples, and operations on files.
#include <algorithm>
#include <iterator>
#include <uv.h>

#include "addon/js_frames.h"

namespace pbox::js {
namespace {

void set_counts(Object& o, const TreeBody& tree) {
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
}

Napi::Array pids_of(Env env, Reader& body, uint32_t count) {
  Napi::Array pids = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) pids.Set(i, Number::New(env, body.value<int32_t>()));
  return pids;
}

Object row_of(Env env, Reader& body) {
  const auto p = body.value<RowBody>();
  Object row = Object::New(env);
  set(row, "pid", p.pid);
  set(row, "ppid", p.ppid);
  row.Set("comm", String::New(env, body.word()));
  row.Set("state", String::New(env, std::string(1, static_cast<char>(p.state))));
  set(row, "threads", static_cast<double>(p.threads));
  set(row, "rssBytes", static_cast<double>(p.rss_bytes));
  set(row, "vmsBytes", static_cast<double>(p.vms_bytes));
  set(row, "userUsec", static_cast<double>(p.user_usec));
  set(row, "systemUsec", static_cast<double>(p.system_usec));
  return row;
}

// The keeper may be another user's: no count makes more objects than the body has bytes.
uint32_t within(uint32_t count, const Reader& body) { return static_cast<uint32_t>(std::min<size_t>(count, body.left())); }

Object tree_of(Env env, Reader& body) {
  const auto tree = body.value<TreeBody>();
  Object o = Object::New(env);
  o.Set("pids", pids_of(env, body, within(tree.pids, body)));
  set_counts(o, tree);
  Napi::Array rows = Napi::Array::New(env);
  for (uint32_t i = 0; i < tree.rows && !body.done(); i++) rows.Set(i, row_of(env, body));
  o.Set("rows", rows);
  Napi::Array files = Napi::Array::New(env);
  for (uint32_t i = 0; i < tree.open_files && !body.done(); i++) {
    Object file = Object::New(env);
    set(file, "fd", body.value<int32_t>());
    file.Set("path", String::New(env, body.word()));
    files.Set(i, file);
  }
  o.Set("openFiles", files);
  return o;
}

uint32_t file_op(const Object& op) {
  const std::string name = op.Get("op").As<String>();
  uint32_t number = 0;
  while (number < std::size(kFileOpNames) && name != kFileOpNames[number]) number++;
  return number;
}

}  // namespace

std::string files_body(const Napi::Array& ops) {
  Writer body;
  body.value(ops.Length());
  for (uint32_t i = 0; i < ops.Length(); i++) {
    const Object op = ops.Get(i).As<Object>();
    const Value path = op.Get("path"), pid = op.Get("pid"), text = op.Get("text");
    body.value(file_op(op));
    body.word(path.IsString() ? bytes_of(path).c_str() : pid.IsNumber() ? std::to_string(pid.As<Number>().Int32Value()).c_str() : "");
    body.word(text.IsString() ? bytes_of(text).c_str() : "");
  }
  return body.body;
}

Value files_value(Env env, Reader body) {
  Napi::Array results = Napi::Array::New(env);
  for (uint32_t i = 0; !body.done(); i++) {
    const auto head = body.value<FileResult>();
    Object result = Object::New(env);
    result.Set("error", head.error == 0 ? env.Null() : String::New(env, uv_err_name(-head.error)).As<Value>());
    result.Set("text", text_of(env, body.bytes(head.size)));
    results.Set(i, result);
  }
  return results;
}

const std::string& EncodedPaths::of(const Value& files, uint32_t& count) {
  count = 0;
  if (!files.IsArray()) return none_;
  const auto array = files.As<Napi::Array>();
  count = array.Length();
  if (!list_.IsEmpty() && list_.Value().StrictEquals(array)) return encoded_;
  list_ = Napi::Persistent(array.As<Object>());
  Writer words;
  for (const std::string& path : strings(array)) words.word(path.c_str());
  encoded_ = std::move(words.body);
  return encoded_;
}

std::string sample_body(const Object& options, EncodedPaths& known) {
  const Value rows = options.Get("rows"), list = options.Get("list");
  uint32_t files = 0;
  const std::string& paths = known.of(options.Get("files"), files);
  uint32_t flags = list.IsString() ? kSampleList : 0;
  if (options.Get("walk").ToBoolean()) flags |= kSampleWalk;
  if (options.Get("pss").ToBoolean()) flags |= kSamplePss;
  if (options.Get("openFiles").ToBoolean()) flags |= kSampleOpenFiles;
  const Value most = options.Get("walkMost");
  Writer body;
  body.value(SampleHead{rows.IsNumber() ? rows.As<Number>().Uint32Value() : 0, flags, most.IsNumber() ? most.As<Number>().Uint32Value() : 0,
                        files});
  body.word(list.IsString() ? bytes_of(list).c_str() : "");
  body.body += paths;
  return body.body;
}

Value sample_value(Env env, Reader body) {
  const auto reply = body.value<SampleReply>();
  Object sample = Object::New(env);
  sample.Set("usage", usage_object(env, reply.usage));
  set(sample, "costUsec", static_cast<double>(reply.cost_usec));
  Napi::Array texts = Napi::Array::New(env);
  for (uint32_t i = 0; i < reply.files && !body.done(); i++) {
    const auto head = body.value<FileResult>();
    const std::string text = body.bytes(head.size);
    texts.Set(i, head.error == 0 ? text_of(env, text) : env.Null());
  }
  sample.Set("texts", texts);
  if (reply.listed < 0) sample.Set("pids", env.Null());
  else sample.Set("pids", pids_of(env, body, within(static_cast<uint32_t>(reply.listed), body)));
  if (reply.walked) sample.Set("tree", tree_of(env, body));
  else sample.Set("tree", env.Null());
  return sample;
}

}  // namespace pbox::js
