#include "front/agent.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "front/node.h"
#include "front/site_file.h"
#include "proc/masked_uri.h"
#include "proc/unix_socket.h"

namespace pbox {
namespace {

constexpr char kSiteSocket[] = "/run/proc_box/agent.sock";
constexpr int kQueueMs = 50;
constexpr int kFirstOfSystemd = 3;  // SD_LISTEN_FDS_START
constexpr char kOwnSocket[] = "/proc_box/agent.sock";  // below XDG_RUNTIME_DIR

FoundAgent site_agent() {
  const int fd = connect_at(kSiteSocket, kQueueMs);
  if (fd < 0) return {};
  if (is_made_by_site(fd, kSiteSocket)) return {fd, kSiteSocket, true};
  close(fd);
  return {};
}

FoundAgent own_agent(const Words& words) {
  const char* folder = words.variable("XDG_RUNTIME_DIR");
  if (!folder || folder[0] != '/') return {};
  const std::string path = folder + std::string(kOwnSocket);
  const int fd = connect_at(path, kQueueMs);
  if (fd < 0) return {};
  if (peer_user(fd) == geteuid()) return {fd, path, false};
  close(fd);
  return {};
}

// The strongest source counts, as in src/options/: the site's lock, the words and variables, the config file.
std::string asked_for(const Options& options) {
  const ConfigLines site = read_config_lines(kSiteFile);
  const bool has_own = !options.config.empty() && options.config != kSiteFile;
  const ConfigLines own = has_own && options.config != "none" ? read_config_lines(options.config) : ConfigLines{};
  const std::string file = has_own ? own.agent : site.agent;
  const std::string given = site.locked ? site.agent : options.agent.empty() ? file : options.agent;
  return given.empty() ? "auto" : given;
}

bool is_uri_option(const std::string& text) { return text == "-uri" || text == "--uri"; }

// The value of `--uri`, as a word of its own or after `=`, may hold a password.
std::string without_password(const Words& words, int index) {
  const std::string word = words.argv[static_cast<size_t>(index)];
  const bool follows = index > 0 && is_uri_option(words.argv[static_cast<size_t>(index) - 1]);
  return follows || is_uri_option(word.substr(0, word.find('='))) ? masked_uri(word) : word;
}

}  // namespace

ForAgent for_agent(const Words& words, const std::vector<int>& children) {
  ForAgent told;
  const int last = std::min(words.count() - 1, std::max(words.command, words.fallback));
  for (int i = 0; i <= last; i++) told.words.push_back(without_password(words, i));
  for (const std::string& setting : words.settings) told.settings.push_back(setting.rfind("PBOX_URI=", 0) == 0 ? masked_uri(setting) : setting);
  for (const char* entry : words.environment)
    if (entry && is_shared(entry)) told.shared.push_back(entry);
  char folder[4096];
  if (getcwd(folder, sizeof folder)) told.folder = folder;
  told.children = children;
  told.site_file = kSiteFile;
  return told;
}

FoundAgent find_agent(const Words& words, const Options& options, std::string& error) {
  const std::string agent = asked_for(options);
  if (agent == "none") return {};
  if (agent != "auto") {
    const int fd = connect_at(agent, kQueueMs);
    // A full queue is an agent that does not answer in time.
    if (fd < 0 && errno != EAGAIN) error = "--agent " + agent + ": " + std::strerror(errno) + "; start \"proc_box agent --socket\" with this path, or leave the option out";
    if (fd < 0) return {};
    return {fd, agent, false};
  }
  if (options.names_broker) return {};
  const FoundAgent site = site_agent();
  return site.fd >= 0 ? site : own_agent(words);
}

int listener_of_systemd(const Words& words, const Options& options) {
  const char *pid = words.variable("LISTEN_PID"), *count = words.variable("LISTEN_FDS");
  const bool ours = options.verb == "agent" && pid && count && std::atoi(pid) == getpid() && std::atoi(count) > 0;
  return ours && fcntl(kFirstOfSystemd, F_SETFD, FD_CLOEXEC) == 0 ? kFirstOfSystemd : -1;
}

}  // namespace pbox
