// Parses proc_pid_stat(5) of a process or thread; nothing else does.
#pragma once
#include <cstdint>
#include <string_view>

namespace pbox {

struct StatFields {
  std::string_view comm;  // points into the text
  char state;
  uint64_t field[53];  // from 4 on, numbered as in the man page; 0 if the kernel has fewer
};

// `text` ends with a NUL. `last`: the last field wanted. False if the text is truncated or malformed.
bool parse_stat(const char* text, StatFields& out, int last);

}  // namespace pbox
