#include "keeper/start.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "keeper/output.h"
#include "wire/wrapper_connection.h"

namespace pbox {
namespace {

Launched failed(Step step, int index, int error) { return {-1, -1, {step, index, error}}; }

Launched launch(JobSpec& spec, const StartRequest& request, Caller& caller, Output& output) {
  if (!request.fork_into.empty()) {
    spec.fork_into = open(request.fork_into.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spec.fork_into < 0) return failed(Step::cgroup, -1, errno);
  }
  for (const std::string& tasks : request.tasks) {
    const int fd = open(tasks.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return failed(Step::cgroup, static_cast<int>(spec.cgroup_fds.size()), errno);
    spec.cgroup_fds.push_back(fd);
  }
  const uint32_t command = request.head.command_index;
  if (command == 0 || command + 1 >= caller.words.argv.size()) return failed(Step::exec, -1, EINVAL);
  for (uint32_t i = 0; i < command; i++) explicit_bzero(caller.words.argv[i], std::strlen(caller.words.argv[i]));
  spec.argv = caller.words.argv.data() + command;
  spec.name = request.name;
  spec.environment = caller.words.environment.data();
  spec.rlimits = request.rlimits;

  if (caller.stdout_mode == StdoutMode::pipe) {
    spec.stdout_fd = output.make_pipe(caller.stdout_is_socket);
    if (spec.stdout_fd < 0) return failed(Step::pipe, -1, errno);
  }
  output.limit(request.head.stdout_max);
  spec.stdout_is_stderr_too = caller.stderr_is_stdout;
  // If stdout goes into a pipeline, another member of it may need the keyboard. The job then gets the terminal only when it
  // asks for it (JobBox::main_stopped).
  if (caller.terminal.wrapper_has_it() && isatty(0) && isatty(1)) spec.terminal_fd = caller.terminal.fd();
  return launch_job(spec, caller.inherited);
}

}  // namespace

std::string hello_body(const Caller& caller, int guard, HelloTo to) {
  const Invocation& words = caller.words;
  const bool whole = to == HelloTo::node;
  const size_t argc = whole ? static_cast<size_t>(words.count()) : words.for_agent.words.size();
  const std::vector<std::string>& settings = whole ? words.settings : words.for_agent.settings;
  Writer hello;
  hello.value(HelloHead{getpid(), guard, static_cast<uint32_t>(caller.stdout_mode), caller.terminal.exists(), static_cast<uint32_t>(argc),
                        static_cast<uint32_t>(settings.size()), static_cast<uint32_t>(words.command), static_cast<uint32_t>(words.fallback),
                        words.failure_open, words.debug});
  for (size_t i = 0; i < argc; i++) hello.word(whole ? words.argv[i] : words.for_agent.words[i].c_str());
  for (const std::string& entry : settings) hello.word(entry.c_str());
  hello.word(words.verb.c_str());
  return std::move(hello.body);
}

void erase_settings(Invocation& words) {
  for (auto& entry : words.settings) explicit_bzero(entry.data(), entry.size());
  words.settings.clear();
}

StartRequest::StartRequest(Reader body) : head(body.value<StartHead>()) {
  for (uint32_t i = 0; i < head.rlimits && !body.done(); i++) rlimits.push_back(body.value<RlimitWire>());
  for (uint32_t i = 0; i < head.tasks && !body.done(); i++) tasks.push_back(body.word());
  fork_into = body.word();
  freezer_dir = body.word();
  kill_file = body.word();
  name = body.word();
}

Launched start_job(const StartRequest& request, Caller& caller, Output& output) {
  JobSpec spec;
  const Launched launched = launch(spec, request, caller, output);
  for (const int fd : spec.cgroup_fds) close(fd);
  if (spec.fork_into >= 0) close(spec.fork_into);
  if (spec.stdout_fd >= 0) close(spec.stdout_fd);
  return launched;
}

}  // namespace pbox
