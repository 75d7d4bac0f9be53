// Starts a keeper for a program that was not started through the proc_box executable.
#pragma once
#include <string>
#include <vector>

namespace pbox {

// Runs `executable` with the argv `proc_box-keeper <socket> words...` and exactly this environment. Returns our end of its
// socket, or -1 with errno.
int spawn_keeper(const std::string& executable, const std::vector<std::string>& words,
                 const std::vector<std::string>& environment);

}  // namespace pbox
