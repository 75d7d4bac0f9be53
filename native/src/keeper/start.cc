#include "keeper/start.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "keeper/output.h"
#include "proc/masked_uri.h"
#include "wire/wrapper_connection.h"

namespace pbox {
namespace {

Launched failed(Step step, int index, int error) { return {-1, -1, {step, index, error}}; }

bool is_uri(const std::string& setting) { return setting.rfind("PBOX_URI=", 0) == 0; }

// Whether a word is the value of `--uri`, or holds it.
bool may_hold_password(const Invocation& words, int index) {
  const auto word = [&](int at) { return std::string(words.argv[static_cast<size_t>(at)]); };
  const auto names = [](const std::string& text, const char* ending) { return text == std::string("-uri") + ending || text == std::string("--uri") + ending; };
  const std::string own = word(index);
  return names(own.substr(0, own.find('=') + 1), "=") || (index > 0 && names(word(index - 1), ""));
}

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
  // Up to the first word of the command, wherever that may be.
  const int argc = whole ? words.count() : std::min(words.count(), std::max(words.command, words.fallback) + 1);
  const HelloHead head{getpid(), guard, static_cast<uint32_t>(caller.stdout_mode), caller.terminal.exists(),
                       static_cast<uint32_t>(argc), static_cast<uint32_t>(words.settings.size()),
                       static_cast<uint32_t>(words.command), static_cast<uint32_t>(words.fallback), words.failure_open, words.debug};
  Writer hello;
  hello.value(head);
  for (int i = 0; i < argc; i++) {
    const char* word = words.argv[static_cast<size_t>(i)];
    hello.word(whole || !may_hold_password(words, i) ? word : masked_uri(word).c_str());
  }
  for (const auto& entry : words.settings) hello.word(whole || !is_uri(entry) ? entry.c_str() : masked_uri(entry).c_str());
  hello.word(words.verb.c_str());
  return std::move(hello.body);
}

void erase_settings(Invocation& words) {
  for (auto& entry : words.settings) explicit_bzero(entry.data(), entry.size());
  words.settings.clear();
}

std::vector<std::string> named_by(const Invocation& words) {
  std::vector<std::string> texts;
  for (int i = 1; i < std::min(words.count(), std::max(words.command, words.fallback)); i++) texts.emplace_back(words.argv[static_cast<size_t>(i)]);
  for (const std::string& setting : words.settings)
    if (!is_uri(setting)) texts.push_back(setting);
  return texts;
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
