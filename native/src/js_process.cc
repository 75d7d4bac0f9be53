// This process and those below it: protection, stdio, limits, ends.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "freezer.h"
#include "js.h"
#include "outlet.h"
#include "rlimit.h"
#include "tree.h"

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
    error = rlimit_set(pid, rlimit_wire(name, info[2].As<Object>()), nullptr);
  if (error != 0) {
    syscall_error(env, "prlimit", error, name + " of " + std::to_string(pid)).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return rlimit_result(env, before.rlim_cur, before.rlim_max);
}

// Five seconds for those that end; nobody waits for others.
constexpr int kReapRounds = 1000;
constexpr int kReapUsec = 5000;

std::vector<int> own_children() {
  std::vector<int> children;
  read_children(getpid(), true, children);
  return children;
}

Value protect_self(const CallbackInfo& info) {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGTTOU, SIG_IGN);
  const std::vector<int> children = own_children();
  Napi::Array pids = Napi::Array::New(info.Env(), children.size());
  for (uint32_t i = 0; i < children.size(); i++) pids.Set(i, Number::New(info.Env(), children[i]));
  return pids;
}

// Each child by its pid: one that the scheduler has given us (pbs_demux) is not ours to kill or to reap.
Value kill_descendants(const CallbackInfo& info) {
  std::vector<int> spared;
  const auto list = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) spared.push_back(list.Get(i).As<Number>().Int32Value());
  std::set<int> killed;
  // Whoever becomes a child of ours meanwhile is met in the next round.
  for (int round = 0; round < kReapRounds; round++) {
    bool left = false;
    for (const int child : own_children()) {
      if (std::find(spared.begin(), spared.end(), child) != spared.end()) continue;
      left = true;
      signal_tree(child, SIGKILL, true);
      if (kill(child, SIGKILL) == 0) killed.insert(child);
      thaw_around(child);
      for (const Descendant& process : descendants(child)) thaw_around(process.pid);
      waitpid(child, nullptr, WNOHANG);
    }
    if (!left) break;
    usleep(kReapUsec);
  }
  return Number::New(info.Env(), static_cast<double>(killed.size()));
}

// A child of ours that was told to end.
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

// What has been said so far belongs to who listened then.
void redirect_stderr(const CallbackInfo& info) {
  const int fd = info[0].As<Number>().Int32Value();
  Outlet::drain_all(Outlet::kLastWordsMs);
  dup3(fd, STDERR_FILENO, O_CLOEXEC);
  close(fd);
}

void exit_now(const CallbackInfo& info) {
  Outlet::drain_all(Outlet::kLastWordsMs);
  _exit(info[0].As<Number>().Int32Value());
}

void die_of(const CallbackInfo& info) {
  Outlet::drain_all(Outlet::kLastWordsMs);
  const int signal = info[0].As<Number>().Int32Value();
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  raise(signal);
  _exit(128 + signal);
}

// In the session leader's group, or with a parent in another session, nobody is there who could say `fg`: setpgid(2),
// orphaned process groups.
Value stop_own_group(const CallbackInfo& info) {
  const int session = getsid(0);
  const bool orphaned = getpgrp() == session || getsid(getppid()) != session;
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
  exports.Set("killDescendants", Napi::Function::New<kill_descendants>(env));
  exports.Set("reapChild", Napi::Function::New<reap_child>(env));
  exports.Set("releaseStdio", Napi::Function::New<release_stdio>(env));
  exports.Set("redirectStderr", Napi::Function::New<redirect_stderr>(env));
  exports.Set("exitNow", Napi::Function::New<exit_now>(env));
  exports.Set("dieOf", Napi::Function::New<die_of>(env));
  exports.Set("stopOwnGroup", Napi::Function::New<stop_own_group>(env));
}

}  // namespace pbox::js
