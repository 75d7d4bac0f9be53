// Finds the node agent that serves the box.
#pragma once
#include <string>
#include <vector>

#include "front/options.h"

namespace pbox {

struct FoundAgent {
  int fd = -1;       // a connection; -1: there is none
  std::string path;  // of its socket
  bool site = false;
};

// Looks at --agent. With `auto` that is the site's agent, or else the user's own; a box that names a broker has a link of its own.
// Sets `error` if the user has named a socket that cannot be used.
FoundAgent find_agent(const Words& words, const Options& options, std::string& error);

// The socket on which systemd listens for the agent that this process is: sd_listen_fds(3). -1: there is none.
int listener_of_systemd(const Words& words, const Options& options);

// What the agent has to know and does not inherit. `children`: those that this process had before it became proc_box.
ForAgent for_agent(const Words& words, const std::vector<int>& children);

}  // namespace pbox
