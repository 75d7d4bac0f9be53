// `--log-file` and `--pid-file` of `proc_box adopt` whose box is an agent's. Without an agent they are Node's: src/supervise/own-files.ts.
#pragma once
#include <string>

#include "front/options.h"

namespace pbox {

// Opens the files with this user's rights, for the keeper to inherit. Returns why that is impossible; empty if it is done.
std::string open_own_files(Words& words, const Options& options);

// The pid of the process to signal, for the file that the keeper keeps locked.
void write_pid_file(const Words& words, int pid);

// The keeper has them.
void close_own_files(Words& words);

}  // namespace pbox
