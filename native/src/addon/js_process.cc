// This process and its children: protection, stdio, limits, and how they end.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addon/js.h"
#include "addon/js_front.h"
#include "proc/outlet.h"
#include "proc/members.h"
#include "proc/rlimit.h"
#include "proc/tree.h"

namespace pbox::js {
namespace {

Value prlimit_of(const CallbackInfo& info) {
  const Env env = info.Env();
  const int pid = info[0].As<Number>().Int32Value();
  const std::string name = info[1].As<String>();
  rlimit before{};
  const auto resource = static_cast<__rlimit_resource>(rlimit_by_name(name.c_str()));
  int error = prlimit(pid, resource, nullptr, &before) == 0 ? 0 : errno;
  if (error == 0 && info.Length() > 2 && info[2].IsObject())
    error = rlimit_set(pid, rlimit_change(name, info[2].As<Object>()), nullptr);
  if (error != 0) {
    syscall_error(env, "prlimit", error, name + " of " + std::to_string(pid)).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return rlimit_result(env, before.rlim_cur, before.rlim_max);
}

void protect_self(const CallbackInfo&) {
  take_stderr();
  prctl(PR_SET_DUMPABLE, 0);
  signal(SIGTTOU, SIG_IGN);
}

// Reaps a child that was told to end.
Value reap_child(const CallbackInfo& info) {
  const int pid = info[0].As<Number>().Int32Value();
  int done;
  while ((done = waitpid(pid, nullptr, WNOHANG)) < 0 && errno == EINTR) continue;
  return Napi::Boolean::New(info.Env(), done != 0);
}

void release_stdio(const CallbackInfo&) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  dup3(null, 0, O_CLOEXEC);
  dup3(null, 1, O_CLOEXEC);
  close(null);
}

// Earlier lines belong to the old stderr, so they are written first.
void redirect_stderr(const CallbackInfo& info) {
  const int fd = info[0].As<Number>().Int32Value();
  Outlet::drain_all(Outlet::kExitDrainMs);
  dup3(fd, STDERR_FILENO, O_CLOEXEC);
  close(fd);
  tell_front(NodeMessageType::release_stderr);
}

// The front end ends with this outcome once this process has ended. If the front end is stopped, this resumes it.
void tell_outcome(int status, int signal) {
  Outlet::drain_all(Outlet::kExitDrainMs);
  tell_front(NodeMessageType::outcome, status, signal);
  ProcessStat front;
  if (read_process(getppid(), front) && front.state == 'T') kill(getppid(), SIGCONT);
}

void exit_now(const CallbackInfo& info) {
  const int status = info[0].As<Number>().Int32Value();
  tell_outcome(status, 0);
  _exit(status);
}

void die_of(const CallbackInfo& info) {
  const int signal = info[0].As<Number>().Int32Value();
  tell_outcome(128 + signal, signal);
  _exit(128 + signal);
}

int parent_of(int pid) {
  ProcessStat now;
  return read_process(pid, now) ? now.parent : 0;
}

// If our group is the session leader's, or if its parent is in another session, no shell could resume it with `fg`: setpgid(2),
// orphaned process groups. The front end is in our group, and the shell is its parent.
Value stop_own_group(const CallbackInfo& info) {
  const int session = getsid(0);
  const bool orphaned = getpgrp() == session || getsid(parent_of(getppid())) != session;
  if (!orphaned) kill(0, SIGSTOP);
  return Napi::Boolean::New(info.Env(), !orphaned);
}

Value process_directory_of(const CallbackInfo& info) {
  return String::New(info.Env(), process_directory(info[0].As<Number>().Int32Value()));
}

}  // namespace

void export_process(Env env, Object& exports) {
  exports.Set("processDirectory", Napi::Function::New<process_directory_of>(env));
  exports.Set("prlimit", Napi::Function::New<prlimit_of>(env));
  exports.Set("protectSelf", Napi::Function::New<protect_self>(env));
  exports.Set("reapChild", Napi::Function::New<reap_child>(env));
  exports.Set("releaseStdio", Napi::Function::New<release_stdio>(env));
  exports.Set("redirectStderr", Napi::Function::New<redirect_stderr>(env));
  exports.Set("exitNow", Napi::Function::New<exit_now>(env));
  exports.Set("dieOf", Napi::Function::New<die_of>(env));
  exports.Set("stopOwnGroup", Napi::Function::New<stop_own_group>(env));
}

}  // namespace pbox::js
