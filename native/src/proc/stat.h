// proc_pid_stat(5), of a process or of one of its threads: the only place that takes it apart.
#pragma once
#include <cstdint>
#include <string_view>

namespace pbox {

struct StatFields {
  std::string_view comm;  // a part of the text
  char state;
  uint64_t field[53];  // from 4 on, as the man page numbers them; 0 where the kernel has fewer
};

// `text` ends with a NUL. `last`: no field after this one is wanted. False where it is cut or something else.
bool parse_stat(const char* text, StatFields& out, int last);

}  // namespace pbox
